{#- Sources on an engine that holds no accepted rows of its own. -#}

{% macro create_sources(place) -%}
    {#- Make the tables that `ringfence export-sources --out PLACE` wrote the project's sources:
        dbt run-operation create_sources --target spark --args '{place: PLACE}' -#}
    {{ return(adapter.dispatch('create_sources')(place)) }}
{%- endmacro %}

{% macro default__create_sources(place) -%}
    {{ exceptions.raise_compiler_error('the build file holds its sources itself; create_sources is for target spark') }}
{%- endmacro %}

{% macro spark__create_sources(place) -%}
    {%- set sources = graph.sources.values() | rejectattr('schema', 'equalto', 'incoming') | list -%}
    {%- for schema in sources | map(attribute='schema') | unique -%}
        {%- do run_query('create schema if not exists ' ~ schema) -%}
    {%- endfor -%}
    {%- for source in sources -%}
        {%- set table = source.schema ~ '.' ~ source.name -%}
        {%- do run_query('drop table if exists ' ~ table) -%}
        {%- do run_query(
            'create table ' ~ table ~ " using parquet location '" ~ place ~ '/' ~ source.schema ~ '/' ~ source.name ~ "'"
        ) -%}
    {%- endfor -%}
{%- endmacro %}
