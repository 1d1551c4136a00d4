with eligibility as (
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        custody,
        price_usd,
        balance,
        eligible_quantity,
        eligible_reference_quantity,
        eligible_usd,
        reason
    from {{ ref('int_reserves__eligibility_daily') }}
)

select
    as_of_date,
    wallet_id,
    asset,
    in_kind_group,
    custody,
    balance,
    eligible_quantity,
    eligible_reference_quantity,
    price_usd,
    {{ value_usd('balance', 'price_usd') }} as balance_usd,
    eligible_usd,
    reason
from eligibility
