with recursive stakes as (
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        from_at,
        to_at,
        stake_e20,
        stake_text
    from {{ ref('int_affiliates__stake') }}
),

paths as (
    select
        is_as_told,
        parent_entity_id as holder_entity_id,
        child_entity_id as held_entity_id,
        from_at,
        to_at,
        stake_e20 * {{ wide_integer(100000000) }} as share_e28,
        {{ list_of(['parent_entity_id', 'child_entity_id']) }} as members,
        parent_entity_id || ' -> ' || child_entity_id || ' (' || stake_text || ')' as path_text
    from stakes
    union all
    select
        paths.is_as_told,
        paths.holder_entity_id,
        stakes.child_entity_id as held_entity_id,
        greatest(paths.from_at, stakes.from_at) as from_at,
        least(paths.to_at, stakes.to_at) as to_at,
        {{ share_through('paths.share_e28', 'stakes.stake_e20') }} as share_e28,
        array_append(paths.members, stakes.child_entity_id) as members,
        paths.path_text || ' -> ' || stakes.child_entity_id || ' (' || stakes.stake_text || ')' as path_text
    from paths
    inner join stakes
        on
            paths.is_as_told = stakes.is_as_told
            and paths.held_entity_id = stakes.parent_entity_id
            and paths.from_at < stakes.to_at
            and paths.to_at > stakes.from_at
    where
        not array_contains(paths.members, stakes.child_entity_id)
        and {{ share_through('paths.share_e28', 'stakes.stake_e20') }} > 0
),

boundaries as (
    select
        is_as_told,
        holder_entity_id,
        held_entity_id,
        from_at as boundary_at
    from paths
    union
    select
        is_as_told,
        holder_entity_id,
        held_entity_id,
        to_at as boundary_at
    from paths
),

segments as (
    select
        is_as_told,
        holder_entity_id,
        held_entity_id,
        boundary_at as from_at,
        lead(boundary_at) over (
            partition by is_as_told, holder_entity_id, held_entity_id order by boundary_at
        ) as to_at
    from boundaries
),

summed as (
    select
        segments.is_as_told,
        segments.holder_entity_id,
        segments.held_entity_id,
        segments.from_at,
        segments.to_at,
        least(sum(paths.share_e28), {{ whole_share() }}) as share_e28,
        {{ sorted_list('paths.path_text', ['-paths.share_e28', 'paths.path_text']) }} as path_texts
    from segments
    inner join paths
        on
            segments.is_as_told = paths.is_as_told
            and segments.holder_entity_id = paths.holder_entity_id
            and segments.held_entity_id = paths.held_entity_id
            and segments.from_at >= paths.from_at
            and segments.to_at <= paths.to_at
    group by
        segments.is_as_told,
        segments.holder_entity_id,
        segments.held_entity_id,
        segments.from_at,
        segments.to_at
)

select
    is_as_told,
    holder_entity_id,
    held_entity_id,
    from_at,
    to_at,
    cast(share_e28 as {{ wide_integer_type() }}) as share_e28,
    share_e28 * 2 > {{ whole_share() }} as is_control,
    {{ share_as_pct('cast(share_e28 as ' ~ wide_integer_type() ~ ')') }} as share_pct,
    {{ first_items_text('path_texts', 3, '; ') }}
    || case
        when {{ list_length('path_texts') }} > 3
            then '; and ' || ({{ list_length('path_texts') }} - 3) || ' more paths'
        else ''
    end as path_text
from summed
