with days as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

own_venues as (
    select source_name
    from {{ ref('int_tokens__own_venue') }}
),

last_of_day as (
    select
        stated.asset,
        stated.source,
        stated.volume_30d_avg_usd,
        stated.volatility_30d,
        stated.as_of_date as from_date
    from {{ ref('stg_landing__market_depth') }} as stated
    anti join own_venues on lower(trim(stated.source)) = own_venues.source_name
    qualify
        row_number() over (
            partition by stated.asset, stated.source, stated.as_of_date order by stated.as_of desc
        ) = 1
),

source_intervals as (
    select
        asset,
        from_date,
        volume_30d_avg_usd,
        volatility_30d,
        lead(from_date) over (partition by asset, source order by from_date) as to_date
    from last_of_day
),

daily_sources as (
    select
        days.as_of_date,
        source_intervals.asset,
        greatest(source_intervals.volume_30d_avg_usd, 0) as volume_30d_avg_usd,
        source_intervals.volatility_30d
    from days
    inner join source_intervals
        on
            days.as_of_date >= source_intervals.from_date
            and (source_intervals.to_date is null or days.as_of_date < source_intervals.to_date)
    where source_intervals.volume_30d_avg_usd is not null
)

select
    as_of_date,
    asset,
    volume_30d_avg_usd as average_daily_volume_usd,
    volatility_30d as volatility
from daily_sources
qualify row_number() over (
    partition by as_of_date, asset order by volume_30d_avg_usd asc, volatility_30d desc nulls first
) = 1
