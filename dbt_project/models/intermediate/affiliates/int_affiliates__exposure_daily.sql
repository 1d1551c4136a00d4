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
),

judged as (
    select
        as_of_date,
        account_id,
        entity_id,
        balance,
        is_unpriced,
        is_own_token,
        mark_usd,
        haircut_usd,
        liquidation_usd,
        balance < 0 and not {{ is_dust('balance', 'mark_usd') }} as is_borrowing_beyond_dust
    from valued
),

per_account as (
    select
        as_of_date,
        account_id,
        entity_id,
        coalesce(sum(mark_usd) filter (where balance > 0), 0) as gross_claims_usd,
        coalesce(sum(mark_usd) filter (where balance < 0), 0) as gross_borrowing_usd,
        coalesce(sum(haircut_usd), 0) as collateral_haircut_usd,
        coalesce(sum(liquidation_usd), 0) as collateral_liquidation_usd,
        coalesce(sum(mark_usd) filter (where balance > 0 and is_own_token), 0) as own_token_collateral_usd,
        bool_or(is_borrowing_beyond_dust) as has_borrowing_beyond_dust,
        count(*) filter (where is_unpriced) as unpriced_balances
    from judged
    group by as_of_date, account_id, entity_id
)

select
    as_of_date,
    account_id,
    entity_id,
    cast(gross_claims_usd as decimal(38, 8)) as gross_claims_usd,
    cast(gross_borrowing_usd as decimal(38, 8)) as gross_borrowing_usd,
    cast(gross_claims_usd as decimal(38, 8)) as collateral_mark_usd,
    cast(collateral_haircut_usd as decimal(38, 8)) as collateral_haircut_usd,
    cast(collateral_liquidation_usd as decimal(38, 8)) as collateral_liquidation_usd,
    cast(own_token_collateral_usd as decimal(38, 8)) as own_token_collateral_usd,
    cast(greatest(gross_borrowing_usd - collateral_haircut_usd, 0) as decimal(38, 8)) as uncollateralised_usd,
    has_borrowing_beyond_dust,
    unpriced_balances
from per_account
