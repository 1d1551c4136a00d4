select
    as_of_date,
    account_id,
    entity_id,
    account_class,
    relation,
    privileges,
    credit_line_usd,
    has_unlimited_credit,
    known_at
from {{ ref('int_affiliates__privilege_daily') }}
