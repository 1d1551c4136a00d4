{% macro generate_schema_name(custom_schema_name, node) -%}
    {#- Schemas are named as DOMAIN.md names them, without the target's prefix. -#}
    {{ custom_schema_name if custom_schema_name is not none else target.schema }}
{%- endmacro %}
