with new_balances as (
    {{ new_rows(ref('stg_landing__wallet_balances'), ['as_of', 'as_of_date']) }}
),

new_balance_times as (
    select
        min(as_of) as first_as_of,
        min(as_of_date) as first_date
    from new_balances
),

new_transfers as (
    select min(block_time) as first_block_time
    from {{ ref('int_plan__new_transfer') }}
),

-- What a register says anew holds from the beginning of the version at the earliest.
new_versions as (
    select cast(min(valid_from) as date) as first_date
    from {{ ref('stg_landing__wallets') }}
    where
        not {{ plan_value('is_whole') }}
        and (
            accepted_load_number > {{ plan_value('built_load_number') }}
            or recorded_at >= {{ plan_value('built_knowledge_at') }}
        )
)

select
    least(new_balance_times.first_date, new_versions.first_date) as first_party_date,
    least(new_balance_times.first_as_of, new_transfers.first_block_time) as first_roll_forward_at
from new_balance_times
cross join new_transfers
cross join new_versions
