-- Prevents: a headline that isn't the sum of the rows under it, or a day without one. Fails with the days on which
-- fct_solvency_daily differs from its parts, or is missing.
with calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

liabilities as (
    select
        as_of_date,
        sum(liability_usd) as amount_usd
    from {{ ref('fct_customer_liability_daily') }}
    where relation = 'customer'
    group by as_of_date
),

reserves as (
    select
        as_of_date,
        sum(eligible_usd) as amount_usd
    from {{ ref('fct_reserve_balance_daily') }}
    group by as_of_date
),

exclusions as (
    select
        as_of_date,
        sum(value_usd) as amount_usd
    from {{ ref('fct_reserve_exclusion_daily') }}
    group by as_of_date
),

coverage as (
    select
        as_of_date,
        sum(case when gap_usd < 0 then -gap_usd else 0 end) as shortfall_usd,
        sum(case when is_own_token and gap_usd > 0 then 0 else gap_usd end) as net_gap_usd
    from {{ ref('fct_reserve_coverage_daily') }}
    group by as_of_date
)

select
    calendar.as_of_date,
    solvency.status,
    solvency.in_kind_shortfall_usd,
    coverage.shortfall_usd
from calendar
left join {{ ref('fct_solvency_daily') }} as solvency on calendar.as_of_date = solvency.as_of_date
left join liabilities on calendar.as_of_date = liabilities.as_of_date
left join reserves on calendar.as_of_date = reserves.as_of_date
left join exclusions on calendar.as_of_date = exclusions.as_of_date
left join coverage on calendar.as_of_date = coverage.as_of_date
where
    solvency.customer_liabilities_usd is distinct from coalesce(liabilities.amount_usd, 0)
    or solvency.eligible_reserves_usd is distinct from coalesce(reserves.amount_usd, 0)
    or solvency.excluded_reserves_usd is distinct from coalesce(exclusions.amount_usd, 0)
    or solvency.in_kind_shortfall_usd is distinct from coalesce(coverage.shortfall_usd, 0)
    or solvency.net_gap_usd is distinct from coalesce(coverage.net_gap_usd, 0)
    or solvency.in_kind_shortfall_usd < -solvency.net_gap_usd
