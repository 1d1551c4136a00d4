with arrived as (
    select
        asset,
        as_of,
        bid_depth_2pct_usd,
        volume_30d_avg_usd,
        volatility_30d,
        source,
        partition_date,
        source_file,
        source_row,
        cast(partition_date as timestamp) as known_at,
        least(cast(as_of as date), partition_date) as as_of_date
    from {{ source('landing', 'market_depth') }}
)

select
    asset,
    as_of,
    bid_depth_2pct_usd,
    volume_30d_avg_usd,
    volatility_30d,
    source,
    partition_date,
    source_file,
    source_row,
    known_at,
    as_of_date
from arrived
where known_at < {{ run_value('knowledge_at') }}
