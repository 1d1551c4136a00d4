with wallets as (
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
        valid_to
    from {{ ref('stg_landing__wallets') }}
)

select
    wallet_id,
    {{ normalised_network('network') }} as network,
    address,
    {{ normalised_address('network', 'address') }} as normalised_address,
    owner_entity_id,
    purpose,
    custody,
    encumbered_pct,
    ownership_proof,
    proven_at,
    valid_from,
    valid_to
from wallets
where valid_to is null or valid_from < valid_to
