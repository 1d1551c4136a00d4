{#- Whole numbers. What is exact on both engines differs in range only; DECISIONLOG says how far it goes. -#}

{% macro whole_quotient(dividend, divisor) -%}
    {#- The quotient of two integers without its fraction. -#}
    {{ return(adapter.dispatch('whole_quotient')(dividend, divisor)) }}
{%- endmacro %}

{% macro default__whole_quotient(dividend, divisor) -%}
    {{ dividend }} // {{ divisor }}
{%- endmacro %}

{% macro spark__whole_quotient(dividend, divisor) -%}
    {{ dividend }} div {{ divisor }}
{%- endmacro %}


{% macro wide_quotient(dividend, divisor) -%}
    {#- The same of two wide integers that aren't negative. -#}
    {{ return(adapter.dispatch('wide_quotient')(dividend, divisor)) }}
{%- endmacro %}

{% macro default__wide_quotient(dividend, divisor) -%}
    {{ dividend }} // {{ divisor }}
{%- endmacro %}

{% macro spark__wide_quotient(dividend, divisor) -%}
    {#- Spark's `div` gives BIGINT, its `/` rounds; without the remainder there is nothing to round. The quotient of two
        DECIMAL(38,0) must be below 1e20; a divisor of fewer digits leaves room for more. -#}
    cast(({{ dividend }} - {{ dividend }} % {{ divisor }}) / {{ divisor }} as decimal(38, 0))
{%- endmacro %}


{% macro direction(value) -%}
    {#- 1, 0 or -1: which side of zero a decimal is on. -#}
    {{ return(adapter.dispatch('direction')(value)) }}
{%- endmacro %}

{% macro default__direction(value) -%}
    sign({{ value }})
{%- endmacro %}

{% macro spark__direction(value) -%}
    {#- Spark's sign() is a binary float. -#}
    cast(sign({{ value }}) as decimal(1, 0))
{%- endmacro %}


{% macro magnitude(value) -%}
    {#- A decimal without its sign. -#}
    {{ return(adapter.dispatch('magnitude')(value)) }}
{%- endmacro %}

{% macro default__magnitude(value) -%}
    abs({{ value }})
{%- endmacro %}

{% macro spark__magnitude(value) -%}
    {#- Spark's abs() and its minus sign keep 34 digits of a decimal; its subtraction keeps all. -#}
    case when {{ value }} < 0 then 0 - {{ value }} else {{ value }} end
{%- endmacro %}


{% macro without_fraction(value) -%}
    {#- A decimal cut at the point. -#}
    {{ return(adapter.dispatch('without_fraction')(value)) }}
{%- endmacro %}

{% macro default__without_fraction(value) -%}
    trunc({{ value }})
{%- endmacro %}

{% macro spark__without_fraction(value) -%}
    case when {{ value }} < 0 then ceil({{ value }}) else floor({{ value }}) end
{%- endmacro %}


{% macro cut_to_places(value, places) -%}
    {#- A decimal that isn't negative, cut after that many places. -#}
    {{ return(adapter.dispatch('cut_to_places')(value, places)) }}
{%- endmacro %}

{% macro default__cut_to_places(value, places) -%}
    trunc({{ value }}, {{ places }})
{%- endmacro %}

{% macro spark__cut_to_places(value, places) -%}
    floor({{ value }}, {{ places }})
{%- endmacro %}
