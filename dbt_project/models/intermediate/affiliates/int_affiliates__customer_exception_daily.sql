with privileges as (
    select
        as_of_date,
        account_id,
        entity_id,
        privileges,
        has_exception,
        has_unlimited_credit,
        credit_line_usd,
        known_at
    from {{ ref('int_affiliates__privilege_daily') }}
    where relation = 'customer' and account_class <> 'suspense'
),

credit_days as (
    select
        as_of_date,
        account_id
    from privileges
    where credit_line_usd > 0 and not has_exception and not has_unlimited_credit
),

balances as (
    select
        account_id,
        asset,
        balance,
        effective_date,
        next_effective_date
    from {{ ref('int_liabilities__balance_change') }}
    where balance > 0 and account_id in (select credit_days.account_id from credit_days)
),

assets as (
    select
        as_of_date,
        asset,
        collateral_unit_usd
    from {{ ref('int_tokens__asset_daily') }}
),

collateral as (
    select
        credit_days.as_of_date,
        credit_days.account_id,
        sum({{ value_usd('balances.balance', 'assets.collateral_unit_usd') }}) as collateral_usd
    from credit_days
    inner join balances
        on
            credit_days.account_id = balances.account_id
            and credit_days.as_of_date >= balances.effective_date
            and (balances.next_effective_date is null or credit_days.as_of_date < balances.next_effective_date)
    left join assets on credit_days.as_of_date = assets.as_of_date and balances.asset = assets.asset
    group by credit_days.as_of_date, credit_days.account_id
)

select
    privileges.as_of_date,
    privileges.account_id,
    privileges.entity_id,
    privileges.privileges,
    privileges.has_unlimited_credit,
    privileges.credit_line_usd,
    cast(coalesce(collateral.collateral_usd, 0) as decimal(38, 8)) as collateral_usd,
    privileges.known_at
from privileges
left join collateral
    on privileges.as_of_date = collateral.as_of_date and privileges.account_id = collateral.account_id
where
    privileges.has_exception
    or privileges.has_unlimited_credit
    or privileges.credit_line_usd > coalesce(collateral.collateral_usd, 0)
