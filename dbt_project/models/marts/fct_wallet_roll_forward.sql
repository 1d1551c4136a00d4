with roll_forwards as (
    select
        as_of_date,
        wallet_id,
        asset,
        as_of,
        previous_as_of,
        previous_balance,
        moved,
        balance,
        unexplained
    from {{ ref('int_reserves__roll_forward') }}
),

prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

tolerances as (
    {{ stated_tolerances('reconciliation.roll_forward_units_by_asset') }}
),

valued as (
    select
        roll_forwards.as_of_date,
        roll_forwards.wallet_id,
        roll_forwards.asset,
        roll_forwards.as_of,
        roll_forwards.previous_as_of,
        roll_forwards.previous_balance,
        roll_forwards.moved,
        roll_forwards.balance,
        roll_forwards.unexplained,
        {{ value_usd('roll_forwards.unexplained', 'prices.price_usd') }} as unexplained_usd
    from roll_forwards
    left join prices on roll_forwards.as_of_date = prices.as_of_date and roll_forwards.asset = prices.asset
)

select
    valued.as_of_date,
    valued.wallet_id,
    valued.asset,
    valued.as_of,
    valued.previous_as_of,
    valued.previous_balance,
    valued.moved,
    valued.balance,
    valued.unexplained,
    valued.unexplained_usd,
    not {{ exceeds_tolerance(
        'valued.unexplained', 'valued.unexplained_usd', 'tolerances.units', 'reconciliation.roll_forward_usd'
    ) }} as is_within_tolerance
from valued
left join tolerances on valued.asset = tolerances.asset
