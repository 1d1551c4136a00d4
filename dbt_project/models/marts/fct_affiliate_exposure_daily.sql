with calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

affiliate_accounts as (
    select
        account_id,
        entity_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
    where relation = 'affiliate'
),

account_exposures as (
    select
        as_of_date,
        entity_id,
        gross_claims_usd,
        gross_borrowing_usd,
        collateral_mark_usd,
        collateral_haircut_usd,
        collateral_liquidation_usd,
        own_token_collateral_usd,
        uncollateralised_usd,
        has_borrowing_beyond_dust,
        unpriced_balances
    from {{ ref('int_affiliates__exposure_daily') }}
),

account_privileges as (
    select
        as_of_date,
        entity_id,
        privileges,
        credit_line_usd,
        has_unlimited_credit
    from {{ ref('int_affiliates__privilege_daily') }}
    where relation = 'affiliate'
),

customer_liabilities as (
    select
        as_of_date,
        sum(liability_usd) as liability_usd
    from {{ ref('fct_customer_liability_daily') }}
    where relation = 'customer'
    group by as_of_date
),

affiliate_days as (
    select
        calendar.as_of_date,
        affiliate_accounts.entity_id,
        count(distinct affiliate_accounts.account_id) as accounts
    from affiliate_accounts
    inner join calendar
        on affiliate_accounts.from_date <= calendar.as_of_date and affiliate_accounts.to_date > calendar.as_of_date
    group by calendar.as_of_date, affiliate_accounts.entity_id
),

exposures as (
    select
        as_of_date,
        entity_id,
        sum(gross_claims_usd) as gross_claims_usd,
        sum(gross_borrowing_usd) as gross_borrowing_usd,
        sum(collateral_mark_usd) as collateral_mark_usd,
        sum(collateral_haircut_usd) as collateral_haircut_usd,
        sum(collateral_liquidation_usd) as collateral_liquidation_usd,
        sum(own_token_collateral_usd) as own_token_collateral_usd,
        sum(uncollateralised_usd) as uncollateralised_usd,
        bool_or(has_borrowing_beyond_dust) as has_borrowing_beyond_dust,
        sum(unpriced_balances) as unpriced_balances
    from account_exposures
    group by as_of_date, entity_id
),

single_privileges as (
    select distinct
        as_of_date,
        entity_id,
        {{ each_item(text_parts('privileges', ', ')) }} as privilege
    from account_privileges
),

privilege_lists as (
    select
        as_of_date,
        entity_id,
        {{ joined_text('privilege', ', ', 'privilege') }} as privileges
    from single_privileges
    group by as_of_date, entity_id
),

credit_lines as (
    select
        as_of_date,
        entity_id,
        sum(credit_line_usd) as credit_line_usd,
        bool_or(has_unlimited_credit) as has_unlimited_credit
    from account_privileges
    group by as_of_date, entity_id
),

described as (
    select
        affiliate_days.as_of_date,
        affiliate_days.entity_id,
        affiliate_days.accounts,
        coalesce(exposures.gross_claims_usd, 0) as gross_claims_usd,
        coalesce(exposures.gross_borrowing_usd, 0) as gross_borrowing_usd,
        coalesce(exposures.collateral_mark_usd, 0) as collateral_mark_usd,
        coalesce(exposures.collateral_haircut_usd, 0) as collateral_haircut_usd,
        coalesce(exposures.collateral_liquidation_usd, 0) as collateral_liquidation_usd,
        coalesce(exposures.own_token_collateral_usd, 0) as own_token_collateral_usd,
        coalesce(exposures.uncollateralised_usd, 0) as uncollateralised_usd,
        coalesce(exposures.has_borrowing_beyond_dust, false) as has_borrowing_beyond_dust,
        coalesce(exposures.unpriced_balances, 0) as unpriced_balances,
        coalesce(customer_liabilities.liability_usd, 0) as customer_liabilities_usd,
        privilege_lists.privileges as active_privileges,
        coalesce(credit_lines.credit_line_usd, 0) as credit_line_usd,
        coalesce(credit_lines.has_unlimited_credit, false) as has_unlimited_credit
    from affiliate_days
    left join exposures
        on affiliate_days.as_of_date = exposures.as_of_date and affiliate_days.entity_id = exposures.entity_id
    left join customer_liabilities on affiliate_days.as_of_date = customer_liabilities.as_of_date
    left join privilege_lists
        on
            affiliate_days.as_of_date = privilege_lists.as_of_date
            and affiliate_days.entity_id = privilege_lists.entity_id
    left join credit_lines
        on affiliate_days.as_of_date = credit_lines.as_of_date and affiliate_days.entity_id = credit_lines.entity_id
)

select
    as_of_date,
    entity_id,
    cast(gross_claims_usd as decimal(38, 8)) as gross_claims_usd,
    cast(gross_borrowing_usd as decimal(38, 8)) as gross_borrowing_usd,
    cast(collateral_mark_usd as decimal(38, 8)) as collateral_mark_usd,
    cast(collateral_haircut_usd as decimal(38, 8)) as collateral_haircut_usd,
    cast(collateral_liquidation_usd as decimal(38, 8)) as collateral_liquidation_usd,
    cast(own_token_collateral_usd as decimal(38, 8)) as own_token_collateral_usd,
    cast(uncollateralised_usd as decimal(38, 8)) as uncollateralised_usd,
    {{ exact_ratio('uncollateralised_usd', 'customer_liabilities_usd') }}
        as share_of_customer_liabilities,
    active_privileges,
    cast(credit_line_usd as decimal(38, 8)) as credit_line_usd,
    {{ exact_ratio(exact_product('gross_borrowing_usd', '100', 8), 'credit_line_usd') }}
        as credit_line_used_pct,
    cast(customer_liabilities_usd as decimal(38, 8)) as customer_liabilities_usd,
    has_borrowing_beyond_dust,
    has_unlimited_credit,
    cast(accounts as bigint) as accounts,
    cast(unpriced_balances as bigint) as unpriced_balances
from described
