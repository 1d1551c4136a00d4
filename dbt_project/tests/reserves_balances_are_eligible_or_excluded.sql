-- Prevents: a part of a balance that neither counts for customers nor is excluded with a reason, or that is both. Fails
-- with the wallets whose balance isn't its eligible part plus its exclusions.
with balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        eligible_quantity
    from {{ ref('fct_reserve_balance_daily') }}
),

exclusions as (
    select
        as_of_date,
        wallet_id,
        asset,
        sum(quantity) as quantity
    from {{ ref('fct_reserve_exclusion_daily') }}
    where reason <> 'no_balance'
    group by as_of_date, wallet_id, asset
)

select
    balances.balance,
    balances.eligible_quantity,
    exclusions.quantity as excluded_quantity,
    coalesce(balances.as_of_date, exclusions.as_of_date) as as_of_date,
    coalesce(balances.wallet_id, exclusions.wallet_id) as wallet_id,
    coalesce(balances.asset, exclusions.asset) as asset
from balances
full join exclusions
    on
        balances.as_of_date = exclusions.as_of_date
        and balances.wallet_id = exclusions.wallet_id
        and balances.asset = exclusions.asset
where balances.balance is distinct from balances.eligible_quantity + coalesce(exclusions.quantity, 0)
