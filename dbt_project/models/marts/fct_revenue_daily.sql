with revenue as (
    select
        revenue_date,
        revenue_type,
        payer_relation,
        asset,
        is_own_token,
        is_backdated,
        price_usd,
        sale_unit_usd,
        sum(quantity) as quantity
    from {{ ref('int_revenue__daily') }}
    group by revenue_date, revenue_type, payer_relation, asset, is_own_token, is_backdated, price_usd, sale_unit_usd
)

select
    revenue_date,
    revenue_type,
    payer_relation,
    asset,
    is_own_token,
    is_backdated,
    cast(quantity as decimal(38, 18)) as quantity,
    {{ value_usd('quantity', 'price_usd') }} as value_usd,
    {{ value_usd('quantity', 'sale_unit_usd') }} as liquidation_value_usd,
    case
        when is_backdated then 'backdated'
        when payer_relation <> 'customer' then 'affiliate'
        when is_own_token then 'own_token'
        else 'kept'
    end as waterfall_step
from revenue
