{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_from',
        meta={'recomputed_from': {'scope': 'int_plan__scope', 'column': 'first_balance_date', 'key': 'first_as_of_date'}},
    )
}}

with day_changes as (
    select
        account_id,
        asset,
        effective_date,
        balance,
        balance - change as balance_before_day,
        greatest(effective_date, {{ run_value('landing_first_date') }}) as first_as_of_date
    from {{ ref('int_liabilities__balance_change') }}
    where balance < 0
),

starts as (
    select
        account_id,
        asset,
        effective_date,
        first_as_of_date,
        balance_before_day,
        coalesce(effective_date > {{ plan_value('built_last_date') }}, false) as is_on_new_day
    from day_changes
    where balance_before_day >= 0 and first_as_of_date >= {{ scope_value('first_balance_date') }}
),

-- No entry is delivered before the day it is effective on: for a new day, what was delivered until then needs no look.
-- The constants let the database skip the blocks that hold it.
postings as (
    {%- for entries_condition, starts_condition in [
        ("not " ~ plan_value('is_whole') ~ " and entries.partition_date > " ~ plan_value('built_last_date'),
            "starts.is_on_new_day"),
        ("true", "not starts.is_on_new_day"),
    ] %}
        select
            starts.first_as_of_date,
            starts.balance_before_day,
            entries.entry_id,
            entries.transaction_id,
            entries.account_id,
            entries.asset,
            entries.amount,
            entries.entry_type,
            entries.effective_at,
            entries.effective_date,
            entries.known_at,
            entries.reference
        from {{ ref('stg_landing__ledger_entries') }} as entries
        inner join starts
            on
                entries.account_id = starts.account_id
                and entries.asset = starts.asset
                and entries.effective_date = starts.effective_date
        where {{ entries_condition }} and {{ starts_condition }}
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

running as (
    select
        first_as_of_date,
        entry_id,
        transaction_id,
        account_id,
        asset,
        amount,
        entry_type,
        effective_at,
        effective_date,
        known_at,
        reference,
        balance_before_day + sum(amount) over (
            partition by account_id, asset, effective_date
            order by effective_at, entry_id
            rows between unbounded preceding and current row
        ) as balance_after
    from postings
)

-- Within the day a balance may have gone to and fro: the last entry that took it below zero left it there.
select
    account_id,
    asset,
    effective_date,
    first_as_of_date,
    entry_id,
    transaction_id,
    entry_type,
    cast(amount as decimal(38, 18)) as amount,
    effective_at,
    known_at,
    reference,
    cast(balance_after - amount as decimal(38, 18)) as balance_before,
    cast(balance_after as decimal(38, 18)) as balance_after
from running
where balance_after < 0 and balance_after - amount >= 0
qualify
    row_number() over (
        partition by account_id, asset, effective_date
        order by effective_at desc, entry_id desc
    ) = 1
