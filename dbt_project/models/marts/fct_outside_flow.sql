with flows as (
    select
        reference,
        asset,
        wallet_id,
        transfer_type,
        transfer_amount,
        entry_amount,
        entries,
        block_date,
        first_effective_date,
        last_effective_date,
        transfer_known_at,
        entries_known_at
    from {{ ref('int_reserves__outside_flow') }}
)

select
    reference,
    asset,
    wallet_id,
    transfer_type,
    transfer_amount,
    entry_amount,
    entries,
    block_date,
    first_effective_date,
    last_effective_date,
    transfer_known_at,
    entries_known_at
from flows
