{#- Evidence: the query that a finding carries, as text, which returns the rows behind it. -#}

{% macro sql_text(value) -%}
    {#- A value as a quoted SQL literal; null if the value is. -#}
    ('''' || replace(cast({{ value }} as varchar), '''', '''''') || '''')
{%- endmacro %}


{% macro mart_evidence(mart, columns) -%}
    {#- `select * from marts.<mart> where ...`; `columns` maps a column of the mart to the expression in the finding
        model whose value it must equal. Dates and text are compared as literals, which the database casts. A null
        value leaves its condition out. -#}
    (
        'select * from marts.{{ mart }} where true'
        {%- for column, value in columns.items() %}
        || coalesce(' and {{ column }} = ' || {{ sql_text(value) }}, '')
        {%- endfor %}
    )
{%- endmacro %}
