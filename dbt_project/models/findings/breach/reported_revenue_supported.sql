with months as (
    select
        month,
        reported_usd,
        ledger_usd,
        unsupported_usd,
        unpriced_assets,
        cast(reported_known_at as date) as known_date
    from {{ ref('fct_token_adjusted_revenue_monthly') }}
),

periods as (
    select
        from_date,
        to_date,
        is_whole_months,
        reported_usd,
        cast(known_at as date) as known_date
    from {{ ref('int_revenue__reported_period') }}
    where
        not is_month
        and reported_usd is not null
        and from_date >= date_trunc('month', {{ run_value('landing_first_date') }})
),

revenue as (
    select
        revenue_date,
        value_usd
    from {{ ref('fct_revenue_daily') }}
    where value_usd is not null
),

-- A longer period repeats its months; what a month already failed to support isn't held against the period again.
periods_by_month as (
    select
        periods.from_date,
        periods.to_date,
        periods.reported_usd,
        periods.known_date,
        coalesce(sum(coalesce(months.reported_usd, months.ledger_usd)), 0) as supported_usd
    from periods
    left join months on periods.from_date <= months.month and months.month < periods.to_date
    where periods.is_whole_months
    group by periods.from_date, periods.to_date, periods.reported_usd, periods.known_date
),

periods_by_day as (
    select
        periods.from_date,
        periods.to_date,
        periods.reported_usd,
        periods.known_date,
        coalesce(sum(revenue.value_usd), 0) as supported_usd
    from periods
    left join revenue on periods.from_date <= revenue.revenue_date and revenue.revenue_date < periods.to_date
    where not periods.is_whole_months
    group by periods.from_date, periods.to_date, periods.reported_usd, periods.known_date
),

compared as (
    select
        known_date,
        {{ month_text('month') }} as subject_id,
        {{ month_text('month') }} as period_text,
        'the ledger' as source_text,
        month as from_date,
        reported_usd,
        ledger_usd as supported_usd,
        unsupported_usd,
        unpriced_assets
    from months
    where reported_usd is not null
    union all
    select
        known_date,
        {{ month_text('to_date - 1') }} as subject_id,
        from_date || ' to ' || (to_date - 1) as period_text,
        'its months' as source_text,
        from_date,
        reported_usd,
        supported_usd,
        reported_usd - supported_usd as unsupported_usd,
        0 as unpriced_assets
    from periods_by_month
    union all
    select
        known_date,
        {{ month_text('to_date - 1') }} as subject_id,
        from_date || ' to ' || (to_date - 1) as period_text,
        'the ledger' as source_text,
        from_date,
        reported_usd,
        supported_usd,
        reported_usd - supported_usd as unsupported_usd,
        0 as unpriced_assets
    from periods_by_day
),

settings as (
    select {{ policy('revenue.unsupported_pct_of_reported') }} as limit_pct
),

unsupported as (
    select
        known_date,
        subject_id,
        from_date,
        unsupported_usd,
        {{ amount_text('reported_usd') }} || ' USD for ' || period_text as observed,
        {{ amount_text('cast(supported_usd as decimal(38, 8))') }} || ' USD by ' || source_text as expected,
        'Revenue of ' || period_text || ' was reported as ' || {{ amount_text('reported_usd') }} || ' USD, known on '
        || known_date || ', against ' || {{ amount_text('cast(supported_usd as decimal(38, 8))') }} || ' USD by '
        || source_text || ': ' || {{ amount_text('cast(unsupported_usd as decimal(38, 8))') }}
        || ' USD have no ledger entry'
        || case when unpriced_assets > 0 then ' (' || unpriced_assets || ' assets of it have no price)' else '' end
        || '.' as message
    from compared
    cross join settings
    where
        unsupported_usd > 0
        and {{ exact_product('unsupported_usd', '100') }}
        > {{ exact_product('abs(reported_usd)', 'settings.limit_pct') }}
)

select
    known_date as as_of_date,
    'month' as subject_type,
    subject_id,
    cast(null as string) as asset,
    {{ joined_text('observed', '; ', 'from_date desc, observed') }} as observed,
    {{ joined_text('expected', '; ', 'from_date desc, observed') }} as expected,
    cast(sum(unsupported_usd) as decimal(38, 8)) as impact_usd,
    {{ joined_text('message', ' ', 'from_date desc, observed') }} as message,
    'select * from marts.fct_token_adjusted_revenue_monthly where month between '
    || {{ sql_text("cast(date_trunc('month', min(from_date)) as date)") }}
    || ' and ' || {{ sql_text("subject_id || '-01'") }} as evidence,
    {{ day_end('known_date') }} as known_since,
    cast(null as string) as severity
from unsupported
group by known_date, subject_id
