{#- Policy and run context reach the models as tables that the run writes first (schema `policy`), so that a changed
    threshold needs no re-parse and every figure can be traced to the policy that was in force. -#}

{% macro policy(name) -%}
    {#- A scalar setting as DECIMAL(38,18). Percentages are kept as written in the policy file (0 to 100). -#}
    (select setting.value from {{ source('policy', 'setting') }} as setting where setting.name = '{{ name }}')
{%- endmacro %}


{% macro policy_items(name) -%}
    {#- The items of a list setting, for `x in ...`. -#}
    (select list_item.item from {{ source('policy', 'list_item') }} as list_item where list_item.name = '{{ name }}')
{%- endmacro %}


{% macro run_value(column) -%}
    {#- One value of the run's context: first_date, last_date, knowledge_at, landing_first_date. -#}
    (select run_context.{{ column }} from {{ source('policy', 'run_context') }} as run_context)
{%- endmacro %}
