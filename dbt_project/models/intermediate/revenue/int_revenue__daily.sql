with payments as (
    select
        revenue_date,
        revenue_type,
        payer_relation,
        asset,
        is_backdated,
        cast(known_at as date) as known_date,
        sum(quantity) as quantity
    from {{ ref('int_revenue__payment') }}
    group by revenue_date, revenue_type, payer_relation, asset, is_backdated, cast(known_at as date)
),

assets as (
    select
        as_of_date,
        asset,
        price_usd,
        is_own_token,
        liquidation_unit_usd
    from {{ ref('int_tokens__asset_daily') }}
)

select
    payments.revenue_date,
    payments.revenue_type,
    payments.payer_relation,
    payments.asset,
    coalesce(assets.is_own_token, false) as is_own_token,
    payments.is_backdated,
    payments.known_date,
    cast(payments.quantity as decimal(38, 18)) as quantity,
    assets.price_usd,
    case when assets.is_own_token then assets.liquidation_unit_usd else assets.price_usd end as sale_unit_usd
from payments
left join assets on payments.revenue_date = assets.as_of_date and payments.asset = assets.asset
