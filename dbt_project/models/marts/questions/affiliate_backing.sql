{#- A table: an exact ratio takes lambdas, and a view with them can't be copied from one published file to the next. -#}
{{ config(materialized='table') }}

with balances as (
    select
        as_of_date,
        entity_id,
        asset,
        is_own_token,
        balance,
        collateral_mark_usd,
        collateral_haircut_usd,
        collateral_liquidation_usd
    from {{ published(ref('fct_affiliate_balance_daily')) }}
    where balance > 0
),

backing as (
    select
        as_of_date,
        entity_id,
        asset,
        is_own_token,
        cast(sum(balance) as decimal(38, 18)) as quantity,
        cast(sum(collateral_mark_usd) as decimal(38, 8)) as collateral_mark_usd,
        cast(sum(collateral_haircut_usd) as decimal(38, 8)) as collateral_haircut_usd,
        cast(sum(collateral_liquidation_usd) as decimal(38, 8)) as collateral_liquidation_usd
    from balances
    group by as_of_date, entity_id, asset, is_own_token
),

totals as (
    select
        as_of_date,
        entity_id,
        cast(sum(collateral_mark_usd) as decimal(38, 8)) as all_collateral_mark_usd
    from backing
    group by as_of_date, entity_id
),

entities as (
    select
        entity_id,
        name
    from {{ published(ref('dim_entity')) }}
),

assets as (
    select
        asset,
        asset_class
    from {{ published(ref('dim_asset')) }}
)

select
    backing.as_of_date,
    backing.entity_id,
    entities.name as entity_name,
    backing.asset,
    assets.asset_class,
    backing.is_own_token,
    backing.quantity,
    backing.collateral_mark_usd,
    backing.collateral_haircut_usd,
    backing.collateral_liquidation_usd,
    {{ exact_ratio('backing.collateral_mark_usd', 'totals.all_collateral_mark_usd') }} as share_of_collateral
from backing
inner join totals on backing.as_of_date = totals.as_of_date and backing.entity_id = totals.entity_id
left join entities on backing.entity_id = entities.entity_id
left join assets on backing.asset = assets.asset
order by backing.as_of_date asc, backing.entity_id asc, backing.collateral_mark_usd desc nulls last, backing.asset asc
