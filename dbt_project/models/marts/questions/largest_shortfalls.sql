with coverage as (
    select
        as_of_date,
        in_kind_group,
        gap,
        gap_usd
    from {{ published(ref('fct_reserve_coverage_daily')) }}
),

last_covered as (
    select
        in_kind_group,
        max(as_of_date) filter (where gap >= 0) as last_covered_on
    from coverage
    group by in_kind_group
),

short_days as (
    select
        coverage.as_of_date,
        coverage.in_kind_group,
        coverage.gap,
        coverage.gap_usd,
        coverage.as_of_date = {{ latest_day() }} as is_today,
        coalesce(coverage.as_of_date > last_covered.last_covered_on, true) as is_of_last_shortage
    from coverage
    inner join last_covered on coverage.in_kind_group = last_covered.in_kind_group
    where coverage.gap < 0
),

worst_days as (
    select
        in_kind_group,
        as_of_date,
        gap,
        gap_usd
    from short_days
    qualify row_number() over (partition by in_kind_group order by gap asc, as_of_date asc) = 1
),

ever_short as (
    select
        in_kind_group,
        bool_or(is_today) as is_short_today,
        min(as_of_date) as first_short_on,
        count(*) as short_days,
        max(as_of_date) as last_short_on,
        min(as_of_date) filter (where is_of_last_shortage) as short_since,
        coalesce(-min(gap) filter (where is_today), 0) as shortfall,
        case
            when bool_or(is_today) then -min(gap_usd) filter (where is_today)
            else 0
        end as shortfall_usd
    from short_days
    group by in_kind_group
)

select
    row_number() over (
        order by
            ever_short.is_short_today desc,
            ever_short.shortfall_usd desc nulls first,
            -worst_days.gap_usd desc nulls first,
            ever_short.in_kind_group asc
    ) as shortfall_rank,
    ever_short.in_kind_group,
    ever_short.is_short_today,
    cast(ever_short.shortfall as decimal(38, 18)) as shortfall,
    cast(ever_short.shortfall_usd as decimal(38, 8)) as shortfall_usd,
    case when ever_short.is_short_today then ever_short.short_since end as short_since,
    ever_short.first_short_on,
    ever_short.last_short_on,
    ever_short.short_days,
    cast(-worst_days.gap as decimal(38, 18)) as largest_shortfall,
    cast(-worst_days.gap_usd as decimal(38, 8)) as largest_shortfall_usd,
    worst_days.as_of_date as largest_shortfall_on
from ever_short
inner join worst_days on ever_short.in_kind_group = worst_days.in_kind_group
order by shortfall_rank asc
