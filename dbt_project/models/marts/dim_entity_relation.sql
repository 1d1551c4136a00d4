select
    entity_id,
    relation,
    from_date,
    to_date,
    reason,
    evidence_path
from {{ ref('int_affiliates__entity_relation') }}
