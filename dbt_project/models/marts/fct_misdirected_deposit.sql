select
    transfer_id,
    wallet_id,
    owner_entity_id,
    asset,
    block_date,
    customer_entity_id,
    amount,
    known_at
from {{ ref('int_affiliates__misdirected_deposit') }}
