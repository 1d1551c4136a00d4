with recursive links as (
    select
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        valid_from,
        coalesce(valid_to, {{ day_end(run_value('calendar_last_date')) }}) as valid_to
    from {{ ref('stg_landing__entity_links') }}
    where parent_entity_id <> child_entity_id
),

in_calendar as (
    select
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        greatest(valid_from, {{ day_start(run_value('landing_first_date')) }}) as from_at,
        least(valid_to, {{ day_end(run_value('calendar_last_date')) }}) as to_at
    from links
    where valid_from < valid_to
),

possible as (
    select
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        from_at,
        to_at
    from in_calendar
    where from_at < to_at
),

neighbours as (
    select
        parent_entity_id as entity_id,
        child_entity_id as neighbour_id
    from possible
    union
    select
        child_entity_id as entity_id,
        parent_entity_id as neighbour_id
    from possible
),

reachable as (
    select entity_id
    from {{ ref('int_affiliates__operator') }}
    union
    select neighbours.neighbour_id as entity_id
    from reachable
    inner join neighbours on reachable.entity_id = neighbours.entity_id
)

select
    possible.parent_entity_id,
    possible.child_entity_id,
    possible.link_type,
    possible.ownership_pct,
    possible.from_at,
    possible.to_at
from possible
inner join reachable on possible.parent_entity_id = reachable.entity_id
