with parities as (
    select
        as_of_date,
        asset,
        in_kind_group,
        is_own_token,
        reference_price_usd
    from {{ ref('int_reserves__parity_daily') }}
),

daily_totals as (
    select
        as_of_date,
        asset,
        relation,
        liability
    from {{ ref('int_liabilities__daily_total') }}
    where relation in ('customer', 'affiliate')
),

eligibility as (
    select
        as_of_date,
        in_kind_group,
        eligible_reference_quantity
    from {{ ref('int_reserves__eligibility_daily') }}
),

exclusions as (
    select
        as_of_date,
        in_kind_group,
        reference_quantity
    from {{ ref('int_reserves__exclusion_daily') }}
),

default_ratio as (
    select {{ policy('coverage.min_coverage') }} as min_coverage
),

group_ratios as (
    select
        list_item.item as in_kind_group,
        list_item.value as min_coverage
    from {{ source('policy', 'list_item') }} as list_item
    where list_item.name = 'coverage.min_coverage_by_group'
),

amounts as (
    select
        daily_totals.as_of_date,
        coalesce(parities.in_kind_group, daily_totals.asset) as in_kind_group,
        case when daily_totals.relation = 'customer' then daily_totals.liability else 0 end as liability,
        case when daily_totals.relation = 'affiliate' then daily_totals.liability else 0 end as affiliate_claims,
        0 as eligible_reserves,
        0 as excluded_reserves
    from daily_totals
    left join parities on daily_totals.as_of_date = parities.as_of_date and daily_totals.asset = parities.asset
    union all
    select
        as_of_date,
        in_kind_group,
        0 as liability,
        0 as affiliate_claims,
        eligible_reference_quantity as eligible_reserves,
        0 as excluded_reserves
    from eligibility
    union all
    select
        as_of_date,
        in_kind_group,
        0 as liability,
        0 as affiliate_claims,
        0 as eligible_reserves,
        reference_quantity as excluded_reserves
    from exclusions
),

group_amounts as (
    select
        as_of_date,
        in_kind_group,
        cast(sum(liability) as decimal(38, 18)) as liability,
        cast(sum(affiliate_claims) as decimal(38, 18)) as affiliate_claims,
        cast(sum(eligible_reserves) as decimal(38, 18)) as eligible_reserves,
        cast(sum(excluded_reserves) as decimal(38, 18)) as excluded_reserves
    from amounts
    group by as_of_date, in_kind_group
),

reference_prices as (
    select
        as_of_date,
        in_kind_group,
        max(reference_price_usd) as price_usd,
        bool_or(is_own_token) as is_own_token
    from parities
    group by as_of_date, in_kind_group
),

required as (
    select
        group_amounts.as_of_date,
        group_amounts.in_kind_group,
        group_amounts.liability,
        group_amounts.affiliate_claims,
        group_amounts.eligible_reserves,
        group_amounts.excluded_reserves,
        reference_prices.price_usd,
        coalesce(reference_prices.is_own_token, false) as is_own_token,
        coalesce(group_ratios.min_coverage, default_ratio.min_coverage) as min_coverage
    from group_amounts
    left join reference_prices
        on
            group_amounts.as_of_date = reference_prices.as_of_date
            and group_amounts.in_kind_group = reference_prices.in_kind_group
    left join group_ratios on group_amounts.in_kind_group = group_ratios.in_kind_group
    cross join default_ratio
),

gaps as (
    select
        as_of_date,
        in_kind_group,
        liability,
        affiliate_claims,
        eligible_reserves,
        excluded_reserves,
        price_usd,
        is_own_token,
        min_coverage,
        cast(
            eligible_reserves - {{ exact_product('liability', 'min_coverage') }} as decimal(38, 18)
        ) as gap,
        cast(
            eligible_reserves - {{ exact_product('(liability + affiliate_claims)', 'min_coverage') }}
            as decimal(38, 18)
        ) as gap_all_claims
    from required
)

select
    as_of_date,
    in_kind_group,
    liability,
    affiliate_claims,
    eligible_reserves,
    excluded_reserves,
    gap,
    gap_all_claims,
    {{ exact_ratio('eligible_reserves', 'liability') }} as coverage_ratio,
    price_usd,
    {{ value_usd('gap', 'price_usd') }} as gap_usd,
    is_own_token,
    cast(min_coverage as decimal(38, 18)) as min_coverage
from gaps
