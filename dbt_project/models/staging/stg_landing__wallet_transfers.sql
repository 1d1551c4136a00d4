with arrived as (
    select
        transfer_id,
        wallet_id,
        counterparty_address,
        counterparty_wallet_id,
        asset,
        amount,
        transfer_type,
        block_time,
        recorded_at,
        partition_date,
        source_file,
        source_row,
        accepted_load_number,
        greatest(recorded_at, cast(partition_date as timestamp)) as known_at,
        cast(block_time as date) as block_date
    from {{ source('landing', 'wallet_transfers') }}
)

select
    transfer_id,
    wallet_id,
    counterparty_address,
    counterparty_wallet_id,
    asset,
    amount,
    transfer_type,
    block_time,
    recorded_at,
    partition_date,
    source_file,
    source_row,
    accepted_load_number,
    known_at,
    block_date
from arrived
where known_at < {{ run_value('knowledge_at') }}
