with uses as (
    select
        as_of_date,
        asset,
        priced_at,
        owed_usd,
        reserve_usd,
        held_as,
        {{ microseconds_between('priced_at', day_end('as_of_date')) }} as age_microseconds
    from {{ ref('int_tokens__asset_use_daily') }}
    where price_basis = 'market' and held_as is not null
)

select
    as_of_date,
    'asset' as subject_type,
    asset as subject_id,
    asset,
    'newest price of ' || {{ second_text('priced_at') }} as observed,
    'at most ' || {{ amount_text(policy('prices.max_age_hours')) }} || ' hours before the end of the day' as expected,
    cast(case when held_as = 'owed' then owed_usd else reserve_usd end as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the newest price of ' || asset || ' was '
    || ({{ whole_quotient('age_microseconds', 3600000000) }}) || ' hours old; '
    || case
        when held_as = 'owed' then {{ amount_text('owed_usd') }} || ' USD owed are valued at it.'
        else {{ amount_text('reserve_usd') }} || ' USD of reserves are valued at it.'
    end as message,
    {{ mart_evidence('fct_price_daily', {'as_of_date': 'as_of_date', 'asset': 'asset'}) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    case when held_as = 'reserve' then 'warning' end as severity
from uses
where age_microseconds > {{ policy('prices.max_age_hours') }} * 3600000000
