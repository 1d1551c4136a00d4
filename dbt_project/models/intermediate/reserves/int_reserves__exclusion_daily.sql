with allocations as (
    select
        as_of_date,
        wallet_id,
        asset,
        balance,
        own_token_quantity,
        encumbered_quantity,
        reason
    from {{ ref('int_reserves__allocation_daily') }}
),

silent_balances as (
    select
        as_of_date,
        wallet_id,
        asset,
        last_balance
    from {{ ref('int_reserves__silent_balance_daily') }}
    where is_registered
),

parities as (
    select
        as_of_date,
        asset,
        in_kind_group,
        is_own_token,
        price_usd,
        parity_ratio,
        parity_ratio_rest
    from {{ ref('int_reserves__parity_daily') }}
),

excluded as (
    select
        as_of_date,
        wallet_id,
        asset,
        last_balance as quantity,
        'no_balance' as reason
    from silent_balances
    union all
    select
        as_of_date,
        wallet_id,
        asset,
        balance as quantity,
        reason
    from allocations
    where reason is not null
    union all
    select
        as_of_date,
        wallet_id,
        asset,
        own_token_quantity as quantity,
        'own_token' as reason
    from allocations
    union all
    select
        as_of_date,
        wallet_id,
        asset,
        encumbered_quantity as quantity,
        'encumbered' as reason
    from allocations
)

select
    excluded.as_of_date,
    excluded.wallet_id,
    excluded.asset,
    coalesce(parities.in_kind_group, excluded.asset) as in_kind_group,
    coalesce(parities.is_own_token, false) as is_own_token,
    excluded.quantity,
    {{ reference_quantity(
        'excluded.quantity', 'coalesce(parities.parity_ratio, 1)', 'coalesce(parities.parity_ratio_rest, 0)'
    ) }} as reference_quantity,
    {{ value_usd('excluded.quantity', 'parities.price_usd') }} as value_usd,
    excluded.reason
from excluded
left join parities on excluded.as_of_date = parities.as_of_date and excluded.asset = parities.asset
where excluded.quantity <> 0
