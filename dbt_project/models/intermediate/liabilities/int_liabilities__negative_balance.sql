{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_from',
        meta={'recomputed_from': {'scope': 'int_plan__scope', 'column': 'first_balance_date', 'key': 'as_of_date'}},
    )
}}

with negative_intervals as (
    select
        balance_change.account_id,
        balance_change.asset,
        balance_change.balance,
        greatest(balance_change.effective_date, {{ scope_value('first_balance_date') }}) as from_date,
        least(balance_change.next_effective_date, {{ run_value('calendar_last_date') }} + 1) as to_date
    from {{ ref('int_liabilities__balance_change') }} as balance_change
    where balance_change.balance < 0
),

daily as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        account_id,
        asset,
        balance
    from negative_intervals
    where from_date < to_date
)

select
    as_of_date,
    account_id,
    asset,
    balance
from daily
