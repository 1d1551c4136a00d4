with scope as (
    select first_party_date
    from {{ ref('int_plan__flow_scope') }}
)

select trim(reference) as reference
from {{ ref('int_plan__touched_entry') }}
where trim(reference) <> ''
union
select transfer_id as reference
from {{ ref('int_plan__new_transfer') }}
union
select transfers.transfer_id as reference
from {{ ref('stg_landing__wallet_transfers') }} as transfers
cross join scope
where transfers.block_date >= scope.first_party_date
