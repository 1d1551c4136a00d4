with attributes as (
    select
        entity_id,
        attribute_type,
        attribute_hash,
        min(recorded_at) as known_at
    from {{ ref('stg_landing__entity_attributes') }}
    where attribute_type in ('bank_account', 'withdrawal_address', 'device')
    group by entity_id, attribute_type, attribute_hash
),

relations as (
    select
        entity_id,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
),

entities as (
    select
        entity_id,
        entity_type
    from {{ ref('stg_landing__entities') }}
),

account_holders as (
    select distinct entity_id
    from {{ ref('stg_landing__accounts') }}
),

-- An affiliate tells customers to wire to its bank account: that they know it makes them its victims, whoever of the
-- group lists that account besides.
victims as (
    select distinct
        deposits.customer_entity_id as entity_id,
        attributes.attribute_type,
        attributes.attribute_hash
    from {{ ref('int_affiliates__misdirected_deposit') }} as deposits
    inner join attributes on deposits.owner_entity_id = attributes.entity_id
    where attributes.attribute_type = 'bank_account'
),

group_attributes as (
    select
        attributes.entity_id,
        attributes.attribute_type,
        attributes.attribute_hash,
        attributes.known_at,
        relations.relation,
        relations.from_date,
        relations.to_date
    from attributes
    inner join relations on attributes.entity_id = relations.entity_id
    where relations.relation <> 'customer'
),

-- An address of an exchange or a shared computer says nothing about who is behind it.
narrow_attributes as (
    select
        attributes.attribute_type,
        attributes.attribute_hash
    from attributes
    semi join group_attributes
        on
            attributes.attribute_type = group_attributes.attribute_type
            and attributes.attribute_hash = group_attributes.attribute_hash
    group by attributes.attribute_type, attributes.attribute_hash
    having count(*) between 2 and {{ policy('relation.shared_attribute_max_entities') }}
),

-- Banks and custodians without an account of their own share addresses with the operator by trade.
customer_attributes as (
    select
        attributes.entity_id,
        attributes.attribute_type,
        attributes.attribute_hash,
        attributes.known_at,
        relations.from_date,
        relations.to_date
    from attributes
    semi join narrow_attributes
        on
            attributes.attribute_type = narrow_attributes.attribute_type
            and attributes.attribute_hash = narrow_attributes.attribute_hash
    inner join relations on attributes.entity_id = relations.entity_id
    left join entities on attributes.entity_id = entities.entity_id
    left join account_holders on attributes.entity_id = account_holders.entity_id
    where
        relations.relation = 'customer'
        and (
            account_holders.entity_id is not null
            or coalesce(entities.entity_type not in ('bank', 'custodian'), true)
        )
)

select
    customer_attributes.entity_id,
    group_attributes.entity_id as related_entity_id,
    group_attributes.relation as related_as,
    customer_attributes.attribute_type,
    customer_attributes.attribute_hash,
    greatest(customer_attributes.from_date, group_attributes.from_date) as from_date,
    least(customer_attributes.to_date, group_attributes.to_date) as to_date,
    greatest(customer_attributes.known_at, group_attributes.known_at) as known_at
from customer_attributes
inner join group_attributes
    on
        customer_attributes.attribute_type = group_attributes.attribute_type
        and customer_attributes.attribute_hash = group_attributes.attribute_hash
        and customer_attributes.from_date < group_attributes.to_date
        and customer_attributes.to_date > group_attributes.from_date
anti join victims
    on
        customer_attributes.entity_id = victims.entity_id
        and customer_attributes.attribute_type = victims.attribute_type
        and customer_attributes.attribute_hash = victims.attribute_hash
