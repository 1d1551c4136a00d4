{% macro day_start(date_column) -%}
    cast({{ date_column }} as timestamp)
{%- endmacro %}


{% macro day_end(date_column) -%}
    {#- The first moment after the day: days are half-open. -#}
    cast({{ date_column }} + 1 as timestamp)
{%- endmacro %}
