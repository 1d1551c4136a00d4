with entries as (
    select
        entry_id,
        account_id,
        reference,
        asset,
        amount,
        known_at
    from {{ ref('int_reserves__outside_entry') }}
    where entry_type = 'deposit' and relation = 'customer' and amount > 0 and reference is not null
),

transfers as (
    select
        transfer_id,
        wallet_id,
        asset,
        block_time,
        block_date,
        known_at
    from {{ ref('stg_landing__wallet_transfers') }}
    where amount > 0
),

wallet_versions as (
    select
        wallet_id,
        owner_entity_id,
        valid_from,
        valid_to
    from {{ ref('int_reserves__wallet_version') }}
),

affiliates as (
    select
        entity_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
    where relation = 'affiliate'
),

accounts as (
    select
        account_id,
        entity_id
    from {{ ref('stg_landing__accounts') }}
),

received as (
    select
        transfers.transfer_id,
        transfers.wallet_id,
        transfers.asset,
        transfers.block_date,
        transfers.known_at,
        min(wallet_versions.owner_entity_id) as owner_entity_id
    from transfers
    inner join wallet_versions
        on
            transfers.wallet_id = wallet_versions.wallet_id
            and transfers.block_time >= wallet_versions.valid_from
            and (wallet_versions.valid_to is null or transfers.block_time < wallet_versions.valid_to)
    inner join affiliates
        on
            wallet_versions.owner_entity_id = affiliates.entity_id
            and transfers.block_date >= affiliates.from_date
            and transfers.block_date < affiliates.to_date
    group by transfers.transfer_id, transfers.wallet_id, transfers.asset, transfers.block_date, transfers.known_at
)

select
    received.transfer_id,
    received.wallet_id,
    received.owner_entity_id,
    received.asset,
    received.block_date,
    accounts.entity_id as customer_entity_id,
    cast(sum(entries.amount) as decimal(38, 18)) as amount,
    greatest(max(received.known_at), max(entries.known_at)) as known_at
from received
inner join entries on received.transfer_id = entries.reference and received.asset = entries.asset
inner join accounts on entries.account_id = accounts.account_id
group by
    received.transfer_id,
    received.wallet_id,
    received.owner_entity_id,
    received.asset,
    received.block_date,
    accounts.entity_id
