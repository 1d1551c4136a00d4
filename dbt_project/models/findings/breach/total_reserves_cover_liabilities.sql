with solvency as (
    select
        as_of_date,
        customer_liabilities_usd,
        net_gap_usd,
        in_kind_shortfall_usd,
        unpriced_assets
    from {{ ref('fct_solvency_daily') }}
    where net_gap_usd < 0
)

select
    as_of_date,
    'exchange' as subject_type,
    'exchange' as subject_id,
    cast(null as string) as asset,
    'net gap of ' || {{ amount_text('net_gap_usd') }} || ' USD' as observed,
    'zero or more' as expected,
    cast(-net_gap_usd as decimal(38, 8)) as impact_usd,
    'On ' || as_of_date || ' the exchange was ' || {{ amount_text('-net_gap_usd') }}
    || ' USD short of what it owed customers, even if every surplus in another asset than its own tokens was sold;'
    || ' in kind ' || {{ amount_text('in_kind_shortfall_usd') }} || ' USD were missing'
    || case when unpriced_assets > 0 then ', and ' || unpriced_assets || ' assets have no price' else '' end || '.'
        as message,
    {{ mart_evidence('fct_solvency_daily', {'as_of_date': 'as_of_date'}) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from solvency
