with run_context as (
    select
        landing_first_date,
        calendar_last_date
    from {{ source('policy', 'run_context') }}
),

negative_intervals as (
    select
        balance_change.account_id,
        balance_change.asset,
        balance_change.balance,
        greatest(balance_change.effective_date, run_context.landing_first_date) as from_date,
        least(balance_change.next_effective_date, run_context.calendar_last_date + 1) as to_date
    from {{ ref('int_liabilities__balance_change') }} as balance_change
    cross join run_context
    where balance_change.balance < 0
),

daily as (
    select
        from_date + cast(unnest(range(to_date - from_date)) as integer) as as_of_date,
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
