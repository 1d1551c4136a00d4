{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='as_of_date') }}

with snapshots as (
    select
        snapshots.as_of_date,
        min(snapshots.as_of) as first_as_of,
        max(snapshots.as_of) as last_as_of
    from {{ ref('stg_landing__balance_snapshots') }} as snapshots
    where
        {{ plan_value('is_whole') }}
        or snapshots.accepted_load_number > {{ plan_value('built_load_number') }}
    group by snapshots.as_of_date
),

built as (
    select
        as_of_date,
        first_as_of,
        last_as_of
    from {{ built_rows({'as_of_date': 'date', 'first_as_of': 'timestamp', 'last_as_of': 'timestamp'}) }}
)

select
    snapshots.as_of_date,
    least(snapshots.first_as_of, built.first_as_of) as first_as_of,
    greatest(snapshots.last_as_of, built.last_as_of) as last_as_of
from snapshots
left join built on snapshots.as_of_date = built.as_of_date
