with own_tokens as (
    select *
    from {{ ref('int_tokens__own_token_daily') }}
),

assets as (
    select
        as_of_date,
        asset,
        liquidation_unit_usd
    from {{ ref('int_tokens__asset_daily') }}
)

select
    own_tokens.as_of_date,
    own_tokens.asset,
    own_tokens.reason,
    own_tokens.price_usd,
    own_tokens.circulating,
    own_tokens.group_holding,
    own_tokens.group_share_pct,
    own_tokens.pool_quantity,
    own_tokens.average_daily_volume_usd,
    own_tokens.volatility,
    own_tokens.sold_usd,
    own_tokens.impact,
    own_tokens.liquidation_value_usd,
    own_tokens.mark_value_usd,
    assets.liquidation_unit_usd
from own_tokens
inner join assets on own_tokens.as_of_date = assets.as_of_date and own_tokens.asset = assets.asset
