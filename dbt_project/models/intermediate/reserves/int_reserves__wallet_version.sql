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
    where valid_to is null or valid_from < valid_to
),

-- Registers often add a version without closing the one before: a later one that holds as long takes its place.
succeeded as (
    select
        wallets.wallet_id,
        wallets.valid_from,
        min(successors.valid_from) as succeeded_at
    from wallets
    inner join wallets as successors
        on
            wallets.wallet_id = successors.wallet_id
            and wallets.valid_from < successors.valid_from
            and (successors.valid_to is null or wallets.valid_to <= successors.valid_to)
    group by wallets.wallet_id, wallets.valid_from
)

select
    wallets.wallet_id,
    {{ normalised_network('wallets.network') }} as network,
    wallets.address,
    -- A custodian's account may have no address or number: it is a place of its own.
    coalesce({{ normalised_address('wallets.network', 'wallets.address') }}, 'wallet ' || wallets.wallet_id)
        as normalised_address,
    wallets.owner_entity_id,
    wallets.purpose,
    wallets.custody,
    wallets.encumbered_pct,
    wallets.ownership_proof,
    wallets.proven_at,
    wallets.valid_from,
    least(wallets.valid_to, succeeded.succeeded_at) as valid_to
from wallets
left join succeeded on wallets.wallet_id = succeeded.wallet_id and wallets.valid_from = succeeded.valid_from
