with arrived as (
    select
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        effective_at,
        recorded_at,
        reference,
        memo,
        partition_date,
        source_file,
        source_row,
        accepted_load_number,
        greatest(recorded_at, cast(partition_date as timestamp)) as known_at,
        cast(effective_at as date) as effective_date
    from {{ source('landing', 'ledger_entries') }}
)

select
    entry_id,
    transaction_id,
    account_id,
    asset,
    amount,
    entry_type,
    effective_at,
    recorded_at,
    reference,
    memo,
    partition_date,
    source_file,
    source_row,
    accepted_load_number,
    known_at,
    effective_date
from arrived
where known_at < {{ run_value('knowledge_at') }}
