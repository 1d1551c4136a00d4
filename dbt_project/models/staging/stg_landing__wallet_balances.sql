with arrived as (
    select
        wallet_id,
        asset,
        balance,
        as_of,
        block_height,
        partition_date,
        source_file,
        source_row,
        accepted_load_number,
        cast(partition_date as timestamp) as known_at,
        least(cast(as_of as date), partition_date) as as_of_date
    from {{ source('landing', 'wallet_balances') }}
)

select
    wallet_id,
    asset,
    balance,
    as_of,
    block_height,
    partition_date,
    source_file,
    source_row,
    accepted_load_number,
    known_at,
    as_of_date
from arrived
where known_at < {{ run_value('knowledge_at') }}
