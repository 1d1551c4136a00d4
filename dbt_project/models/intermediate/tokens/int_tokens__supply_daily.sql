with days as (
    select as_of_date
    from {{ ref('int_time__day') }}
),

last_of_day as (
    select
        asset,
        as_of_date as from_date,
        circulating
    from {{ ref('stg_landing__token_supply') }}
    qualify row_number() over (partition by asset, as_of_date order by as_of desc) = 1
),

supply_intervals as (
    select
        asset,
        from_date,
        circulating,
        lead(from_date) over (partition by asset order by from_date) as to_date
    from last_of_day
)

select
    days.as_of_date,
    supply_intervals.asset,
    supply_intervals.circulating
from days
inner join supply_intervals
    on
        days.as_of_date >= supply_intervals.from_date
        and (supply_intervals.to_date is null or days.as_of_date < supply_intervals.to_date)
