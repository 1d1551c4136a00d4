with calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

liabilities as (
    select
        as_of_date,
        asset,
        relation,
        liability,
        receivable,
        liability_usd,
        receivable_usd
    from {{ ref('fct_customer_liability_daily') }}
),

reserves as (
    select
        as_of_date,
        asset,
        balance,
        price_usd,
        eligible_usd
    from {{ ref('fct_reserve_balance_daily') }}
),

exclusions as (
    select
        as_of_date,
        asset,
        quantity,
        value_usd
    from {{ ref('fct_reserve_exclusion_daily') }}
),

coverage as (
    select
        as_of_date,
        in_kind_group,
        liability,
        affiliate_claims,
        eligible_reserves,
        excluded_reserves,
        gap,
        price_usd,
        gap_usd,
        is_own_token
    from {{ ref('fct_reserve_coverage_daily') }}
),

affiliate_exposures as (
    select
        as_of_date,
        gross_borrowing_usd,
        uncollateralised_usd
    from {{ ref('int_affiliates__exposure_daily') }}
),

group_assets as (
    select
        as_of_date,
        is_own_token,
        balance_usd
    from {{ ref('int_reserves__group_asset_daily') }}
),

liability_totals as (
    select
        as_of_date,
        sum(liability_usd) as customer_liabilities_usd,
        sum(receivable_usd) as customer_receivables_usd
    from liabilities
    where relation = 'customer'
    group by as_of_date
),

reserve_totals as (
    select
        as_of_date,
        sum(eligible_usd) as eligible_reserves_usd
    from reserves
    group by as_of_date
),

exclusion_totals as (
    select
        as_of_date,
        sum(value_usd) as excluded_reserves_usd
    from exclusions
    group by as_of_date
),

coverage_totals as (
    select
        as_of_date,
        sum(greatest(-gap_usd, 0)) as in_kind_shortfall_usd,
        sum(case when is_own_token then least(gap_usd, 0) else gap_usd end) as net_gap_usd,
        bool_or(gap < 0) as is_short
    from coverage
    group by as_of_date
),

affiliate_totals as (
    select
        as_of_date,
        sum(gross_borrowing_usd) as affiliate_borrowing_usd,
        sum(uncollateralised_usd) as affiliate_uncollateralised_usd
    from affiliate_exposures
    group by as_of_date
),

group_asset_totals as (
    select
        as_of_date,
        sum(balance_usd) as group_assets_usd,
        sum(balance_usd) filter (where is_own_token) as own_token_assets_usd
    from group_assets
    group by as_of_date
),

-- Whatever is in one of the totals as a quantity but not as a value.
unpriced as (
    select
        as_of_date,
        asset
    from liabilities
    where relation in ('customer', 'affiliate') and liability_usd is null and (liability <> 0 or receivable <> 0)
    union
    select
        as_of_date,
        asset
    from reserves
    where price_usd is null and balance <> 0
    union
    select
        as_of_date,
        asset
    from exclusions
    where value_usd is null
    union
    select
        as_of_date,
        in_kind_group as asset
    from coverage
    where
        price_usd is null
        and (liability <> 0 or affiliate_claims <> 0 or eligible_reserves <> 0 or excluded_reserves <> 0)
),

unpriced_totals as (
    select
        as_of_date,
        count(*) as unpriced_assets
    from unpriced
    group by as_of_date
),

totals as (
    select
        calendar.as_of_date,
        cast(coalesce(liability_totals.customer_liabilities_usd, 0) as decimal(38, 8)) as customer_liabilities_usd,
        cast(coalesce(liability_totals.customer_receivables_usd, 0) as decimal(38, 8)) as customer_receivables_usd,
        cast(coalesce(reserve_totals.eligible_reserves_usd, 0) as decimal(38, 8)) as eligible_reserves_usd,
        cast(coalesce(exclusion_totals.excluded_reserves_usd, 0) as decimal(38, 8)) as excluded_reserves_usd,
        cast(coalesce(coverage_totals.in_kind_shortfall_usd, 0) as decimal(38, 8)) as in_kind_shortfall_usd,
        cast(coalesce(coverage_totals.net_gap_usd, 0) as decimal(38, 8)) as net_gap_usd,
        cast(coalesce(affiliate_totals.affiliate_borrowing_usd, 0) as decimal(38, 8)) as affiliate_borrowing_usd,
        cast(
            coalesce(affiliate_totals.affiliate_uncollateralised_usd, 0) as decimal(38, 8)
        ) as affiliate_uncollateralised_usd,
        cast(coalesce(group_asset_totals.own_token_assets_usd, 0) as decimal(38, 8)) as own_token_assets_usd,
        cast(coalesce(group_asset_totals.group_assets_usd, 0) as decimal(38, 8)) as group_assets_usd,
        coalesce(unpriced_totals.unpriced_assets, 0) as unpriced_assets,
        coalesce(coverage_totals.is_short, false) as is_short
    from calendar
    left join liability_totals on calendar.as_of_date = liability_totals.as_of_date
    left join reserve_totals on calendar.as_of_date = reserve_totals.as_of_date
    left join exclusion_totals on calendar.as_of_date = exclusion_totals.as_of_date
    left join coverage_totals on calendar.as_of_date = coverage_totals.as_of_date
    left join affiliate_totals on calendar.as_of_date = affiliate_totals.as_of_date
    left join group_asset_totals on calendar.as_of_date = group_asset_totals.as_of_date
    left join unpriced_totals on calendar.as_of_date = unpriced_totals.as_of_date
)

select
    as_of_date,
    customer_liabilities_usd,
    customer_receivables_usd,
    eligible_reserves_usd,
    excluded_reserves_usd,
    {{ exact_ratio('eligible_reserves_usd', 'customer_liabilities_usd') }} as coverage_ratio,
    in_kind_shortfall_usd,
    net_gap_usd,
    affiliate_borrowing_usd,
    affiliate_uncollateralised_usd,
    own_token_assets_usd,
    {{ exact_ratio('own_token_assets_usd', 'group_assets_usd') }} as own_token_share,
    cast(unpriced_assets as bigint) as unpriced_assets,
    case
        when unpriced_assets > 0 then 'incomplete'
        when is_short then 'short'
        else 'covered'
    end as status,
    group_assets_usd
from totals
