{% macro is_fresh_price(as_of, day_end) -%}
    {#- Whether a price of that moment is at most as old at the end of the day as policy allows. -#}
    epoch_us({{ day_end }}) - epoch_us({{ as_of }}) <= {{ policy('prices.max_age_hours') }} * 3600000000
{%- endmacro %}
