with negative_balances as (
    select
        as_of_date,
        account_id,
        asset,
        balance
    from {{ ref('int_liabilities__negative_balance') }}
),

account_relations as (
    select
        account_id,
        entity_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
),

equities as (
    select
        as_of_date,
        account_id,
        equity_usd,
        borrowing_usd,
        has_unpriced_borrowing
    from {{ ref('int_liabilities__account_equity_daily') }}
),

assets as (
    select
        as_of_date,
        asset,
        price_usd
    from {{ ref('int_tokens__asset_daily') }}
),

settings as (
    select {{ policy('collateral.maintenance_margin_pct') }} * 0.01 as maintenance_margin
),

valued as (
    select
        negative_balances.as_of_date,
        negative_balances.account_id,
        account_relations.entity_id,
        account_relations.relation,
        account_relations.account_class,
        negative_balances.asset,
        negative_balances.balance,
        {{ value_usd('negative_balances.balance', 'assets.price_usd') }} as value_usd,
        equities.equity_usd,
        equities.borrowing_usd,
        equities.has_unpriced_borrowing,
        account_relations.account_class = 'margin' as is_margin,
        equities.equity_usd >= {{ exact_product('equities.borrowing_usd', 'settings.maintenance_margin') }}
            as has_maintenance_margin
    from negative_balances
    cross join settings
    inner join account_relations
        on
            negative_balances.account_id = account_relations.account_id
            and negative_balances.as_of_date >= account_relations.from_date
            and negative_balances.as_of_date < account_relations.to_date
    inner join equities
        on
            negative_balances.as_of_date = equities.as_of_date
            and negative_balances.account_id = equities.account_id
    left join assets
        on negative_balances.as_of_date = assets.as_of_date and negative_balances.asset = assets.asset
),

judged as (
    select
        as_of_date,
        account_id,
        entity_id,
        relation,
        account_class,
        asset,
        balance,
        value_usd,
        equity_usd,
        borrowing_usd,
        is_margin,
        has_unpriced_borrowing,
        is_margin and not has_unpriced_borrowing and has_maintenance_margin as is_permitted,
        {{ is_dust('balance', 'value_usd') }} as is_dust
    from valued
)

select
    as_of_date,
    account_id,
    entity_id,
    relation,
    account_class,
    asset,
    cast(balance as decimal(38, 18)) as balance,
    cast(value_usd as decimal(38, 8)) as value_usd,
    is_permitted,
    case
        when is_permitted then 'margin_covered'
        when is_dust then 'dust'
        when not is_margin then 'not_margin_account'
        when has_unpriced_borrowing then 'borrowing_unpriced'
        else 'below_maintenance_margin'
    end as reason,
    is_dust,
    cast(equity_usd as decimal(38, 8)) as equity_usd,
    cast(borrowing_usd as decimal(38, 8)) as borrowing_usd
from judged
