with found as (
    {%- for check in published_checks() %}
    select
        as_of_date,
        '{{ check }}' as check_name,
        subject_type,
        subject_id,
        asset
    from {{ ref(check) }}
    {%- if not loop.last %}
    union
    {%- endif %}
    {%- endfor %}
)

select
    as_of_date,
    check_name,
    subject_type,
    subject_id,
    asset,
    row_number() over (order by as_of_date, check_name, subject_type, subject_id, asset) as finding_number
from found
