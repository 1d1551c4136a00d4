with known as (
    select
        wallet_id,
        network,
        address,
        owner_entity_id,
        purpose,
        custody,
        encumbered_pct,
        ownership_proof,
        proven_at,
        valid_from,
        valid_to,
        recorded_at,
        source_file,
        source_row,
        accepted_load_number
    from {{ source('landing', 'wallets') }}
    where recorded_at < {{ run_value('knowledge_at') }}
)

select
    wallet_id,
    network,
    address,
    owner_entity_id,
    purpose,
    custody,
    encumbered_pct,
    ownership_proof,
    proven_at,
    valid_from,
    valid_to,
    recorded_at,
    source_file,
    source_row,
    accepted_load_number
from known
qualify row_number() over (partition by wallet_id, valid_from order by recorded_at desc) = 1
