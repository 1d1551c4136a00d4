with accounts as (
    select
        account_id,
        entity_id,
        account_class
    from {{ ref('stg_landing__accounts') }}
    where account_class <> 'external'
),

entity_relations as (
    select
        entity_id,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
)

select
    accounts.account_id,
    accounts.entity_id,
    accounts.account_class,
    entity_relations.relation,
    entity_relations.from_date,
    entity_relations.to_date
from accounts
inner join entity_relations on accounts.entity_id = entity_relations.entity_id
