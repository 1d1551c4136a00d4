with balances as (
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
        is_borrowing_beyond_dust
    from {{ ref('int_affiliates__balance_daily') }}
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
    from balances
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
