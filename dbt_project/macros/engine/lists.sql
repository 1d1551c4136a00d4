{#- Lists and records within a row. -#}

{% macro list_of(items) -%}
    {{ return(adapter.dispatch('list_of')(items)) }}
{%- endmacro %}

{% macro default__list_of(items) -%}
    [{{ items | join(', ') }}]
{%- endmacro %}

{% macro spark__list_of(items) -%}
    array({{ items | join(', ') }})
{%- endmacro %}


{% macro empty_text_list() -%}
    {{ return(adapter.dispatch('empty_text_list')()) }}
{%- endmacro %}

{% macro default__empty_text_list() -%}
    cast([] as varchar[])
{%- endmacro %}

{% macro spark__empty_text_list() -%}
    cast(array() as array<string>)
{%- endmacro %}


{% macro list_length(list) -%}
    {{ return(adapter.dispatch('list_length')(list)) }}
{%- endmacro %}

{% macro default__list_length(list) -%}
    len({{ list }})
{%- endmacro %}

{% macro spark__list_length(list) -%}
    size({{ list }})
{%- endmacro %}


{% macro lists_joined(first, second) -%}
    {{ return(adapter.dispatch('lists_joined')(first, second)) }}
{%- endmacro %}

{% macro default__lists_joined(first, second) -%}
    list_concat({{ first }}, {{ second }})
{%- endmacro %}

{% macro spark__lists_joined(first, second) -%}
    concat({{ first }}, {{ second }})
{%- endmacro %}


{% macro last_item(list) -%}
    {{ return(adapter.dispatch('last_item')(list)) }}
{%- endmacro %}

{% macro default__last_item(list) -%}
    {{ list }}[-1]
{%- endmacro %}

{% macro spark__last_item(list) -%}
    element_at({{ list }}, -1)
{%- endmacro %}


{% macro first_items_text(list, number, separator) -%}
    {#- The first items of a list of texts as one text. -#}
    {{ return(adapter.dispatch('first_items_text')(list, number, separator)) }}
{%- endmacro %}

{% macro default__first_items_text(list, number, separator) -%}
    array_to_string(list_slice({{ list }}, 1, {{ number }}), '{{ separator }}')
{%- endmacro %}

{% macro spark__first_items_text(list, number, separator) -%}
    array_join(slice({{ list }}, 1, {{ number }}), '{{ separator }}')
{%- endmacro %}


{% macro each_item(list) -%}
    {#- One row for each item of the list; as an item of a select list, of which it must be the only one of its kind. -#}
    {{ return(adapter.dispatch('each_item')(list)) }}
{%- endmacro %}

{% macro default__each_item(list) -%}
    unnest({{ list }})
{%- endmacro %}

{% macro spark__each_item(list) -%}
    explode({{ list }})
{%- endmacro %}


{% macro sorted_list(value, order_by, condition=none) -%}
    {#- An aggregate: the group's values as a list in ascending order of the expressions of `order_by`; of no rows null
        on DuckDB and an empty list on Spark. -#}
    {{ return(adapter.dispatch('sorted_list')(value, order_by, condition)) }}
{%- endmacro %}

{% macro default__sorted_list(value, order_by, condition) -%}
    list({{ value }} order by {{ order_by | join(', ') }}){{ ' filter (where ' ~ condition ~ ')' if condition }}
{%- endmacro %}

{% macro spark__sorted_list(value, order_by, condition) -%}
    transform(
        array_sort(
            collect_list(struct({{ order_by | join(', ') }}, {{ value }} as item))
            {{- ' filter (where ' ~ condition ~ ')' if condition }}
        ),
        entry -> entry.item
    )
{%- endmacro %}


{% macro record(fields) -%}
    {#- A record of named fields; `fields` maps names to expressions. A field is read as record['name']. -#}
    {{ return(adapter.dispatch('record')(fields)) }}
{%- endmacro %}

{% macro default__record(fields) -%}
    struct_pack({% for name, value in fields.items() %}{{ name }} := {{ value }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}

{% macro spark__record(fields) -%}
    named_struct({% for name, value in fields.items() %}'{{ name }}', {{ value }}{{ ', ' if not loop.last }}{% endfor %})
{%- endmacro %}


{% macro largest_items(value, number, over=none) -%}
    {#- An aggregate: the group's largest values as a list, the largest first; over a window if one is given. -#}
    {{ return(adapter.dispatch('largest_items')(value, number, over)) }}
{%- endmacro %}

{% macro default__largest_items(value, number, over) -%}
    max({{ value }}, {{ number }}){{ ' over (' ~ over ~ ')' if over }}
{%- endmacro %}

{% macro spark__largest_items(value, number, over) -%}
    slice(sort_array(collect_list({{ value }}){{ ' over (' ~ over ~ ')' if over }}, false), 1, {{ number }})
{%- endmacro %}
