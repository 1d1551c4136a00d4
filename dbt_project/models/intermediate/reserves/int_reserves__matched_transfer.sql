{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_touched',
        meta={'recomputed_for': {'model': 'int_plan__touched_flow', 'column': 'reference', 'key': 'transfer_id'}},
    )
}}

{%- set touched_flows = ref('int_plan__touched_flow') -%}
with entries as (
    select
        reference,
        asset,
        amount,
        relation,
        effective_at,
        effective_date,
        known_at
    from {{ ref('int_reserves__outside_entry') }}
    where
        not is_external
        and entry_type <> 'opening'
        and reference is not null
        and {{ is_touched('reference', touched_flows) }}
),

transfers as (
    select
        transfer_id,
        wallet_id,
        asset,
        amount,
        transfer_type,
        block_time,
        block_date,
        known_at
    from {{ ref('stg_landing__wallet_transfers') }}
    where {{ is_touched('transfer_id', touched_flows) }}
),

referenced as (
    select
        reference,
        asset,
        sum(amount) as entry_amount,
        coalesce(sum(amount) filter (where relation = 'customer'), 0) as customer_amount,
        count(*) as entries,
        count(*) filter (where relation = 'customer') as customer_entries,
        min(effective_at) as first_effective_at,
        max(effective_at) as last_effective_at,
        max(known_at) as known_at
    from entries
    group by reference, asset
)

select
    transfers.transfer_id,
    transfers.wallet_id,
    transfers.asset,
    transfers.amount,
    transfers.transfer_type,
    transfers.block_time,
    transfers.block_date,
    cast(referenced.entry_amount as decimal(38, 18)) as entry_amount,
    cast(referenced.customer_amount as decimal(38, 18)) as customer_amount,
    referenced.entries,
    referenced.customer_entries,
    referenced.first_effective_at,
    referenced.last_effective_at,
    transfers.amount = referenced.entry_amount as is_amount_equal,
    greatest(transfers.known_at, referenced.known_at) as known_at
from transfers
inner join referenced on transfers.transfer_id = referenced.reference and transfers.asset = referenced.asset
