{% macro reference_quantity(quantity, ratio, ratio_rest) -%}
    {#- Units of the reference asset that a quantity stands for, rounded half away from zero to 18 places, from the two
        halves of int_reserves__parity_daily's ratio. What lies below 1e-18 is added up in units of 1e-18: the rest of
        the fraction times the ratio, and the quantity times the ratio's second half. -#}
    {%- set size = magnitude(quantity) -%}
    {%- set product = "cast(" ~ fraction_part(size) ~ " * " ~ fraction_part(ratio) ~ " as decimal(38, 36))" -%}
    {%- set below = product ~ " - " ~ cut_to_places(product, 18) -%}
    case
        when {{ ratio }} = 1 then cast({{ quantity }} as decimal(38, 18))
        else cast(
            {{ direction(quantity) }}::decimal(1, 0) * (
                {{ exact_product(size, ratio) }}
                + cast(round(
                    {{ exact_product(size, ratio_rest) }}
                    + cast(
                        cast(({{ below }}) * 1000000000::decimal(10, 0) as decimal(38, 27))
                        * 1000000000::decimal(10, 0) as decimal(38, 18)
                    ),
                    0
                ) as decimal(19, 0)) * 0.000000000000000001::decimal(18, 18)
            ) as decimal(38, 18)
        )
    end
{%- endmacro %}
