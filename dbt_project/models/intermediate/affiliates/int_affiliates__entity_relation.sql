with entities as (
    select entity_id
    from {{ ref('stg_landing__entities') }}
    union
    select entity_id
    from {{ ref('stg_landing__accounts') }}
    union
    select owner_entity_id as entity_id
    from {{ ref('stg_landing__wallets') }}
),

operators as (
    select
        entity_id,
        reason
    from {{ ref('int_affiliates__operator') }}
),

affiliate_periods as (
    select
        entity_id,
        from_date,
        to_date,
        reason,
        evidence_path
    from {{ ref('int_affiliates__affiliate_period') }}
    where not is_as_told
),

starts_of_customer_periods as (
    select
        entity_id,
        {{ run_value('landing_first_date') }} as from_date
    from entities
    union all
    select
        entity_id,
        to_date as from_date
    from affiliate_periods
),

customer_periods as (
    select
        starts_of_customer_periods.entity_id,
        starts_of_customer_periods.from_date,
        coalesce(min(affiliate_periods.from_date), {{ run_value('calendar_last_date') }} + 1) as to_date
    from starts_of_customer_periods
    left join affiliate_periods
        on
            starts_of_customer_periods.entity_id = affiliate_periods.entity_id
            and starts_of_customer_periods.from_date <= affiliate_periods.from_date
    group by starts_of_customer_periods.entity_id, starts_of_customer_periods.from_date
)

select
    entity_id,
    'operator' as relation,
    {{ run_value('landing_first_date') }} as from_date,
    {{ run_value('calendar_last_date') }} + 1 as to_date,
    reason,
    null as evidence_path
from operators
union all
select
    entity_id,
    'affiliate' as relation,
    from_date,
    to_date,
    reason,
    evidence_path
from affiliate_periods
union all
select
    customer_periods.entity_id,
    'customer' as relation,
    customer_periods.from_date,
    customer_periods.to_date,
    null as reason,
    null as evidence_path
from customer_periods
left join operators on customer_periods.entity_id = operators.entity_id
where operators.entity_id is null and customer_periods.from_date < customer_periods.to_date
