{#- Models that are kept from run to run: what is new is added to what was built, see int_plan__scope. -#}

{% macro is_continued() -%}
    {#- Whether the model continues what was built before. A project that is only compiled has no relations to ask. -#}
    {%- if flags.WHICH == 'compile' -%}
        {{ return(var('is_continued', false)) }}
    {%- endif -%}
    {{ return(is_incremental()) }}
{%- endmacro %}


{% macro built_rows(columns) -%}
    {#- What the model holds of the build before, as a relation; without rows if everything is built anew. `columns` maps
        its columns to their types. -#}
    {%- if is_continued() -%}
        {{ this }}
    {%- else -%}
        (
            select
            {%- for name, type in columns.items() %}
                cast(null as {{ type }}) as {{ name }}{{ ',' if not loop.last }}
            {%- endfor %}
            where false
        )
    {%- endif -%}
{%- endmacro %}


{% macro get_incremental_recompute_days_sql(arguments) -%}
    {#- The strategy of models kept by day: what was built from the first day of the scope on makes way for what was
        computed now, also where nothing takes its place. `meta.first_day` names the scope and its column. -#}
    {%- set first_day = model.config.meta.first_day -%}
    {%- set columns = arguments.dest_columns | map(attribute='quoted') | join(', ') -%}
    delete from {{ arguments.target_relation }}
    where as_of_date >= {{ scope_value(first_day.column, first_day.scope) }};
    insert into {{ arguments.target_relation }} ({{ columns }})
    select {{ columns }}
    from {{ arguments.temp_relation }}
{%- endmacro %}
