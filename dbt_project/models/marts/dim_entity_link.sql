select
    parent_entity_id,
    child_entity_id,
    link_type,
    ownership_pct,
    from_at,
    to_at
from {{ ref('int_affiliates__group_link') }}
where not is_as_told
