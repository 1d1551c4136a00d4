with figures as (
    select
        figure,
        line,
        asset,
        amount,
        period_start,
        period_end,
        published_at,
        known_at
    from {{ ref('stg_landing__reported_figures') }}
    where figure in ('customer_liabilities', 'insurance_fund', 'reserves')
),

calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

latest_lines as (
    select
        figure,
        line,
        asset,
        amount,
        period_start,
        period_end,
        published_at,
        known_at
    from figures
    qualify
        row_number() over (
            partition by figure, line, asset, period_start, period_end order by published_at desc, known_at desc
        ) = 1
),

-- A line-less total speaks for itself; without one the lines are summed.
counted_lines as (
    select
        figure,
        asset,
        amount,
        period_start,
        period_end,
        published_at,
        known_at
    from latest_lines
    qualify
        line is null
        or not bool_or(line is null) over (partition by figure, asset, period_start, period_end)
),

totals as (
    select
        figure,
        asset,
        period_start,
        period_end,
        sum(amount) as amount,
        max(published_at) as published_at,
        max(known_at) as known_at
    from counted_lines
    group by figure, asset, period_start, period_end
),

dated as (
    select
        figure,
        asset,
        period_start,
        period_end,
        amount,
        published_at,
        known_at,
        {{ stock_date('period_start', 'period_end') }} as as_of_date
    from totals
)

select
    dated.figure,
    dated.asset,
    dated.period_start,
    dated.period_end,
    dated.as_of_date,
    greatest(cast(dated.known_at as date), dated.as_of_date) as known_date,
    dated.known_at,
    dated.published_at,
    cast(dated.amount as decimal(38, 18)) as amount
from dated
inner join calendar on dated.as_of_date = calendar.as_of_date
