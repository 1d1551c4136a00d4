{#- Texts. -#}

{% macro joined_text(value, separator, order_by, is_distinct=false) -%}
    {#- An aggregate: the values of the group in that order, with a separator between them. Distinct values can be
        ordered by themselves only. -#}
    {{ return(adapter.dispatch('joined_text')(value, separator, order_by, is_distinct)) }}
{%- endmacro %}

{% macro default__joined_text(value, separator, order_by, is_distinct) -%}
    string_agg({{ 'distinct ' if is_distinct }}{{ value }}, '{{ separator }}' order by {{ order_by }})
{%- endmacro %}

{% macro spark__joined_text(value, separator, order_by, is_distinct) -%}
    listagg({{ 'distinct ' if is_distinct }}{{ value }}, '{{ separator }}') within group (order by {{ order_by }})
{%- endmacro %}


{% macro text_without(text, pattern) -%}
    {#- The text without whatever matches a regular expression, which holds no backslash. -#}
    {{ return(adapter.dispatch('text_without')(text, pattern)) }}
{%- endmacro %}

{% macro default__text_without(text, pattern) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '', 'g')
{%- endmacro %}

{% macro spark__text_without(text, pattern) -%}
    regexp_replace({{ text }}, '{{ pattern }}', '')
{%- endmacro %}


{% macro without_white_space(text) -%}
    {#- The text without white space and characters that can't be seen. -#}
    {{ return(adapter.dispatch('without_white_space')(text)) }}
{%- endmacro %}

{% macro default__without_white_space(text) -%}
    regexp_replace({{ text }}, '[\s\p{Cf}]', '', 'g')
{%- endmacro %}

{% macro spark__without_white_space(text) -%}
    {#- Java's white space is one character more than DuckDB's. A string literal of Spark takes one of two backslashes
        away. -#}
    regexp_replace({{ text }}, '[\\t\\n\\f\\r \\p{Cf}]', '')
{%- endmacro %}


{% macro text_matches(text, pattern) -%}
    {#- Whether a part of the text matches a regular expression, which holds no backslash. -#}
    {{ return(adapter.dispatch('text_matches')(text, pattern)) }}
{%- endmacro %}

{% macro default__text_matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro spark__text_matches(text, pattern) -%}
    ({{ text }} rlike '{{ pattern }}')
{%- endmacro %}


{% macro text_parts(text, separator) -%}
    {#- The list of the parts between separators. -#}
    {{ return(adapter.dispatch('text_parts')(text, separator)) }}
{%- endmacro %}

{% macro default__text_parts(text, separator) -%}
    string_split({{ text }}, '{{ separator }}')
{%- endmacro %}

{% macro spark__text_parts(text, separator) -%}
    split({{ text }}, '{{ separator }}')
{%- endmacro %}
