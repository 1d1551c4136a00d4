{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_touched',
        meta={'recomputed_for': {'model': 'int_plan__touched_flow', 'column': 'reference', 'key': 'transfer_id'}},
    )
}}

{%- set touched_flows = ref('int_plan__touched_flow') -%}
with transfers as (
    select
        transfer_id,
        wallet_id,
        asset,
        amount,
        transfer_type,
        block_time,
        block_date,
        known_at,
        nullif(trim(counterparty_wallet_id), '') as counterparty_wallet_id,
        {{ without_white_space("nullif(trim(counterparty_address), '')") }} as visible_address
    from {{ ref('stg_landing__wallet_transfers') }}
    where {{ is_touched('transfer_id', touched_flows) }}
),

versions as (
    select
        wallet_id,
        network,
        normalised_address,
        owner_entity_id,
        purpose,
        valid_from,
        coalesce(valid_to, timestamp '9999-12-31') as valid_to
    from {{ ref('int_reserves__wallet_version') }}
),

relations as (
    select
        entity_id,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
),

matched as (
    select
        transfer_id,
        customer_amount
    from {{ ref('int_reserves__matched_transfer') }}
),

rules as (
    select
        as_of_date,
        wallet_id,
        reason
    from {{ ref('int_reserves__wallet_rule_daily') }}
),

-- Stretches of time in which a wallet has one version: of versions that hold at once, the one that began last.
version_limits as (
    select
        wallet_id,
        valid_from as changed_at
    from versions
    union
    select
        wallet_id,
        valid_to as changed_at
    from versions
),

stretches as (
    select
        wallet_id,
        changed_at as from_time,
        lead(changed_at) over (partition by wallet_id order by changed_at) as to_time
    from version_limits
),

own_versions as (
    select
        stretches.wallet_id,
        stretches.from_time,
        stretches.to_time,
        versions.network,
        versions.owner_entity_id
    from stretches
    inner join versions
        on
            stretches.wallet_id = versions.wallet_id
            and stretches.from_time >= versions.valid_from
            and stretches.to_time <= versions.valid_to
    qualify
        row_number() over (
            partition by stretches.wallet_id, stretches.from_time
            order by versions.valid_from desc
        ) = 1
),

-- The wallet as it was when it moved.
own_side as (
    select
        transfers.transfer_id,
        transfers.wallet_id,
        transfers.counterparty_wallet_id,
        transfers.asset,
        transfers.amount,
        transfers.transfer_type,
        transfers.block_time,
        transfers.block_date,
        transfers.known_at,
        own_versions.network,
        own_versions.owner_entity_id,
        {{ normalised_visible_address('own_versions.network', 'transfers.visible_address') }} as counterparty_address
    from transfers
    left join own_versions
        on
            transfers.wallet_id = own_versions.wallet_id
            and transfers.block_time >= own_versions.from_time
            and transfers.block_time < own_versions.to_time
),

-- An address that is one of the register's wallets is that wallet, whether or not the transfer says so.
named_parties as (
    select
        own_side.transfer_id,
        own_side.counterparty_wallet_id as party_wallet_id,
        versions.owner_entity_id as party_entity_id,
        versions.valid_from
    from own_side
    inner join versions
        on
            own_side.counterparty_wallet_id = versions.wallet_id
            and own_side.block_time >= versions.valid_from
            and own_side.block_time < versions.valid_to
    union all
    select
        own_side.transfer_id,
        versions.wallet_id as party_wallet_id,
        versions.owner_entity_id as party_entity_id,
        versions.valid_from
    from own_side
    inner join versions
        on
            own_side.network = versions.network
            and own_side.counterparty_address = versions.normalised_address
            and own_side.block_time >= versions.valid_from
            and own_side.block_time < versions.valid_to
    where own_side.counterparty_wallet_id is null
),

parties as (
    select
        transfer_id,
        party_wallet_id,
        party_entity_id
    from named_parties
    qualify row_number() over (partition by transfer_id order by valid_from desc, party_wallet_id asc) = 1
)

select
    own_side.transfer_id,
    own_side.wallet_id,
    own_side.asset,
    own_side.amount,
    own_side.transfer_type,
    own_side.block_time,
    own_side.block_date,
    own_side.known_at,
    own_relations.relation as owner_relation,
    party_relations.relation as party_relation,
    cast(coalesce(matched.customer_amount, 0) as decimal(38, 18)) as customer_amount,
    coalesce(parties.party_wallet_id, own_side.counterparty_wallet_id) as party_wallet_id,
    coalesce(rules.wallet_id is not null and rules.reason is null, false) as is_party_eligible
from own_side
left join relations as own_relations
    on
        own_side.owner_entity_id = own_relations.entity_id
        and own_side.block_date >= own_relations.from_date
        and own_side.block_date < own_relations.to_date
left join parties on own_side.transfer_id = parties.transfer_id
left join relations as party_relations
    on
        parties.party_entity_id = party_relations.entity_id
        and own_side.block_date >= party_relations.from_date
        and own_side.block_date < party_relations.to_date
left join rules on own_side.block_date = rules.as_of_date and parties.party_wallet_id = rules.wallet_id
left join matched on own_side.transfer_id = matched.transfer_id
