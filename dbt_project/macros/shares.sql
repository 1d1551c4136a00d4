{#- Ownership shares as whole numbers. A stake of 19.999999999999999999 % needs 20 places as a fraction, and the product
    of two such shares 40, more than DECIMAL holds: stakes are kept in units of 1e-20, shares along paths in units of
    1e-28 of the whole, both as wide integers. Products are cut below 1e-28. -#}

{% macro whole_stake() -%}
    {{ wide_integer(100000000000000000000) }}
{%- endmacro %}


{% macro whole_share() -%}
    {{ wide_integer(10000000000000000000000000000) }}
{%- endmacro %}


{% macro stake_from_pct(pct) -%}
    {#- A percentage with up to 18 places as a stake, exact. -#}
    {{ in_smallest_units(pct) }}
{%- endmacro %}


{% macro share_from_pct(pct) -%}
    ({{ stake_from_pct(pct) }} * {{ wide_integer(100000000) }})
{%- endmacro %}


{% macro share_through(share, stake) -%}
    {#- share x stake, in share units; the share is split so that no product passes 1e35. -#}
    {%- set unit = wide_integer(100000000000000) -%}
    {%- set head = '(' ~ wide_quotient(share, unit) ~ ') * ' ~ stake -%}
    {%- set tail = wide_quotient('((' ~ share ~ ' % ' ~ unit ~ ') * ' ~ stake ~ ')', unit) -%}
    ({{ wide_quotient('(' ~ head ~ ' + ' ~ tail ~ ')', wide_integer(1000000)) }})
{%- endmacro %}


{% macro share_as_pct(share) -%}
    {#- A share as DECIMAL(38,18) per cent, cut after 18 places, for people to read. -#}
    {%- set places = '(' ~ wide_quotient(share, wide_integer(100000000)) ~ ')' -%}
    cast(
        cast({{ wide_quotient(share, wide_integer(100000000000000000000000000)) }} as decimal(19, 0))
        + cast({{ places }} % {{ wide_integer(1000000000000000000) }} as decimal(18, 0))
        * cast(0.000000000000000001 as decimal(18, 18)) as decimal(38, 18)
    )
{%- endmacro %}
