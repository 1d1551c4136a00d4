with known as (
    select
        entity_id,
        entity_type,
        name,
        country,
        recorded_at,
        source_file,
        source_row
    from {{ source('landing', 'entities') }}
    where recorded_at < {{ run_value('knowledge_at') }}
)

select
    entity_id,
    entity_type,
    name,
    country,
    recorded_at,
    source_file,
    source_row
from known
qualify row_number() over (partition by entity_id order by recorded_at desc) = 1
