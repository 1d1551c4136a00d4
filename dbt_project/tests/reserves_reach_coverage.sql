-- Prevents: a reserve or a liability that no in-kind group counts, or two do. Fails with the days and groups whose
-- reserves aren't those of their wallets, and with the days whose liabilities aren't those of the ledger.
with wallet_totals as (
    select
        as_of_date,
        in_kind_group,
        sum(eligible_reference_quantity) as eligible_reserves,
        sum(excluded_quantity) as excluded_reserves
    from (
        select
            as_of_date,
            in_kind_group,
            eligible_reference_quantity,
            0 as excluded_quantity
        from {{ ref('fct_reserve_balance_daily') }}
        union all
        select
            as_of_date,
            in_kind_group,
            0 as eligible_reference_quantity,
            reference_quantity as excluded_quantity
        from {{ ref('fct_reserve_exclusion_daily') }}
    ) as wallet_amounts
    group by as_of_date, in_kind_group
),

coverage as (
    select
        as_of_date,
        in_kind_group,
        eligible_reserves,
        excluded_reserves,
        liability,
        affiliate_claims
    from {{ ref('fct_reserve_coverage_daily') }}
),

ledger_totals as (
    select
        as_of_date,
        sum(liability) filter (where relation = 'customer') as liability,
        sum(liability) filter (where relation = 'affiliate') as affiliate_claims
    from {{ ref('fct_customer_liability_daily') }}
    where relation in ('customer', 'affiliate')
    group by as_of_date
),

coverage_totals as (
    select
        as_of_date,
        sum(liability) as liability,
        sum(affiliate_claims) as affiliate_claims
    from coverage
    group by as_of_date
)

select
    coalesce(wallet_totals.as_of_date, coverage.as_of_date) as as_of_date,
    coalesce(wallet_totals.in_kind_group, coverage.in_kind_group) as in_kind_group,
    coalesce(wallet_totals.eligible_reserves, 0) as source_amount,
    coalesce(coverage.eligible_reserves, 0) as coverage_amount
from wallet_totals
full join coverage
    on wallet_totals.as_of_date = coverage.as_of_date and wallet_totals.in_kind_group = coverage.in_kind_group
where
    coalesce(wallet_totals.eligible_reserves, 0) is distinct from coverage.eligible_reserves
    or coalesce(wallet_totals.excluded_reserves, 0) is distinct from coverage.excluded_reserves
union all
select
    coalesce(ledger_totals.as_of_date, coverage_totals.as_of_date) as as_of_date,
    'every group' as in_kind_group,
    coalesce(ledger_totals.liability, 0) as source_amount,
    coalesce(coverage_totals.liability, 0) as coverage_amount
from ledger_totals
full join coverage_totals on ledger_totals.as_of_date = coverage_totals.as_of_date
where
    coalesce(ledger_totals.liability, 0) <> coalesce(coverage_totals.liability, 0)
    or coalesce(ledger_totals.affiliate_claims, 0) <> coalesce(coverage_totals.affiliate_claims, 0)
