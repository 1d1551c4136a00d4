{#- What the linter sees in place of macros that write long expressions. It reads the layout of the models; what the
    real macros compute is tested in DuckDB. Loaded after dbt_project/macros, so these win. -#}

{% macro exact_product(left, right, scale=18) -%} ({{ left }} * {{ right }}) {%- endmacro %}
{% macro value_usd(quantity, price) -%} ({{ quantity }} * {{ price }}) {%- endmacro %}
{% macro exact_ratio(numerator, denominator, scale=12) -%} ({{ numerator }} / {{ denominator }}) {%- endmacro %}
{% macro proceeds_after_impact(sold_usd, impact) -%} ({{ sold_usd }} * {{ impact }}) {%- endmacro %}
{% macro in_smallest_units(value) -%} ({{ value }}) {%- endmacro %}
{% macro amount_text(value) -%} cast({{ value }} as varchar) {%- endmacro %}
{% macro reference_quantity(quantity, ratio, ratio_rest) -%} ({{ quantity }} * {{ ratio }} * {{ ratio_rest }}) {%- endmacro %}
{% macro normalised_address(network, address) -%} lower({{ network }} || {{ address }}) {%- endmacro %}
