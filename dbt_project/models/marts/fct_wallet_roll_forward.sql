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
    as_of_date,
    wallet_id,
    asset,
    as_of,
    previous_as_of,
    previous_balance,
    moved,
    balance,
    unexplained,
    unexplained_usd,
    case
        when unexplained_usd is not null then abs(unexplained_usd) <= {{ policy('reconciliation.roll_forward_usd') }}
        else abs(unexplained) < {{ policy('dust.unpriced_units') }}
    end as is_within_tolerance
from valued
