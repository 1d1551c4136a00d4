with allocations as (
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        is_own_token,
        custody,
        price_usd,
        parity_ratio,
        parity_ratio_rest,
        balance,
        eligible_quantity,
        reason
    from {{ ref('int_reserves__allocation_daily') }}
)

select
    as_of_date,
    wallet_id,
    asset,
    in_kind_group,
    is_own_token,
    custody,
    price_usd,
    balance,
    eligible_quantity,
    {{ reference_quantity('eligible_quantity', 'parity_ratio', 'parity_ratio_rest') }}
        as eligible_reference_quantity,
    {{ value_usd('eligible_quantity', 'price_usd') }} as eligible_usd,
    reason
from allocations
