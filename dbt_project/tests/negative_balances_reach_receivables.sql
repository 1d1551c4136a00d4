-- Prevents: a negative balance that no list shows, or that a total hides. Fails with the assets, relations and days on
-- which the listed negative balances aren't what the liability table calls receivable.
with negative_balances as (
    select
        as_of_date,
        asset,
        relation,
        -sum(balance) as amount
    from {{ ref('fct_negative_balance_daily') }}
    group by as_of_date, asset, relation
),

receivables as (
    select
        as_of_date,
        asset,
        relation,
        receivable as amount
    from {{ ref('fct_customer_liability_daily') }}
    where receivable <> 0
)

select
    coalesce(negative_balances.as_of_date, receivables.as_of_date) as as_of_date,
    coalesce(negative_balances.asset, receivables.asset) as asset,
    coalesce(negative_balances.relation, receivables.relation) as relation,
    negative_balances.amount as listed_amount,
    receivables.amount as receivable_amount
from negative_balances
full join receivables
    on
        negative_balances.as_of_date = receivables.as_of_date
        and negative_balances.asset = receivables.asset
        and negative_balances.relation = receivables.relation
where negative_balances.amount is distinct from receivables.amount
