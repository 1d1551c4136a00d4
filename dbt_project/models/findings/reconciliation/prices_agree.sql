with prices as (
    select
        as_of_date,
        asset,
        price_usd,
        spread_min_usd,
        spread_max_usd,
        spread_pct,
        sources
    from {{ ref('fct_price_daily') }}
    where sources > 1
),

uses as (
    select
        as_of_date,
        asset,
        owed_quantity,
        reserve_quantity
    from {{ ref('int_tokens__asset_use_daily') }}
),

settings as (
    select {{ policy('prices.max_spread_pct') }} * 0.01 as max_spread
),

apart as (
    select
        prices.as_of_date,
        prices.asset,
        prices.spread_min_usd,
        prices.spread_max_usd,
        prices.spread_pct,
        prices.sources,
        greatest(uses.owed_quantity, uses.reserve_quantity) as quantity
    from prices
    cross join settings
    inner join uses on prices.as_of_date = uses.as_of_date and prices.asset = uses.asset
    where
        prices.spread_max_usd - prices.spread_min_usd
        > {{ exact_product('prices.price_usd', 'settings.max_spread') }}
)

select
    as_of_date,
    'asset' as subject_type,
    asset as subject_id,
    asset,
    {{ amount_text('spread_pct') }} || ' %' as observed,
    'at most ' || {{ amount_text(policy('prices.max_spread_pct')) }} || ' %' as expected,
    {{ value_usd('quantity', '(spread_max_usd - spread_min_usd)') }} as impact_usd,
    'On ' || as_of_date || ' ' || sources || ' sources price ' || asset || ' between '
    || {{ amount_text('spread_min_usd') }} || ' and ' || {{ amount_text('spread_max_usd') }} || ' USD.' as message,
    {{ mart_evidence('fct_price_daily', {'as_of_date': 'as_of_date', 'asset': 'asset'}) }} as evidence,
    {{ day_end('as_of_date') }} as known_since,
    cast(null as string) as severity
from apart
