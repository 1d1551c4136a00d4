with wallet_balances as (
    select
        as_of_date,
        asset,
        network,
        normalised_address,
        owner_relation,
        purpose,
        balance
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

ledger_totals as (
    select
        as_of_date,
        asset,
        liability
    from {{ ref('int_liabilities__daily_total') }}
    where relation = 'affiliate'
),

-- Two wallets at one address show the same coins twice.
coins_once as (
    select
        as_of_date,
        asset,
        max(balance) as quantity
    from wallet_balances
    where
        (owner_relation = 'operator' and purpose = 'house')
        or (owner_relation = 'affiliate' and purpose <> 'customer')
    group by as_of_date, asset, network, normalised_address
),

holdings as (
    select
        as_of_date,
        asset,
        quantity
    from coins_once
    union all
    select
        as_of_date,
        asset,
        liability as quantity
    from ledger_totals
)

select
    as_of_date,
    asset,
    cast(sum(quantity) as decimal(38, 18)) as group_holding
from holdings
group by as_of_date, asset
