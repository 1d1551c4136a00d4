{#- Days, months and moments. -#}

{% macro each_day(from_date, to_date) -%}
    {#- One row for each day from `from_date` to the day before `to_date`; as an item of a select list. -#}
    {{ return(adapter.dispatch('each_day')(from_date, to_date)) }}
{%- endmacro %}

{% macro default__each_day(from_date, to_date) -%}
    {{ from_date }} + cast(unnest(range({{ to_date }} - {{ from_date }})) as integer)
{%- endmacro %}

{% macro spark__each_day(from_date, to_date) -%}
    explode(sequence({{ from_date }}, {{ to_date }} - 1, interval 1 day))
{%- endmacro %}


{% macro days_between(from_date, to_date) -%}
    {#- How many days after `from_date` `to_date` is. -#}
    {{ return(adapter.dispatch('days_between')(from_date, to_date)) }}
{%- endmacro %}

{% macro default__days_between(from_date, to_date) -%}
    ({{ to_date }} - {{ from_date }})
{%- endmacro %}

{% macro spark__days_between(from_date, to_date) -%}
    datediff({{ to_date }}, {{ from_date }})
{%- endmacro %}


{% macro length_of_days(days) -%}
    {#- A length of time of that many days. -#}
    {{ return(adapter.dispatch('length_of_days')(days)) }}
{%- endmacro %}

{% macro default__length_of_days(days) -%}
    to_days({{ days }})
{%- endmacro %}

{% macro spark__length_of_days(days) -%}
    make_dt_interval({{ days }})
{%- endmacro %}


{% macro microseconds_between(from_time, to_time) -%}
    {{ return(adapter.dispatch('microseconds_between')(from_time, to_time)) }}
{%- endmacro %}

{% macro default__microseconds_between(from_time, to_time) -%}
    (epoch_us({{ to_time }}) - epoch_us({{ from_time }}))
{%- endmacro %}

{% macro spark__microseconds_between(from_time, to_time) -%}
    timestampdiff(microsecond, {{ from_time }}, {{ to_time }})
{%- endmacro %}


{% macro month_text(moment) -%}
    {#- The month as YYYY-MM. -#}
    {{ return(adapter.dispatch('month_text')(moment)) }}
{%- endmacro %}

{% macro default__month_text(moment) -%}
    strftime({{ moment }}, '%Y-%m')
{%- endmacro %}

{% macro spark__month_text(moment) -%}
    date_format({{ moment }}, 'yyyy-MM')
{%- endmacro %}


{% macro second_text(moment) -%}
    {#- The moment as YYYY-MM-DD HH:MM:SS. -#}
    {{ return(adapter.dispatch('second_text')(moment)) }}
{%- endmacro %}

{% macro default__second_text(moment) -%}
    strftime({{ moment }}, '%Y-%m-%d %H:%M:%S')
{%- endmacro %}

{% macro spark__second_text(moment) -%}
    date_format({{ moment }}, 'yyyy-MM-dd HH:mm:ss')
{%- endmacro %}
