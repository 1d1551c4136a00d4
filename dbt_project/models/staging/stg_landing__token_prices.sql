with arrived as (
    select
        asset,
        price_usd,
        volume_usd,
        as_of,
        source,
        partition_date,
        source_file,
        source_row,
        cast(partition_date as timestamp) as known_at,
        cast(as_of as date) as as_of_date
    from {{ source('landing', 'token_prices') }}
)

select
    asset,
    price_usd,
    volume_usd,
    as_of,
    source,
    partition_date,
    source_file,
    source_row,
    known_at,
    as_of_date
from arrived
where known_at < {{ run_value('knowledge_at') }}
