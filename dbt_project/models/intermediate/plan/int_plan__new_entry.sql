with plan as (
    select
        is_whole,
        built_load_number,
        built_knowledge_at
    from {{ source('policy', 'build_plan') }}
)

select
    entries.entry_id,
    entries.transaction_id,
    entries.account_id,
    entries.asset,
    entries.amount,
    entries.effective_at,
    entries.effective_date
from {{ ref('stg_landing__ledger_entries') }} as entries
cross join plan
where
    not plan.is_whole
    and (entries.accepted_load_number > plan.built_load_number or entries.known_at >= plan.built_knowledge_at)
