{#- What the linter sees in place of the arithmetic macros, whose expansions run to pages and aren't anybody's prose. -#}

{% macro exact_product(left, right, scale=18) -%}
    ({{ left }} * {{ right }})
{%- endmacro %}

{% macro value_usd(quantity, price) -%}
    ({{ quantity }} * {{ price }})
{%- endmacro %}

{% macro exact_ratio(numerator, denominator, scale=12) -%}
    ({{ numerator }} / {{ denominator }})
{%- endmacro %}

{% macro in_smallest_units(value) -%}
    ({{ value }})
{%- endmacro %}

{% macro amount_text(value) -%}
    ({{ value }})
{%- endmacro %}

{% macro is_dust(quantity, value) -%}
    ({{ quantity }} < {{ value }})
{%- endmacro %}
