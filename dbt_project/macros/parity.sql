{% macro reference_quantity(quantity, ratio, ratio_rest) -%}
    {#- Units of the reference asset that a quantity stands for, from int_reserves__parity_daily's ratio; exact, cut
        to 18 places. -#}
    cast(
        {{ exact_product(quantity, ratio) }}
        + {{ exact_product(exact_product(quantity, ratio_rest), "0.000000000000000001") }}
        as decimal(38, 18)
    )
{%- endmacro %}
