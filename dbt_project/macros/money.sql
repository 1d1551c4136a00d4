{#- Exact decimal arithmetic. DuckDB's `/` and a product of two DECIMAL(38,18) both leave the exact numbers
    (the first gives DOUBLE, the second overflows), so products and ratios are written here and nowhere else. -#}

{% macro whole_part(value) -%}
    cast(trunc(abs({{ value }})) as decimal(19, 0))
{%- endmacro %}


{% macro fraction_part(value) -%}
    cast(abs({{ value }}) - trunc(abs({{ value }})) as decimal(18, 18))
{%- endmacro %}


{% macro exact_product(left, right, scale=18) -%}
    {#- left x right, rounded half away from zero to `scale` (at most 18) places, exact for factors below 1e19 whose
        product is below 1e20. The tail below 1e-18 is cut, which can't change a rounding at 18 places or fewer
        except at 18 itself, where the result is cut. -#}
    {%- set l = "cast(" ~ left ~ " as decimal(38, 18))" -%}
    {%- set r = "cast(" ~ right ~ " as decimal(38, 18))" -%}
    cast(
        (sign({{ l }}) * sign({{ r }}))::decimal(1, 0) * round(
            cast({{ whole_part(l) }} * {{ whole_part(r) }} as decimal(38, 18))
            + {{ whole_part(l) }} * {{ fraction_part(r) }}
            + {{ fraction_part(l) }} * {{ whole_part(r) }}
            + cast(trunc({{ fraction_part(l) }} * {{ fraction_part(r) }}, 18) as decimal(38, 18)),
            {{ scale }}
        ) as decimal(38, {{ scale }})
    )
{%- endmacro %}


{% macro value_usd(quantity, price) -%}
    {#- DOMAIN.md section 5: quantity x price, rounded half up to 8 places; null if either is null. -#}
    {{ exact_product(quantity, price, 8) }}
{%- endmacro %}


{% macro in_smallest_units(value, scale) -%}
    cast(trunc({{ value }}) as hugeint) * {{ '1' ~ '0' * scale }}::hugeint
    + cast(
        trunc(cast({{ value }} - trunc({{ value }}) as decimal(18, 18)), {{ scale }})
        * {{ '1' ~ '0' * scale }}::decimal(19, 0) as hugeint
    )
{%- endmacro %}


{% macro exact_ratio(numerator, denominator, operand_scale=12, scale=12) -%}
    {#- numerator / denominator, rounded half away from zero to `scale` (at most 17) places, by long division on
        integers. Operands are cut to `operand_scale` places first and must stay below 1.7e29 in those units
        (12 places: 1.7e17; 8 places: 1.7e21; 18 places: 1.7e11). Null if the denominator is zero or null, or if the
        ratio is 1e19 or more. For display and for sharing out; a verdict is never drawn from it (cross-multiply). -#}
    {%- set n = "(" ~ in_smallest_units("cast(" ~ numerator ~ " as decimal(38, 18))", operand_scale) ~ ")" -%}
    {%- set d = "nullif(" ~ in_smallest_units("cast(" ~ denominator ~ " as decimal(38, 18))", operand_scale) ~ ", 0)" -%}
    {%- set step = "1000000000::hugeint" -%}
    cast(
        sign({{ n }}) * sign({{ d }}) * round(
            try_cast(((abs({{ n }}) * {{ step }}) // abs({{ d }})) // {{ step }} as decimal(38, 18))
            + cast(((abs({{ n }}) * {{ step }}) // abs({{ d }})) % {{ step }} as decimal(9, 0))
            * 0.000000001::decimal(9, 9)
            + cast((((abs({{ n }}) * {{ step }}) % abs({{ d }})) * {{ step }}) // abs({{ d }}) as decimal(9, 0))
            * 0.000000000000000001::decimal(18, 18),
            {{ scale }}
        ) as decimal(38, {{ scale }})
    )
{%- endmacro %}


{% macro amount_text(value) -%}
    {#- A decimal as people write it: no trailing zeros, no exponent, exact. -#}
    case
        when {{ value }} is not null
            then regexp_replace(cast({{ value }} as varchar), '(\.[0-9]*?)0+$', '\1').rtrim('.')
    end
{%- endmacro %}
