{%- set deductions = ['unsupported', 'backdated', 'affiliate', 'own_token_haircut'] -%}
with months as (
    select
        month,
        reported_usd,
        {%- for step in deductions %}
            {{ step }}_usd,
        {%- endfor %}
        token_adjusted_revenue_usd
    from {{ published(ref('fct_token_adjusted_revenue_monthly')) }}
),

steps as (
    select
        month,
        1 as step_number,
        'reported' as step,
        reported_usd as amount_usd
    from months
    {%- for step in deductions %}
        union all
        select
            month,
            {{ loop.index + 1 }} as step_number,
            '{{ step }}' as step,
            -{{ step }}_usd as amount_usd
        from months
    {%- endfor %}
    union all
    select
        month,
        {{ deductions | length + 2 }} as step_number,
        'token_adjusted_revenue' as step,
        token_adjusted_revenue_usd as amount_usd
    from months
)

select
    month,
    cast(step_number as bigint) as step_number,
    step,
    cast(amount_usd as decimal(38, 8)) as amount_usd,
    case
        when step = 'token_adjusted_revenue' then cast(amount_usd as decimal(38, 8))
        when amount_usd is not null
            then cast(sum(amount_usd) over (
                partition by month
                order by step_number
                rows between unbounded preceding and current row
            ) as decimal(38, 8))
    end as remaining_usd
from steps
order by month asc, step_number asc
