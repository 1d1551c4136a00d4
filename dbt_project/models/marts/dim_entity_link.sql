select
    parent_entity_id,
    child_entity_id,
    link_type,
    ownership_pct,
    cast(from_at as timestamp) as from_at,
    cast(to_at as timestamp) as to_at
from {{ ref('int_affiliates__group_link') }}
where not is_as_told
