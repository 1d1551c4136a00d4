with entities as (
    select
        entity_id,
        entity_type
    from {{ ref('stg_landing__entities') }}
),

subsidiaries as (
    select distinct list_item.item as entity_id
    from {{ source('policy', 'list_item') }} as list_item
    where list_item.name = 'operator.custodial_subsidiaries'
)

select
    entities.entity_id,
    case when entities.entity_type = 'operator' then 'entity_type' else 'custodial_subsidiary' end as reason
from entities
left join subsidiaries on entities.entity_id = subsidiaries.entity_id
where entities.entity_type = 'operator' or subsidiaries.entity_id is not null
