with solvency as (
    select
        as_of_date,
        customer_liabilities_usd,
        eligible_reserves_usd,
        excluded_reserves_usd,
        coverage_ratio,
        in_kind_shortfall_usd,
        net_gap_usd,
        unpriced_assets,
        status
    from {{ published(ref('fct_solvency_daily')) }}
),

short_groups as (
    select
        as_of_date,
        count(*) as short_groups
    from {{ published(ref('fct_reserve_coverage_daily')) }}
    where gap < 0
    group by as_of_date
),

daily as (
    select
        solvency.as_of_date,
        solvency.customer_liabilities_usd,
        solvency.eligible_reserves_usd,
        solvency.excluded_reserves_usd,
        solvency.coverage_ratio,
        solvency.in_kind_shortfall_usd,
        solvency.net_gap_usd,
        solvency.unpriced_assets,
        solvency.status,
        coalesce(short_groups.short_groups, 0) as short_groups
    from solvency
    left join short_groups on solvency.as_of_date = short_groups.as_of_date
)

select
    as_of_date,
    customer_liabilities_usd,
    eligible_reserves_usd,
    excluded_reserves_usd,
    coverage_ratio,
    in_kind_shortfall_usd,
    net_gap_usd,
    short_groups,
    unpriced_assets,
    status,
    short_groups > 0 and coalesce(lag(short_groups) over (order by as_of_date), 0) = 0 as is_day_it_broke,
    cast(
        customer_liabilities_usd - lag(customer_liabilities_usd) over (order by as_of_date) as decimal(38, 8)
    ) as customer_liabilities_change_usd,
    cast(
        eligible_reserves_usd - lag(eligible_reserves_usd) over (order by as_of_date) as decimal(38, 8)
    ) as eligible_reserves_change_usd,
    cast(
        in_kind_shortfall_usd - lag(in_kind_shortfall_usd) over (order by as_of_date) as decimal(38, 8)
    ) as in_kind_shortfall_change_usd
from daily
order by as_of_date asc
