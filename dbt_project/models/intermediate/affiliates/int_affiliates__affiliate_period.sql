with related_days as (
    select
        is_as_told,
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
        is_as_told,
        entity_id,
        priority,
        reason,
        evidence_path,
        from_date,
        to_date,
        max(to_date) over (
            partition by is_as_told, entity_id
            order by from_date, to_date, priority, reason, evidence_path
            rows between unbounded preceding and 1 preceding
        ) as reached_date
    from related_days
),

numbered as (
    select
        is_as_told,
        entity_id,
        priority,
        reason,
        evidence_path,
        from_date,
        to_date,
        count(*) filter (where reached_date is null or from_date > reached_date) over (
            partition by is_as_told, entity_id
            order by from_date, to_date, priority, reason, evidence_path
            rows between unbounded preceding and current row
        ) as island
    from marked
)

select
    is_as_told,
    entity_id,
    min(from_date) as from_date,
    max(to_date) as to_date,
    min_by(reason, (priority, from_date, evidence_path, reason)) as reason,
    min_by(evidence_path, (priority, from_date, evidence_path, reason)) as evidence_path
from numbered
group by is_as_told, entity_id, island
