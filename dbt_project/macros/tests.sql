{% test unique_combination(model, columns) %}
    {#- Rows whose values in these columns, nulls included, occur more than once. -#}
    select {{ columns | join(', ') }}
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1
{% endtest %}


{% test never_negative(model, column_name) %}
    {#- Rows below zero in a column that holds a size, not a change. -#}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} < 0
{% endtest %}
