with entities as (
    select
        entity_id,
        entity_type,
        name,
        country,
        recorded_at
    from {{ ref('stg_landing__entities') }}
),

last_relations as (
    select
        entity_id,
        relation,
        from_date,
        reason,
        evidence_path
    from {{ ref('int_affiliates__entity_relation') }}
    where {{ run_value('calendar_last_date') }} >= from_date and {{ run_value('calendar_last_date') }} < to_date
)

select
    entities.entity_id,
    entities.entity_type,
    entities.name,
    entities.country,
    last_relations.relation,
    last_relations.from_date as relation_from_date,
    last_relations.reason as relation_reason,
    last_relations.evidence_path,
    entities.recorded_at
from entities
left join last_relations on entities.entity_id = last_relations.entity_id
