{#- Exact decimal arithmetic. `/` and a product of two DECIMAL(38,18) both leave the exact numbers (on DuckDB the first
    gives DOUBLE, on Spark it rounds; the second overflows), so products and ratios are written here and nowhere else. -#}

{% macro whole_part(size) -%}
    {#- What stands before the point of a decimal that isn't negative. -#}
    cast(floor({{ size }}) as decimal(20, 0))
{%- endmacro %}


{% macro fraction_part(size) -%}
    {#- What stands after it. -#}
    cast({{ size }} - floor({{ size }}) as decimal(18, 18))
{%- endmacro %}


{% macro product_of_sizes(left, right) -%}
    {#- left x right of two DECIMAL(38,18) that aren't negative, part by part; the tail below 1e-18 is cut. -#}
    cast(
        cast({{ whole_part(left) }} as {{ wide_integer_type() }})
        * cast({{ whole_part(right) }} as {{ wide_integer_type() }}) as decimal(38, 18)
    )
    + {{ whole_part(left) }} * {{ fraction_part(right) }}
    + {{ fraction_part(left) }} * {{ whole_part(right) }}
    + cast({{ cut_to_places(fraction_part(left) ~ ' * ' ~ fraction_part(right), 18) }} as decimal(38, 18))
{%- endmacro %}


{% macro exact_product(left, right, scale=18) -%}
    {#- left x right, rounded half away from zero to `scale` (at most 18) places, exact for all factors that
        DECIMAL(38,18) holds whose product is below 1e20. The tail below 1e-18 is cut, which can't change a rounding at
        18 places or fewer except at 18 itself, where the result is cut. -#}
    {{ return(adapter.dispatch('exact_product')(left, right, scale)) }}
{%- endmacro %}

{% macro default__exact_product(left, right, scale) -%}
    {%- set l = "cast(" ~ left ~ " as decimal(38, 18))" -%}
    {%- set r = "cast(" ~ right ~ " as decimal(38, 18))" -%}
    cast(
        ({{ direction(l) }} * {{ direction(r) }})::decimal(1, 0) * round(
            {{ product_of_sizes(magnitude(l), magnitude(r)) }},
            {{ scale }}
        ) as decimal(38, {{ scale }})
    )
{%- endmacro %}

{% macro spark__exact_product(left, right, scale) -%}
    {#- The lists of one bind the factors: Spark would work out again what is written again. -#}
    transform(
        transform(
            array(named_struct(
                'left', cast({{ left }} as decimal(38, 18)), 'right', cast({{ right }} as decimal(38, 18))
            )),
            factors -> named_struct(
                'direction', {{ direction('factors.left') }} * {{ direction('factors.right') }},
                'left', {{ magnitude('factors.left') }},
                'right', {{ magnitude('factors.right') }}
            )
        ),
        factors -> cast(
            cast(factors.direction as decimal(1, 0))
            * round({{ product_of_sizes('factors.left', 'factors.right') }}, {{ scale }}) as decimal(38, {{ scale }})
        )
    )[0]
{%- endmacro %}


{% macro value_usd(quantity, price) -%}
    {#- DOMAIN.md section 5: quantity x price, rounded half up to 8 places; null if either is null. -#}
    {{ exact_product(quantity, price, 8) }}
{%- endmacro %}


{% macro in_smallest_units(value) -%}
    {#- A DECIMAL(38,18) as a whole number of 1e-18, exact over the whole range of the type. -#}
    (
        cast({{ without_fraction(value) }} as {{ wide_integer_type() }}) * {{ wide_integer(1000000000000000000) }}
        + cast(
            cast({{ value }} - {{ without_fraction(value) }} as decimal(18, 18))
            * 1000000000000000000::decimal(19, 0) as {{ wide_integer_type() }}
        )
    )
{%- endmacro %}


{% macro exact_ratio(numerator, denominator, scale=12) -%}
    {#- numerator / denominator, rounded half away from zero to `scale` places (at 18, the most, the tail is cut), by
        long division on integers in two steps of nine digits. Operands below 1.7e11 count with all their 18 places;
        if either is larger, both are cut to the 12 places (below 1.7e17) or 9 places that leave room for a step.
        Null if the denominator is zero or null, or if the ratio is 1e19 or more. For display and for sharing out; a
        verdict is never drawn from it (cross-multiply). The lists of one bind what each step needs more than once. -#}
    {{ return(adapter.dispatch('exact_ratio')(numerator, denominator, scale)) }}
{%- endmacro %}

{% macro default__exact_ratio(numerator, denominator, scale) -%}
    {%- set dividend = "struct_extract(bound, 'dividend')" -%}
    {%- set divisor = "struct_extract(bound, 'divisor')" -%}
    {%- set direction = "struct_extract(bound, 'direction')" -%}
    {%- set larger = "greatest(" ~ dividend ~ ", " ~ divisor ~ ")" -%}
    {%- set unit = "case when " ~ larger ~ " < 170000000000000000000000000000::hugeint then 1::hugeint"
        ~ " when " ~ larger ~ " < 170000000000000000000000000000000000::hugeint then 1000000::hugeint"
        ~ " else 1000000000::hugeint end" -%}
    {%- set step = "1000000000::hugeint" -%}
    cast(
        list_transform(
            list_transform(
                list_transform(
                    [struct_pack(
                        dividend := cast({{ numerator }} as decimal(38, 18)),
                        divisor := cast({{ denominator }} as decimal(38, 18))
                    )],
                    lambda bound: struct_pack(
                        direction := sign({{ dividend }}) * sign({{ divisor }}),
                        dividend := abs({{ in_smallest_units(dividend) }}),
                        divisor := abs({{ in_smallest_units(divisor) }})
                    )
                ),
                lambda bound: struct_pack(
                    direction := {{ direction }},
                    dividend := {{ dividend }} // {{ unit }},
                    divisor := nullif({{ divisor }} // {{ unit }}, 0)
                )
            ),
            lambda bound: {{ direction }} * round(
                try_cast((({{ dividend }} * {{ step }}) // {{ divisor }}) // {{ step }} as decimal(38, 18))
                + cast((({{ dividend }} * {{ step }}) // {{ divisor }}) % {{ step }} as decimal(9, 0))
                * 0.000000001::decimal(9, 9)
                + cast(((({{ dividend }} * {{ step }}) % {{ divisor }}) * {{ step }}) // {{ divisor }} as decimal(9, 0))
                * 0.000000000000000001::decimal(18, 18),
                {{ scale }}
            )
        )[1] as decimal(38, {{ scale }})
    )
{%- endmacro %}

{% macro spark__exact_ratio(numerator, denominator, scale) -%}
    {#- In three steps of six digits, since Spark's integers end at 1e38. -#}
    {%- set larger = 'greatest(bound.dividend, bound.divisor)' -%}
    {%- set remainder = 'state.rest * 1000000 % bound.divisor' -%}
    cast(
        transform(
            transform(
                transform(
                    transform(
                        array(named_struct(
                            'dividend', cast({{ numerator }} as decimal(38, 18)),
                            'divisor', cast({{ denominator }} as decimal(38, 18))
                        )),
                        bound -> named_struct(
                            'direction', {{ direction('bound.dividend') }} * {{ direction('bound.divisor') }},
                            'dividend', {{ magnitude(in_smallest_units('bound.dividend')) }},
                            'divisor', {{ magnitude(in_smallest_units('bound.divisor')) }}
                        )
                    ),
                    bound -> named_struct(
                        'direction', bound.direction,
                        {%- for operand in ['dividend', 'divisor'] %}
                        '{{ operand }}', nullif(
                            case
                                when {{ larger }} < 170000000000000000000000000000 then bound.{{ operand }}
                                when {{ larger }} < 170000000000000000000000000000000000
                                    then {{ wide_quotient('bound.' ~ operand, wide_integer(1000000)) }}
                                else {{ wide_quotient('bound.' ~ operand, wide_integer(1000000000)) }}
                            end,
                            {{ 0 if operand == 'divisor' else 'null' }}
                        ){{ ',' if not loop.last }}
                        {%- endfor %}
                    )
                ),
                bound -> named_struct(
                    'direction', bound.direction,
                    'divisor', bound.divisor,
                    'whole', try_divide(bound.dividend - bound.dividend % bound.divisor, bound.divisor),
                    'rest', bound.dividend % bound.divisor
                )
            ),
            bound -> bound.direction * round(
                aggregate(
                    array(1, 2, 3),
                    named_struct(
                        'quotient', cast(bound.whole as decimal(38, 0)), 'rest', cast(bound.rest as decimal(38, 0))
                    ),
                    (state, step) -> named_struct(
                        'quotient', cast(
                            state.quotient * 1000000
                            + cast((state.rest * 1000000 - {{ remainder }}) / bound.divisor as decimal(6, 0))
                            as decimal(38, 0)
                        ),
                        'rest', cast({{ remainder }} as decimal(38, 0))
                    )
                ).quotient * 0.000000000000000001::decimal(18, 18),
                {{ scale }}
            )
        )[0] as decimal(38, {{ scale }})
    )
{%- endmacro %}


{% macro proceeds_after_impact(sold_usd, impact) -%}
    {#- sold x (1 - 2/3 x impact), rounded half up to 8 places: DOMAIN.md section 5. In whole units of 1e-8 USD and
        1e-12 of impact that is sold x (3e12 - 2 x impact) / 3e12, and the half is added before the division. Exact for
        sales below 1e17 USD. -#}
    {%- set sold = in_smallest_units("cast(" ~ sold_usd ~ " as decimal(38, 18))") -%}
    {%- set units = "(" ~ wide_quotient(sold, wide_integer(10000000000)) ~ ")" -%}
    {%- set impact_units = "cast(cast(" ~ impact ~ " as decimal(38, 12)) * 1000000000000::decimal(13, 0) as "
        ~ wide_integer_type() ~ ")" -%}
    {%- set thirds = units ~ " * (" ~ wide_integer(3000000000000) ~ " - 2 * " ~ impact_units ~ ") + "
        ~ wide_integer(1500000000000) -%}
    cast(
        cast({{ wide_quotient("(" ~ thirds ~ ")", wide_integer(3000000000000)) }} as decimal(38, 0))
        * 0.00000001::decimal(8, 8) as decimal(38, 8)
    )
{%- endmacro %}


{% macro amount_text(value) -%}
    {#- A decimal as people write it: no trailing zeros, no exponent, exact. -#}
    {{ return(adapter.dispatch('amount_text')(value)) }}
{%- endmacro %}

{% macro default__amount_text(value) -%}
    case
        when {{ value }} is not null
            then rtrim(regexp_replace(cast({{ value }} as varchar), '(\.[0-9]*?)0+$', '\1'), '.')
    end
{%- endmacro %}

{% macro spark__amount_text(value) -%}
    {#- Spark writes small decimals with an exponent, so the places are written as a whole number. -#}
    concat(
        case when {{ value }} < 0 then '-' else '' end,
        cast({{ whole_part(magnitude(value)) }} as string),
        regexp_replace(
            '.' || lpad(
                cast(cast({{ fraction_part(magnitude(value)) }} * 1000000000000000000::decimal(19, 0) as decimal(18, 0)) as string),
                18,
                '0'
            ),
            '[.]?0+$',
            ''
        )
    )
{%- endmacro %}


{% macro is_dust(quantity, value) -%}
    {#- Whether a quantity is too small to matter, whatever its sign: worth less than policy's USD or, without a
        price, fewer units than policy's. Never null for a quantity that isn't. -#}
    case
        when {{ value }} is not null then abs({{ value }}) < {{ policy('dust.usd') }}
        else abs({{ quantity }}) < {{ policy('dust.unpriced_units') }}
    end
{%- endmacro %}
