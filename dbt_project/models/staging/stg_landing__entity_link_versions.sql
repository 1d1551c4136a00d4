with known as (
    select
        parent_entity_id,
        child_entity_id,
        link_type,
        ownership_pct,
        valid_from,
        valid_to,
        recorded_at,
        source_file,
        source_row
    from {{ source('landing', 'entity_links') }}
    where recorded_at < {{ run_value('knowledge_at') }}
)

select
    parent_entity_id,
    child_entity_id,
    link_type,
    ownership_pct,
    valid_from,
    valid_to,
    recorded_at,
    source_file,
    source_row,
    lead(recorded_at) over (
        partition by parent_entity_id, child_entity_id, link_type, valid_from order by recorded_at
    ) as superseded_at
from known
