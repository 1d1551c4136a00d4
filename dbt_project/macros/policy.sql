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


{% macro stated_tolerances(name) -%}
    {#- A map setting of tolerances by asset, as rows of (asset, units): they take the place of the USD tolerance. -#}
    select
        list_item.item as asset,
        list_item.value as units
    from {{ source('policy', 'list_item') }} as list_item
    where list_item.name = '{{ name }}'
{%- endmacro %}


{% macro exceeds_tolerance(quantity, value, units, usd_setting) -%}
    {#- Whether a difference is more than policy tolerates: in the asset's own units where policy states them, else in
        USD, else (unpriced) dust. -#}
    case
        when {{ units }} is not null then abs({{ quantity }}) > {{ units }}
        when {{ value }} is not null then abs({{ value }}) > {{ policy(usd_setting) }}
        else abs({{ quantity }}) >= {{ policy('dust.unpriced_units') }}
    end
{%- endmacro %}


{% macro run_value(column) -%}
    {#- One value of the run's context: first_date, last_date, knowledge_at, landing_first_date. -#}
    {{- policy_constant(source('policy', 'run_context'), column) -}}
{%- endmacro %}


{% macro plan_value(column) -%}
    {#- One value of the build plan: is_whole, or built_load_number, built_knowledge_at and built_last_date, which are
        null in a whole build. -#}
    {{- policy_constant(source('policy', 'build_plan'), column) -}}
{%- endmacro %}


{% macro policy_constant(table, column) -%}
    {#- The value in a table of one row. On DuckDB the macro that the run has made of it, which counts as a constant; on
        other engines a sub-query. -#}
    {{- adapter.dispatch('policy_constant')(table, column) -}}
{%- endmacro %}


{% macro default__policy_constant(table, column) -%}
    (select {{ table.identifier }}.{{ column }} from {{ table }} as {{ table.identifier }})
{%- endmacro %}


{% macro duckdb__policy_constant(table, column) -%}
    {{ table.schema }}.{{ table.identifier }}_{{ column }}()
{%- endmacro %}


{% macro scope_value(column, scope='int_plan__scope') -%}
    {#- The first day that this run computes of what is kept by day; in a whole build the calendar's first. -#}
    (select scope.{{ column }} from {{ ref(scope) }} as scope)
{%- endmacro %}
