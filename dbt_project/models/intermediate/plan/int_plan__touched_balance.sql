select
    account_id,
    asset,
    min(effective_date) as from_date
from {{ ref('int_plan__new_entry') }}
group by account_id, asset
