with prices as (
    select
        as_of_date,
        asset,
        price_usd,
        priced_at,
        sources,
        spread_min_usd,
        spread_max_usd,
        only_own_venue,
        price_basis
    from {{ ref('int_tokens__daily_price') }}
),

days as (
    select
        as_of_date,
        day_end
    from {{ ref('int_time__day') }}
)

select
    prices.as_of_date,
    prices.asset,
    prices.price_usd,
    prices.price_basis,
    prices.priced_at,
    cast(
        cast({{ whole_quotient(microseconds_between('prices.priced_at', 'days.day_end'), 36000000) }} as decimal(20, 0))
        * 0.01
        as decimal(20, 2)
    ) as price_age_hours,
    cast(prices.sources as bigint) as sources,
    prices.spread_min_usd,
    prices.spread_max_usd,
    cast(
        {{ exact_ratio('(prices.spread_max_usd - prices.spread_min_usd)', 'prices.price_usd', scale=10) }} * 100
        as decimal(38, 8)
    ) as spread_pct,
    prices.only_own_venue
from prices
inner join days on prices.as_of_date = days.as_of_date
