with exclusions as (
    select
        as_of_date,
        wallet_id,
        asset,
        quantity,
        value_usd,
        reason,
        in_kind_group,
        reference_quantity
    from {{ ref('int_reserves__exclusion_daily') }}
)

select
    as_of_date,
    wallet_id,
    asset,
    quantity,
    value_usd,
    reason,
    in_kind_group,
    reference_quantity
from exclusions
