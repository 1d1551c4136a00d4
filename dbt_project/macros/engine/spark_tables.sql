{#- Tables and views on Spark, built whole. What dbt-spark does besides (grants, hooks, a look at every table that was
    just built) nothing here uses. Parquet tables hold no constraints: dbt's tests check what contracts promise. -#}

{% materialization table, adapter='spark' %}
    {%- set relation = this.incorporate(type='table') -%}
    {%- set existing = load_cached_relation(relation) -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {% call statement('main') -%}
        create table {{ relation }}
        {{ description_clause() }}
        as
        {%- if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(sql) }}
            {{ get_select_subquery(sql) }}
        {%- else %}
            {{ sql }}
        {%- endif %}
    {%- endcall %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% materialization view, adapter='spark' %}
    {%- set relation = this.incorporate(type='view') -%}
    {{ drop_relation_of_other_type(relation) }}
    {% call statement('main') -%}
        create or replace view {{ relation }}
        {{ description_clause() }}
        as
            {{ sql }}
    {%- endcall %}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% materialization incremental, adapter='spark' %}
    {#- What DuckDB continues from run to run is a table like any other. -#}
    {{ return(materialization_table_spark()) }}
{% endmaterialization %}


{% macro description_clause() -%}
    {%- if config.persist_relation_docs() and model.description -%}
        comment '{{ model.description | replace('\\', '\\\\') | replace("'", "\\'") }}'
    {%- endif -%}
{%- endmacro %}


{% macro spark__get_empty_schema_sql(columns) -%}
    {#- A query without rows that has the contract's columns: what the model's own columns are compared with. -#}
    select
    {%- for column in columns.values() %}
        cast(null as {{ engine_type(column.data_type) }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
    where false
{%- endmacro %}
