with periods as (
    select
        is_as_told,
        entity_id,
        from_date,
        to_date,
        evidence_path
    from {{ ref('int_affiliates__affiliate_period') }}
),

customer_periods as (
    select
        entity_id,
        from_date,
        to_date
    from {{ ref('int_affiliates__entity_relation') }}
    where relation = 'customer'
)

-- An end that a link's later version moved into the past is an end on the day on which it was said, too.
select
    periods.entity_id,
    periods.is_as_told as is_rewritten,
    periods.from_date as affiliate_from_date,
    periods.to_date as ended_on,
    customer_periods.to_date as customer_to_date,
    periods.evidence_path as previous_path
from periods
inner join customer_periods
    on
        periods.entity_id = customer_periods.entity_id
        and periods.to_date >= customer_periods.from_date
        and periods.to_date < customer_periods.to_date
where not periods.is_as_told or periods.to_date > customer_periods.from_date
