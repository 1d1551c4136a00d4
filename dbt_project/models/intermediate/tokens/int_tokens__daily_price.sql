with days as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

assets as (
    select asset
    from {{ ref('stg_landing__tokens') }}
),

dead_assets as (
    select
        asset,
        dead_from
    from {{ ref('dead_asset_price') }}
),

own_venues as (
    select source_name
    from {{ ref('int_tokens__own_venue') }}
),

-- USD is the unit of account: what a source says about it is no price.
last_of_day as (
    select
        asset,
        source,
        as_of_date,
        max(as_of) as as_of,
        max_by(price_usd, as_of) as price_usd,
        max_by(coalesce(volume_usd, 0), as_of) as volume_usd
    from {{ ref('stg_landing__token_prices') }}
    where price_usd > 0 and asset <> 'USD'
    group by asset, source, as_of_date
),

source_intervals as (
    select
        last_of_day.asset,
        last_of_day.source,
        last_of_day.as_of_date as from_date,
        last_of_day.as_of,
        last_of_day.price_usd,
        greatest(last_of_day.volume_usd, 0) as volume_usd,
        own_venues.source_name is not null as is_own_venue,
        lead(last_of_day.as_of_date) over (
            partition by last_of_day.asset, last_of_day.source order by last_of_day.as_of_date
        ) as to_date
    from last_of_day
    left join own_venues on lower(last_of_day.source) = own_venues.source_name
),

daily_sources as (
    select
        days.as_of_date,
        source_intervals.asset,
        source_intervals.source,
        source_intervals.as_of,
        source_intervals.price_usd,
        source_intervals.volume_usd,
        source_intervals.is_own_venue
    from days
    inner join source_intervals
        on
            days.as_of_date >= source_intervals.from_date
            and (source_intervals.to_date is null or days.as_of_date < source_intervals.to_date)
),

-- Sources in order of price, with the volume up to each; equal prices are alike, so their order doesn't matter.
ranked_sources as (
    select
        as_of_date,
        asset,
        as_of,
        price_usd,
        is_own_venue,
        sum(volume_usd) over (
            partition by as_of_date, asset order by price_usd, source rows unbounded preceding
        ) as volume_to_here,
        sum(volume_usd) over (partition by as_of_date, asset) as volume_total,
        row_number() over (partition by as_of_date, asset order by price_usd, source) as source_rank,
        count(*) over (partition by as_of_date, asset) as sources
    from daily_sources
),

weighed_sources as (
    select
        as_of_date,
        asset,
        as_of,
        price_usd,
        is_own_venue,
        case
            when volume_total > 0 then volume_to_here + volume_to_here >= volume_total
            else source_rank = {{ whole_quotient('(sources + 1)', 2) }}
        end as reaches_half
    from ranked_sources
),

market_price as (
    select
        as_of_date,
        asset,
        max(as_of) as priced_at,
        count(*) as sources,
        bool_and(is_own_venue) as only_own_venue,
        min(price_usd) filter (where reaches_half) as price_usd,
        min(price_usd) as spread_min_usd,
        max(price_usd) as spread_max_usd
    from weighed_sources
    group by as_of_date, asset
),

-- A review prices a dead asset at zero until a market proves it wrong with a newer price.
priced as (
    select
        days.as_of_date,
        assets.asset,
        market_price.priced_at,
        market_price.sources,
        market_price.only_own_venue,
        market_price.price_usd,
        market_price.spread_min_usd,
        market_price.spread_max_usd,
        case
            when assets.asset = 'USD' then 'numeraire'
            when
                dead_assets.dead_from <= days.as_of_date
                and (market_price.priced_at is null or market_price.priced_at < dead_assets.dead_from)
                then 'reviewed_zero'
            when market_price.price_usd is not null then 'market'
        end as price_basis
    from days
    cross join assets
    left join market_price
        on days.as_of_date = market_price.as_of_date and assets.asset = market_price.asset
    left join dead_assets on assets.asset = dead_assets.asset
)

select
    as_of_date,
    asset,
    cast(
        case price_basis
            when 'numeraire' then 1
            when 'reviewed_zero' then 0
            else price_usd
        end as decimal(38, 18)
    ) as price_usd,
    case when price_basis = 'market' then priced_at end as priced_at,
    case when price_basis = 'market' then spread_min_usd end as spread_min_usd,
    case when price_basis = 'market' then spread_max_usd end as spread_max_usd,
    case when price_basis = 'market' then sources else 0 end as sources,
    coalesce(price_basis = 'market' and only_own_venue, false) as only_own_venue,
    price_basis
from priced
