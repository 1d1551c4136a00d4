with exclusions as (
    select
        as_of_date,
        wallet_id,
        asset,
        in_kind_group,
        quantity,
        value_usd,
        reason
    from {{ published(ref('fct_reserve_exclusion_daily')) }}
),

wallets as (
    select
        wallet_id,
        network,
        address,
        owner_entity_id,
        owner_relation,
        purpose,
        custody,
        encumbered_pct,
        ownership_proof,
        proven_at
    from {{ published(ref('dim_wallet')) }}
),

entities as (
    select
        entity_id,
        name
    from {{ published(ref('dim_entity')) }}
)

select
    exclusions.as_of_date,
    exclusions.reason,
    exclusions.wallet_id,
    exclusions.asset,
    exclusions.in_kind_group,
    exclusions.quantity,
    exclusions.value_usd,
    wallets.network,
    wallets.address,
    wallets.owner_entity_id,
    entities.name as owner_name,
    wallets.owner_relation,
    wallets.purpose,
    wallets.custody,
    wallets.encumbered_pct,
    wallets.ownership_proof,
    wallets.proven_at
from exclusions
left join wallets on exclusions.wallet_id = wallets.wallet_id
left join entities on wallets.owner_entity_id = entities.entity_id
order by
    exclusions.as_of_date asc, exclusions.value_usd desc nulls first, exclusions.wallet_id asc, exclusions.asset asc
