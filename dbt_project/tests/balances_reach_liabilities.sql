-- Prevents: a liability that grows or shrinks when an account changes its relation, or when a sum is netted. Fails with
-- the assets and days on which liabilities less receivables over all relations aren't the sum of the ledger's changes.
with calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

changes as (
    select
        asset,
        greatest(effective_date, {{ run_value('landing_first_date') }}) as as_of_date,
        sum(change) as change
    from {{ ref('int_liabilities__balance_change') }}
    where effective_date <= {{ run_value('calendar_last_date') }}
    group by asset, greatest(effective_date, {{ run_value('landing_first_date') }})
),

balances as (
    select
        calendar.as_of_date,
        changes.asset,
        sum(changes.change) as amount
    from calendar
    inner join changes on calendar.as_of_date >= changes.as_of_date
    group by calendar.as_of_date, changes.asset
),

liabilities as (
    select
        as_of_date,
        asset,
        sum(liability) - sum(receivable) as amount
    from {{ ref('fct_customer_liability_daily') }}
    group by as_of_date, asset
)

select
    coalesce(balances.as_of_date, liabilities.as_of_date) as as_of_date,
    coalesce(balances.asset, liabilities.asset) as asset,
    balances.amount as balance_amount,
    liabilities.amount as liability_amount
from balances
full join liabilities on balances.as_of_date = liabilities.as_of_date and balances.asset = liabilities.asset
where coalesce(balances.amount, 0) <> coalesce(liabilities.amount, 0)
