select
    entity_id,
    ended_on,
    is_rewritten,
    affiliate_from_date,
    previous_path
from {{ ref('int_affiliates__affiliation_end') }}
