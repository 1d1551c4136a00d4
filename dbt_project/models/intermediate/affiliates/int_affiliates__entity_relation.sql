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

related_days as (
    select
        entity_id,
        priority,
        reason,
        evidence_path,
        cast(from_at as date) as from_date,
        cast(to_at - interval 1 microsecond as date) + 1 as to_date
    from {{ ref('int_affiliates__related_interval') }}
),

marked as (
    select
        entity_id,
        priority,
        reason,
        evidence_path,
        from_date,
        to_date,
        max(to_date) over (
            partition by entity_id
            order by from_date, to_date, priority, reason, evidence_path
            rows between unbounded preceding and 1 preceding
        ) as reached_date
    from related_days
),

numbered as (
    select
        entity_id,
        priority,
        reason,
        evidence_path,
        from_date,
        to_date,
        count(*) filter (where reached_date is null or from_date > reached_date) over (
            partition by entity_id
            order by from_date, to_date, priority, reason, evidence_path
            rows between unbounded preceding and current row
        ) as island
    from marked
),

affiliate_periods as (
    select
        entity_id,
        min(from_date) as from_date,
        max(to_date) as to_date,
        arg_min(reason, (priority, from_date, evidence_path, reason)) as reason,
        arg_min(evidence_path, (priority, from_date, evidence_path, reason)) as evidence_path
    from numbered
    group by entity_id, island
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
