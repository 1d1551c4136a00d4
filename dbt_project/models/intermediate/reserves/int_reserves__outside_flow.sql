{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_touched',
        meta={'recomputed_for': {'model': 'int_plan__touched_flow', 'column': 'reference', 'key': 'reference'}},
    )
}}

{%- set touched_flows = ref('int_plan__touched_flow') -%}
with entries as (
    select
        entry_id,
        reference,
        asset,
        amount,
        entry_type,
        effective_date,
        known_at,
        is_external
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
        block_date,
        known_at
    from {{ ref('stg_landing__wallet_transfers') }}
    where {{ is_touched('transfer_id', touched_flows) }}
),

booked as (
    select
        reference,
        asset,
        cast(sum(amount) as decimal(38, 18)) as entry_amount,
        count(*) as entries,
        min(effective_date) as first_effective_date,
        max(effective_date) as last_effective_date,
        max(known_at) as entries_known_at
    from entries
    group by reference, asset
)

select
    transfers.wallet_id,
    transfers.transfer_type,
    transfers.amount as transfer_amount,
    booked.entry_amount,
    transfers.block_date,
    booked.first_effective_date,
    booked.last_effective_date,
    transfers.known_at as transfer_known_at,
    booked.entries_known_at,
    coalesce(booked.reference, transfers.transfer_id) as reference,
    coalesce(booked.asset, transfers.asset) as asset,
    coalesce(booked.entries, 0) as entries
from booked
full outer join transfers on booked.reference = transfers.transfer_id and booked.asset = transfers.asset
where booked.reference is not null or transfers.transfer_type in ('deposit', 'withdrawal')
