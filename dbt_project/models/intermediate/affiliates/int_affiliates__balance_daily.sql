with affiliate_accounts as (
    select
        account_id,
        entity_id,
        account_class,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
    where relation = 'affiliate'
),

balances as (
    select
        account_id,
        asset,
        balance,
        effective_date,
        next_effective_date
    from {{ ref('int_liabilities__balance_change') }}
    where balance <> 0
),

assets as (
    select
        as_of_date,
        asset,
        price_usd,
        is_own_token,
        collateral_unit_usd,
        liquidation_unit_usd
    from {{ ref('int_tokens__asset_daily') }}
),

-- Money in a suspense account is owed to somebody else, so it secures nothing.
spans as (
    select
        affiliate_accounts.account_id,
        affiliate_accounts.entity_id,
        balances.asset,
        balances.balance,
        greatest(balances.effective_date, affiliate_accounts.from_date) as from_date,
        least(coalesce(balances.next_effective_date, affiliate_accounts.to_date), affiliate_accounts.to_date) as to_date
    from balances
    inner join affiliate_accounts on balances.account_id = affiliate_accounts.account_id
    where not (affiliate_accounts.account_class = 'suspense' and balances.balance > 0)
),

daily as (
    select
        {{ each_day('from_date', 'to_date') }} as as_of_date,
        account_id,
        entity_id,
        asset,
        balance
    from spans
    where from_date < to_date
),

valued as (
    select
        daily.as_of_date,
        daily.account_id,
        daily.entity_id,
        daily.asset,
        daily.balance,
        assets.price_usd is null as is_unpriced,
        coalesce(assets.is_own_token, false) as is_own_token,
        {{ value_usd('abs(daily.balance)', 'assets.price_usd') }} as mark_usd,
        case
            when daily.balance > 0 then {{ value_usd('daily.balance', 'assets.collateral_unit_usd') }}
        end as haircut_usd,
        case
            when daily.balance > 0 and assets.is_own_token
                then {{ value_usd('daily.balance', 'assets.liquidation_unit_usd') }}
            when daily.balance > 0 then {{ value_usd('daily.balance', 'assets.price_usd') }}
        end as liquidation_usd
    from daily
    left join assets on daily.as_of_date = assets.as_of_date and daily.asset = assets.asset
)

select
    as_of_date,
    account_id,
    entity_id,
    asset,
    cast(balance as decimal(38, 18)) as balance,
    is_unpriced,
    is_own_token,
    cast(mark_usd as decimal(38, 8)) as mark_usd,
    cast(haircut_usd as decimal(38, 8)) as haircut_usd,
    cast(liquidation_usd as decimal(38, 8)) as liquidation_usd,
    balance < 0 and not {{ is_dust('balance', 'mark_usd') }} as is_borrowing_beyond_dust
from valued
