with operators as (
    select entity_id
    from {{ ref('int_affiliates__operator') }}
),

shares as (
    select
        is_as_told,
        holder_entity_id,
        held_entity_id,
        from_at,
        to_at,
        is_control,
        share_e28 >= {{ share_from_pct(policy('relation.ownership_threshold_pct')) }} as is_threshold,
        path_text
    from {{ ref('int_affiliates__effective_share') }}
),

links as (
    select
        is_as_told,
        parent_entity_id,
        child_entity_id,
        link_type,
        from_at,
        to_at
    from {{ ref('int_affiliates__group_link') }}
),

entities as (
    select
        entity_id,
        entity_type
    from {{ ref('stg_landing__entities') }}
),

shareholders as (
    select
        shares.is_as_told,
        shares.holder_entity_id as entity_id,
        shares.from_at,
        shares.to_at,
        'shareholder_of_operator' as reason,
        shares.path_text as evidence_path,
        shares.is_control
    from shares
    inner join operators on shares.held_entity_id = operators.entity_id
    where shares.is_threshold or shares.is_control
),

controllers as (
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        evidence_path
    from shareholders
    where is_control and entity_id not in (select operators.entity_id from operators)
),

tellings as (
    select distinct is_as_told
    from links
),

holders as (
    select
        tellings.is_as_told,
        operators.entity_id,
        {{ day_start(run_value('landing_first_date')) }} as from_at,
        {{ day_end(run_value('calendar_last_date')) }} as to_at,
        null as evidence_path
    from operators
    cross join tellings
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        evidence_path
    from controllers
),

sister_holders as (
    select
        shares.is_as_told,
        shares.held_entity_id as entity_id,
        greatest(holders.from_at, shares.from_at) as from_at,
        least(holders.to_at, shares.to_at) as to_at,
        concat_ws('; ', holders.evidence_path, shares.path_text) as evidence_path
    from holders
    inner join shares
        on
            holders.is_as_told = shares.is_as_told
            and holders.entity_id = shares.holder_entity_id
            and holders.from_at < shares.to_at
            and holders.to_at > shares.from_at
    where shares.is_control
),

all_holders as (
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        evidence_path
    from holders
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        evidence_path
    from sister_holders
),

held as (
    select
        shares.is_as_told,
        shares.held_entity_id as entity_id,
        greatest(all_holders.from_at, shares.from_at) as from_at,
        least(all_holders.to_at, shares.to_at) as to_at,
        case
            when all_holders.evidence_path is null then 'held_by_operator'
            else 'common_holder'
        end as reason,
        concat_ws('; ', all_holders.evidence_path, shares.path_text) as evidence_path
    from all_holders
    inner join shares
        on
            all_holders.is_as_told = shares.is_as_told
            and all_holders.entity_id = shares.holder_entity_id
            and all_holders.from_at < shares.to_at
            and all_holders.to_at > shares.from_at
    where shares.is_threshold or shares.is_control
),

directors as (
    select
        links.is_as_told,
        links.parent_entity_id as entity_id,
        greatest(all_directed.from_at, links.from_at) as from_at,
        least(all_directed.to_at, links.to_at) as to_at,
        'director' as reason,
        concat_ws(
            '; ', all_directed.evidence_path, links.parent_entity_id || ' -> ' || links.child_entity_id || ' (director)'
        ) as evidence_path
    from links
    inner join holders as all_directed
        on
            links.is_as_told = all_directed.is_as_told
            and links.child_entity_id = all_directed.entity_id
            and links.from_at < all_directed.to_at
            and links.to_at > all_directed.from_at
    where links.link_type = 'director'
),

kin as (
    select
        is_as_told,
        parent_entity_id as entity_id,
        child_entity_id as relative_id,
        from_at,
        to_at
    from links
    where link_type = 'family'
    union all
    select
        is_as_told,
        child_entity_id as entity_id,
        parent_entity_id as relative_id,
        from_at,
        to_at
    from links
    where link_type = 'family'
),

persons as (
    select entity_id
    from entities
    where entity_type = 'person'
    union
    select entity_id
    from kin
    union
    select parent_entity_id as entity_id
    from links
    where link_type = 'director'
),

related as (
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        reason,
        evidence_path
    from shareholders
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        reason,
        evidence_path
    from held
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        reason,
        evidence_path
    from directors
),

related_persons as (
    select
        related.is_as_told,
        related.entity_id,
        related.from_at,
        related.to_at,
        related.evidence_path
    from related
    inner join persons on related.entity_id = persons.entity_id
),

family as (
    select
        kin.is_as_told,
        kin.relative_id as entity_id,
        greatest(related_persons.from_at, kin.from_at) as from_at,
        least(related_persons.to_at, kin.to_at) as to_at,
        'family' as reason,
        related_persons.evidence_path || '; ' || kin.entity_id || ' -> ' || kin.relative_id || ' (family)'
            as evidence_path
    from related_persons
    inner join kin
        on
            related_persons.is_as_told = kin.is_as_told
            and related_persons.entity_id = kin.entity_id
            and related_persons.from_at < kin.to_at
            and related_persons.to_at > kin.from_at
),

controlling_persons as (
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        evidence_path
    from related_persons
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        evidence_path
    from family
),

controlled_by_person as (
    select
        shares.is_as_told,
        shares.held_entity_id as entity_id,
        greatest(controlling_persons.from_at, shares.from_at) as from_at,
        least(controlling_persons.to_at, shares.to_at) as to_at,
        'controlled_by_related_person' as reason,
        controlling_persons.evidence_path || '; ' || shares.path_text as evidence_path
    from controlling_persons
    inner join shares
        on
            controlling_persons.is_as_told = shares.is_as_told
            and controlling_persons.entity_id = shares.holder_entity_id
            and controlling_persons.from_at < shares.to_at
            and controlling_persons.to_at > shares.from_at
    where shares.is_control
),

unioned as (
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        case reason when 'common_holder' then 2 when 'director' then 3 else 1 end as priority,
        reason,
        evidence_path
    from related
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        4 as priority,
        reason,
        evidence_path
    from family
    union all
    select
        is_as_told,
        entity_id,
        from_at,
        to_at,
        5 as priority,
        reason,
        evidence_path
    from controlled_by_person
)

select distinct
    unioned.is_as_told,
    unioned.entity_id,
    unioned.from_at,
    unioned.to_at,
    unioned.priority,
    unioned.reason,
    unioned.evidence_path
from unioned
where unioned.entity_id not in (select operators.entity_id from operators)
