with new_entries as (
    select
        min(effective_at) as first_effective_at,
        min(effective_date) as first_effective_date
    from {{ ref('int_plan__new_entry') }}
),

new_snapshots as (
    select min(snapshots.as_of_date) as first_date
    from {{ ref('stg_landing__balance_snapshots') }} as snapshots
    where
        not {{ plan_value('is_whole') }}
        and snapshots.accepted_load_number > {{ plan_value('built_load_number') }}
),

-- A snapshot taken after its day has ended is compared with entries of the next day.
reaching_snapshots as (
    select min(moments.as_of_date) as first_date
    from {{ ref('int_liabilities__snapshot_moment') }} as moments
    cross join new_entries
    where moments.last_as_of > new_entries.first_effective_at
),

new_days as (
    select
        {{ run_value('landing_first_date') }} as landing_first_date,
        case
            when {{ plan_value('is_whole') }} then {{ run_value('landing_first_date') }}
            else {{ plan_value('built_last_date') }} + 1
        end as first_date
)

select
    greatest(least(new_days.first_date, new_entries.first_effective_date), new_days.landing_first_date)
        as first_balance_date,
    greatest(
        least(
            new_days.first_date,
            new_entries.first_effective_date,
            new_snapshots.first_date,
            reaching_snapshots.first_date
        ),
        new_days.landing_first_date
    ) as first_engine_date
from new_days
cross join new_entries
cross join new_snapshots
cross join reaching_snapshots
