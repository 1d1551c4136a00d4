with recursive versions as (
    select
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        valid_from,
        coalesce(valid_to, {{ day_end(run_value('calendar_last_date')) }}) as valid_to,
        date_trunc('day', recorded_at) as told_from,
        date_trunc('day', superseded_at) as told_to
    from {{ ref('stg_landing__entity_link_versions') }}
    where parent_entity_id <> child_entity_id
),

-- Told and known differ only where a link was rewritten; the walk along paths is spared if none was.
links as (
    select
        false as is_as_told,
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        valid_from,
        valid_to
    from versions
    where told_to is null
    union all
    select
        true as is_as_told,
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        greatest(valid_from, told_from) as valid_from,
        least(valid_to, coalesce(told_to, valid_to)) as valid_to
    from versions
    where exists (
        select 1 from versions as rewritten
        where rewritten.told_to > {{ day_start(run_value('landing_first_date')) }}
    )
),

in_calendar as (
    select
        is_as_told,
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
        is_as_told,
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
    {{ reachable('select entity_id from ' ~ ref('int_affiliates__operator'), 'neighbours') }}
)

select
    possible.is_as_told,
    possible.parent_entity_id,
    possible.child_entity_id,
    possible.link_type,
    possible.ownership_pct,
    possible.from_at,
    possible.to_at
from possible
semi join reachable on possible.parent_entity_id = reachable.entity_id
