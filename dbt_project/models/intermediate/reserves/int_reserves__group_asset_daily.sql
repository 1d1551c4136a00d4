with balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        network,
        normalised_address,
        owner_relation
    from {{ ref('int_reserves__wallet_balance_daily') }}
),

parities as (
    select
        as_of_date,
        asset,
        is_own_token,
        price_usd
    from {{ ref('int_reserves__parity_daily') }}
),

-- A place listed under several wallets holds its coins once.
counted_once as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance
    from balances
    where owner_relation in ('operator', 'affiliate')
    qualify
        row_number() over (
            partition by as_of_date, network, normalised_address, asset
            order by balance desc, wallet_id asc
        ) = 1
)

select
    counted_once.as_of_date,
    counted_once.wallet_id,
    counted_once.asset,
    counted_once.balance,
    coalesce(parities.is_own_token, false) as is_own_token,
    {{ value_usd('counted_once.balance', 'parities.price_usd') }} as balance_usd
from counted_once
left join parities on counted_once.as_of_date = parities.as_of_date and counted_once.asset = parities.asset
