select
    as_of_date,
    entity_id,
    reason,
    evidence_path,
    value_usd,
    known_at
from {{ ref('int_affiliates__suspicion_daily') }}
