-- Prevents: a wallet's balance that gets lost or multiplied on the way, by a version of the wallet that isn't valid
-- that day or two that are. Fails with the days and assets on which closing balances aren't those that were delivered.
with delivered as (
    select
        as_of_date,
        wallet_id,
        asset,
        max_by(balance, as_of) as balance
    from {{ ref('stg_landing__wallet_balances') }}
    where as_of_date between {{ run_value('landing_first_date') }} and {{ run_value('calendar_last_date') }}
    group by as_of_date, wallet_id, asset
),

delivered_totals as (
    select
        as_of_date,
        asset,
        count(*) as wallets,
        sum(balance) as amount
    from delivered
    group by as_of_date, asset
),

mart_totals as (
    select
        as_of_date,
        asset,
        count(*) as wallets,
        sum(balance) as amount
    from {{ ref('fct_reserve_balance_daily') }}
    group by as_of_date, asset
)

select
    delivered_totals.amount as delivered_amount,
    mart_totals.amount as mart_amount,
    coalesce(delivered_totals.as_of_date, mart_totals.as_of_date) as as_of_date,
    coalesce(delivered_totals.asset, mart_totals.asset) as asset
from delivered_totals
full join mart_totals
    on delivered_totals.as_of_date = mart_totals.as_of_date and delivered_totals.asset = mart_totals.asset
where
    delivered_totals.amount is distinct from mart_totals.amount
    or delivered_totals.wallets is distinct from mart_totals.wallets
