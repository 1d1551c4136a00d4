with prices as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__daily_price') }}
),

tokens as (
    select
        asset,
        asset_class,
        coalesce(nullif(trim(in_kind_group), ''), asset) as in_kind_group
    from {{ ref('stg_landing__tokens') }}
),

own_tokens as (
    select
        as_of_date,
        asset,
        reason,
        mark_value_usd,
        sold_usd,
        impact,
        pool_quantity,
        average_daily_volume_usd
    from {{ ref('int_tokens__own_token_daily') }}
),

not_redeemable as (
    select distinct list_item.item as asset
    from {{ source('policy', 'list_item') }} as list_item
    where list_item.name = 'coverage.not_redeemable'
),

haircuts as (
    select
        list_item.item as asset_class,
        list_item.value as haircut_pct
    from {{ source('policy', 'list_item') }} as list_item
    where list_item.name = 'collateral.haircut_pct'
),

assets as (
    select
        prices.as_of_date,
        prices.asset,
        tokens.asset_class,
        prices.price_usd,
        own_tokens.asset is not null as is_own_token,
        own_tokens.reason as own_token_reason,
        own_tokens.mark_value_usd,
        own_tokens.sold_usd,
        own_tokens.impact,
        own_tokens.pool_quantity,
        own_tokens.average_daily_volume_usd,
        -- A group named after an own token is that token's alone.
        case
            when own_tokens.asset is not null or own_references.asset is not null or not_redeemable.asset is not null
                then prices.asset
            else tokens.in_kind_group
        end as in_kind_group,
        haircuts.haircut_pct
    from prices
    inner join tokens on prices.asset = tokens.asset
    left join own_tokens on prices.as_of_date = own_tokens.as_of_date and prices.asset = own_tokens.asset
    left join own_tokens as own_references
        on prices.as_of_date = own_references.as_of_date and tokens.in_kind_group = own_references.asset
    left join not_redeemable on prices.asset = not_redeemable.asset
    left join haircuts on tokens.asset_class = haircuts.asset_class
),

valued as (
    select
        assets.as_of_date,
        assets.asset,
        assets.asset_class,
        assets.price_usd,
        assets.is_own_token,
        assets.own_token_reason,
        assets.in_kind_group,
        case when assets.in_kind_group = 'USD' then 1 else reference_prices.price_usd end as reference_price_usd,
        assets.haircut_pct,
        case
            when not assets.is_own_token or assets.price_usd is null then null
            -- A pool sold whole fetches its price less the impact; divided by the units of a speck of dust, proceeds
            -- that are rounded to 8 places would be worth nothing.
            when
                assets.pool_quantity > 0
                and assets.average_daily_volume_usd > 0
                and assets.sold_usd = assets.mark_value_usd
                then {{ exact_ratio(exact_product('assets.price_usd', '(3 - 2 * assets.impact)'), '3', scale=18) }}
            when assets.pool_quantity > 0
                then {{ exact_ratio(
                    exact_product('assets.sold_usd', '(3 - 2 * assets.impact)'),
                    '(3 * assets.pool_quantity)',
                    scale=18
                ) }}
            when assets.average_daily_volume_usd > 0 then assets.price_usd
            else 0
        end as liquidation_unit_usd
    from assets
    left join prices as reference_prices
        on assets.as_of_date = reference_prices.as_of_date and assets.in_kind_group = reference_prices.asset
)

select
    as_of_date,
    asset,
    asset_class,
    cast(price_usd as decimal(38, 18)) as price_usd,
    is_own_token,
    own_token_reason,
    in_kind_group,
    cast(reference_price_usd as decimal(38, 18)) as reference_price_usd,
    cast(haircut_pct as decimal(38, 18)) as haircut_pct,
    cast(liquidation_unit_usd as decimal(38, 18)) as liquidation_unit_usd,
    cast(
        case
            when is_own_token then liquidation_unit_usd
            else {{ exact_product('price_usd', '(1 - haircut_pct * 0.01)') }}
        end as decimal(38, 18)
    ) as collateral_unit_usd
from valued
