with known as (
    select
        account_id,
        privilege,
        limit_usd,
        valid_from,
        valid_to,
        recorded_at,
        set_by,
        source_file,
        source_row
    from {{ source('landing', 'account_privileges') }}
    where recorded_at < {{ run_value('knowledge_at') }}
)

select
    account_id,
    privilege,
    limit_usd,
    valid_from,
    valid_to,
    recorded_at,
    set_by,
    source_file,
    source_row
from known
qualify row_number() over (partition by account_id, privilege, valid_from order by recorded_at desc) = 1
