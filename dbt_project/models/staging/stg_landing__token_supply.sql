with arrived as (
    select
        asset,
        as_of,
        circulating,
        total,
        partition_date,
        source_file,
        source_row,
        cast(partition_date as timestamp) as known_at,
        least(cast(as_of as date), partition_date) as as_of_date
    from {{ source('landing', 'token_supply') }}
)

select
    asset,
    as_of,
    circulating,
    total,
    partition_date,
    source_file,
    source_row,
    known_at,
    as_of_date
from arrived
where known_at < {{ run_value('knowledge_at') }}
