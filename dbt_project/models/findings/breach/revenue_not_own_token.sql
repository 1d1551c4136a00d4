with exceeded as (
    select
        month,
        {{ month_text('month') }} as month_text,
        step_usd,
        base_usd,
        limit_pct,
        limit_usd,
        known_date
    from {{ ref('int_revenue__step_exceeded') }}
    where step = 'own_token'
)

select
    known_date as as_of_date,
    'month' as subject_type,
    month_text as subject_id,
    cast(null as string) as asset,
    {{ amount_text('step_usd') }} || ' USD in own tokens' as observed,
    'at most ' || {{ amount_text('limit_usd') }} || ' USD, '
    || {{ amount_text('limit_pct') }} || ' % of reported revenue' as expected,
    cast(step_usd as decimal(38, 8)) as impact_usd,
    'Known on ' || known_date || ', of revenue of ' || month_text || ' ' || {{ amount_text('step_usd') }}
    || ' USD came in own tokens, more than ' || {{ amount_text('limit_pct') }}
    || ' % of the ' || {{ amount_text('base_usd') }} || ' USD reported.' as message,
    'select * from marts.fct_revenue_daily where waterfall_step = ''own_token'''
    || ' and date_trunc(''month'', revenue_date) = ' || {{ sql_text('month') }} as evidence,
    {{ day_end('known_date') }} as known_since,
    cast(null as string) as severity
from exceeded
