with touched_transactions as (
    select distinct transaction_id
    from {{ ref('int_plan__new_entry') }}
)

select
    entries.entry_id,
    entries.transaction_id,
    entries.account_id,
    entries.asset,
    entries.amount,
    entries.entry_type,
    entries.effective_at,
    entries.effective_date,
    entries.reference,
    entries.partition_date,
    entries.known_at
from {{ ref('stg_landing__ledger_entries') }} as entries
semi join touched_transactions on entries.transaction_id = touched_transactions.transaction_id
