with links as (
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        from_at,
        to_at
    from {{ ref('int_affiliates__group_link') }}
    where link_type in ('ownership', 'control')
),

boundaries as (
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        from_at as boundary_at
    from links
    union
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        to_at as boundary_at
    from links
),

segments as (
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        boundary_at as from_at,
        lead(boundary_at) over (
            partition by is_as_told, parent_entity_id, child_entity_id order by boundary_at
        ) as to_at
    from boundaries
),

held as (
    select
        segments.is_as_told,
        segments.parent_entity_id,
        segments.child_entity_id,
        segments.from_at,
        segments.to_at,
        bool_or(links.link_type = 'control') as has_control,
        bool_or(links.link_type = 'ownership' and links.ownership_pct is null) as is_unstated,
        sum(case when links.link_type = 'ownership' then coalesce(links.ownership_pct, 0) else 0 end) as ownership_pct
    from segments
    inner join links
        on
            segments.is_as_told = links.is_as_told
            and segments.parent_entity_id = links.parent_entity_id
            and segments.child_entity_id = links.child_entity_id
            and segments.from_at >= links.from_at
            and segments.to_at <= links.to_at
    group by
        segments.is_as_told,
        segments.parent_entity_id,
        segments.child_entity_id,
        segments.from_at,
        segments.to_at
),

rated as (
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        from_at,
        to_at,
        case
            when has_control or is_unstated or ownership_pct > 50 then {{ whole_stake() }}
            else {{ stake_from_pct('ownership_pct') }}
        end as stake_e20,
        case
            when ownership_pct > 0 then 'ownership ' || {{ amount_text('ownership_pct') }} || ' %'
            when has_control then 'control'
            else 'ownership of unstated size'
        end || case when ownership_pct > 0 and has_control then ', control' else '' end as stake_text
    from held
)

select
    is_as_told,
    parent_entity_id,
    child_entity_id,
    from_at,
    to_at,
    stake_e20,
    stake_text
from rated
where stake_e20 > 0
