{#- Types whose names differ between the engines. -#}

{% macro wide_integer_type() -%}
    {#- Whole numbers of 37 digits and more: up to 1.7e38 on DuckDB, below 1e38 on Spark. -#}
    {{ return(adapter.dispatch('wide_integer_type')()) }}
{%- endmacro %}

{% macro default__wide_integer_type() -%}
    hugeint
{%- endmacro %}

{% macro spark__wide_integer_type() -%}
    decimal(38, 0)
{%- endmacro %}


{% macro wide_integer(number) -%}
    {#- A whole number as a wide integer; on Spark with no more digits than it has, which leaves more to quotients. -#}
    {{ return(adapter.dispatch('wide_integer')(number)) }}
{%- endmacro %}

{% macro default__wide_integer(number) -%}
    cast({{ number }} as hugeint)
{%- endmacro %}

{% macro spark__wide_integer(number) -%}
    cast({{ number }} as decimal({{ number | string | length }}, 0))
{%- endmacro %}


{% macro engine_type(type) -%}
    {#- The engine's name of a type as contracts name it. -#}
    {{ return(adapter.dispatch('engine_type')(type)) }}
{%- endmacro %}

{% macro default__engine_type(type) -%}
    {{ return(type) }}
{%- endmacro %}

{% macro spark__engine_type(type) -%}
    {%- set names = {
        'varchar': 'string', 'varchar[]': 'array<string>', 'integer': 'int', 'hugeint': 'decimal(38, 0)',
        'ubigint': 'decimal(20, 0)'
    } -%}
    {{ return(names.get(type | lower, type)) }}
{%- endmacro %}
