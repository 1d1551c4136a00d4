with known as (
    select
        entity_id,
        attribute_type,
        attribute_hash,
        recorded_at,
        source_file,
        source_row
    from {{ source('landing', 'entity_attributes') }}
    where recorded_at < {{ run_value('knowledge_at') }}
)

select
    entity_id,
    attribute_type,
    attribute_hash,
    recorded_at,
    source_file,
    source_row
from known
