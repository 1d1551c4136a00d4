{#- Tables and views, built in place: one statement replaces a relation as a whole, in one transaction.

    dbt-duckdb's own materializations build beside the old relation and swap names, which takes five statements and as
    many look-ups a model: with some 140 models most of the time of a small run. DuckDB replaces a relation atomically.
    What nothing here uses (hooks, grants, indexes) is left out. -#}

{% materialization table, adapter='duckdb' %}
    {%- set relation = this.incorporate(type='table') -%}
    {{ drop_relation_of_other_type(relation) }}
    {% call statement('main') -%}
        {% if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(sql) }}
            create or replace table {{ relation }} {{ get_table_columns_and_constraints() }};
            insert into {{ relation }} {{ get_column_names() }} (
                {{ get_select_subquery(sql) }}
            );
        {% else %}
            create or replace table {{ relation }} as (
                {{ sql }}
            );
        {% endif %}
        {{ persisted_comments(relation) }}
    {%- endcall %}
    {{ adapter.commit() }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% materialization view, adapter='duckdb' %}
    {%- set relation = this.incorporate(type='view') -%}
    {{ drop_relation_of_other_type(relation) }}
    {% call statement('main') -%}
        {% if config.get('contract').enforced %}
            {{ get_assert_columns_equivalent(sql) }}
        {% endif %}
        create or replace view {{ relation }} as (
            {{ sql }}
        );
        {{ persisted_comments(relation) }}
    {%- endcall %}
    {{ adapter.commit() }}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}


{% macro drop_relation_of_other_type(relation) -%}
    {#- A model that has been a view can't be replaced by a table, nor the other way round. -#}
    {%- set existing = load_cached_relation(relation) -%}
    {%- if existing is not none and existing.type != relation.type -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
{%- endmacro %}


{% macro persisted_comments(relation) -%}
    {#- Statements that write the descriptions of the model and its columns into the database, where it persists them. -#}
    {%- if config.persist_relation_docs() and model.description -%}
        comment on {{ relation.type }} {{ relation }} is {{ duckdb_escape_comment(model.description) }};
    {%- endif -%}
    {%- if config.persist_column_docs() -%}
        {%- for column in model.columns.values() if column.description %}
            comment on column {{ relation }}.{{ column.name }} is {{ duckdb_escape_comment(column.description) }};
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
