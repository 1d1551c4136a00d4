with found as (
    {% for check in published_checks() %}
        select
            as_of_date,
            '{{ check }}' as check_name,
            subject_type,
            subject_id,
            asset,
            impact_usd
        from {{ ref(check) }}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
),

weighed as (
    select
        as_of_date,
        check_name,
        subject_type,
        subject_id,
        asset,
        max(impact_usd) as impact_usd
    from found
    group by as_of_date, check_name, subject_type, subject_id, asset
),

-- Of one check and day the largest findings are traced: a day on which everything fails has one cause, and what is kept
-- stays bounded.
largest as (
    select
        as_of_date,
        check_name,
        subject_type,
        subject_id,
        asset
    from weighed
    qualify
        row_number() over (
            partition by as_of_date, check_name
            order by impact_usd desc nulls last, subject_type, subject_id, asset nulls last
        ) <= {{ findings_traced() }}
)

select
    as_of_date,
    check_name,
    subject_type,
    subject_id,
    asset,
    cast(
        row_number() over (order by as_of_date, check_name, subject_type, subject_id, asset nulls last) as bigint
    ) as finding_number
from largest
