{% macro day_start(date_column) -%}
    cast({{ date_column }} as timestamp)
{%- endmacro %}


{% macro day_end(date_column) -%}
    {#- The first moment after the day: days are half-open. -#}
    cast({{ date_column }} + 1 as timestamp)
{%- endmacro %}


{% macro stock_date(period_start, period_end) -%}
    {#- The day whose end a reported stock describes. `period_end` is a moment and the state just before it is meant,
        but real reports also write the date of the last day: an end equal to the start, or the midnight that begins
        the last day of a month, of a period that starts on the first of one. -#}
    case
        when {{ period_end }} = {{ period_start }} then cast({{ period_end }} as date)
        when
            {{ period_start }} = date_trunc('month', {{ period_start }})
            and {{ period_end }} = last_day({{ period_end }})
            then cast({{ period_end }} as date)
        else cast({{ period_end }} - interval 1 microsecond as date)
    end
{%- endmacro %}
