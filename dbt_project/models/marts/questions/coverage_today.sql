with coverage as (
    select
        as_of_date,
        in_kind_group,
        liability,
        affiliate_claims,
        eligible_reserves,
        excluded_reserves,
        gap,
        coverage_ratio,
        price_usd,
        gap_usd,
        is_own_token
    from {{ published(ref('fct_reserve_coverage_daily')) }}
)

select
    today.as_of_date,
    today.in_kind_group,
    today.liability,
    today.affiliate_claims,
    today.eligible_reserves,
    today.excluded_reserves,
    today.gap,
    today.gap_usd,
    today.coverage_ratio,
    today.price_usd,
    today.gap < 0 as is_short,
    today.is_own_token,
    day_before.gap as gap_day_before
from coverage as today
left join coverage as day_before
    on today.in_kind_group = day_before.in_kind_group and today.as_of_date = day_before.as_of_date + 1
where today.as_of_date = {{ latest_day() }}
order by today.gap_usd asc nulls first, today.in_kind_group asc
