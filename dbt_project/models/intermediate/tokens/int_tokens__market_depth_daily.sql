with days as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

own_venues as (
    select source_name
    from {{ ref('int_tokens__own_venue') }}
),

independent as (
    select
        depth.asset,
        depth.source,
        depth.as_of,
        depth.volume_30d_avg_usd,
        depth.volatility_30d,
        cast(depth.as_of as date) as from_date
    from {{ ref('stg_landing__market_depth') }} as depth
    anti join own_venues on lower(trim(depth.source)) = own_venues.source_name
),

last_of_day as (
    select
        asset,
        source,
        from_date,
        volume_30d_avg_usd,
        volatility_30d,
        lead(from_date) over (partition by asset, source order by from_date) as to_date
    from (
        select *
        from independent
        qualify row_number() over (partition by asset, source, from_date order by as_of desc) = 1
    )
),

daily_sources as (
    select
        days.as_of_date,
        last_of_day.asset,
        greatest(last_of_day.volume_30d_avg_usd, 0) as volume_30d_avg_usd,
        last_of_day.volatility_30d
    from last_of_day
    inner join days
        on
            last_of_day.from_date <= days.as_of_date
            and (last_of_day.to_date is null or days.as_of_date < last_of_day.to_date)
    where last_of_day.volume_30d_avg_usd is not null
)

select
    as_of_date,
    asset,
    volume_30d_avg_usd as average_daily_volume_usd,
    volatility_30d as volatility
from daily_sources
qualify row_number() over (
    partition by as_of_date, asset order by volume_30d_avg_usd, volatility_30d desc nulls first
) = 1
