{#- Views that analysts open: they are copied into the published file as they stand. -#}

{% macro published(relation) -%}
    {#- A relation by schema and name alone, so that a view finds it in whichever file it was copied into. -#}
    {{ relation.include(database=false) }}
{%- endmacro %}


{% macro latest_day() -%}
    {#- The last day of the marts, as a sub-query. -#}
    (select max(latest.as_of_date) from {{ published(ref('fct_solvency_daily')) }} as latest)
{%- endmacro %}
