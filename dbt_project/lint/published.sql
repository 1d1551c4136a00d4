{#- Relations are plain text to the linter. -#}

{% macro published(relation) -%}
    {{ relation }}
{%- endmacro %}
