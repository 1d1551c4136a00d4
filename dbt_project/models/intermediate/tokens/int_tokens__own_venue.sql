with operators as (
    select entity_id
    from {{ ref('int_affiliates__operator') }}
),

entities as (
    select
        entity_id,
        name
    from {{ ref('stg_landing__entities') }}
),

names as (
    select entities.entity_id as source_name
    from entities
    inner join operators on entities.entity_id = operators.entity_id
    union all
    select entities.name as source_name
    from entities
    inner join operators on entities.entity_id = operators.entity_id
    union all
    select item as source_name
    from {{ policy_items('operator.own_venue_sources') }}
)

select distinct lower(trim(source_name)) as source_name
from names
where trim(source_name) <> ''
