with known as (
    select
        account_id,
        entity_id,
        account_class,
        label,
        opened_at,
        closed_at,
        recorded_at,
        source_file,
        source_row
    from {{ source('landing', 'accounts') }}
    where recorded_at < {{ run_value('knowledge_at') }}
)

select
    account_id,
    entity_id,
    account_class,
    label,
    opened_at,
    closed_at,
    recorded_at,
    source_file,
    source_row
from known
qualify row_number() over (partition by account_id order by recorded_at desc) = 1
