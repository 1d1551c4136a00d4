{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_touched',
        on_schema_change='fail',
        meta={'recomputed_for': {'model': 'int_plan__touched_flow', 'column': 'reference', 'key': 'reference'}},
    )
}}

{%- set touched_flows = ref('int_plan__touched_flow') -%}
with flows as (
    select
        reference,
        asset,
        wallet_id,
        transfer_type,
        transfer_amount,
        entry_amount,
        entries,
        block_date,
        first_effective_date,
        last_effective_date,
        transfer_known_at,
        entries_known_at
    from {{ ref('int_reserves__outside_flow') }}
    where {{ is_touched('reference', touched_flows) }}
)

select
    reference,
    asset,
    wallet_id,
    transfer_type,
    transfer_amount,
    entry_amount,
    entries,
    block_date,
    first_effective_date,
    last_effective_date,
    transfer_known_at,
    entries_known_at
from flows
