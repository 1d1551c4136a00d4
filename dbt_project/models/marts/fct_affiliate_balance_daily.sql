with balances as (
    select
        as_of_date,
        account_id,
        entity_id,
        asset,
        balance,
        is_own_token,
        mark_usd,
        haircut_usd,
        liquidation_usd
    from {{ ref('int_affiliates__balance_daily') }}
)

select
    as_of_date,
    account_id,
    entity_id,
    asset,
    balance,
    is_own_token,
    cast(case when balance < 0 then -mark_usd else mark_usd end as decimal(38, 8)) as value_usd,
    cast(case when balance < 0 then 0 else mark_usd end as decimal(38, 8)) as collateral_mark_usd,
    cast(case when balance < 0 then 0 else haircut_usd end as decimal(38, 8)) as collateral_haircut_usd,
    cast(case when balance < 0 then 0 else liquidation_usd end as decimal(38, 8)) as collateral_liquidation_usd
from balances
