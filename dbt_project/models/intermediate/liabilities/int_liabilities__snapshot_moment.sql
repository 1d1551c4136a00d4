{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='as_of_date') }}

with snapshots as (
    select
        snapshots.as_of_date,
        min(snapshots.as_of) as first_as_of,
        max(snapshots.as_of) as last_as_of
    from {{ ref('stg_landing__balance_snapshots') }} as snapshots
    {%- if is_continued() %}
    cross join {{ source('policy', 'build_plan') }} as plan
    where snapshots.accepted_load_number > plan.built_load_number
    {%- endif %}
    group by snapshots.as_of_date
)

select
    snapshots.as_of_date,
    {%- if is_continued() %}
    least(snapshots.first_as_of, built.first_as_of) as first_as_of,
    greatest(snapshots.last_as_of, built.last_as_of) as last_as_of
from snapshots
left join {{ this }} as built on snapshots.as_of_date = built.as_of_date
{%- else %}
    snapshots.first_as_of,
    snapshots.last_as_of
from snapshots
{%- endif %}
