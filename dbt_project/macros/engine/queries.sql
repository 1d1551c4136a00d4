{#- Parts of queries: how a common table expression is evaluated, and joins that one engine has and another has not. -#}

{% macro read_in_place() -%}
    {#- After `as` of a common table expression: evaluated where it is read, never kept as a whole. Spark never keeps
        one. -#}
    {{ return(adapter.dispatch('read_in_place')()) }}
{%- endmacro %}

{% macro default__read_in_place() -%}
    not materialized
{%- endmacro %}

{% macro spark__read_in_place() -%}
{%- endmacro %}


{% macro join_latest(left, right, keys, moment, is_strict=false) -%}
    {#- Joins each row of `left` with the latest row of `right` among those that have its keys and whose time is at or
        before its own (`is_strict`: before it). `moment` names the column with the time in either: (left's, right's). -#}
    {{ return(adapter.dispatch('join_latest')(left, right, keys, moment, '>' if is_strict else '>=')) }}
{%- endmacro %}

{% macro default__join_latest(left, right, keys, moment, comparison) -%}
    asof inner join {{ right }}
        on
            {%- for key in keys %}
            {{ left }}.{{ key }} = {{ right }}.{{ key }} and
            {%- endfor %}
            {{ left }}.{{ moment[0] }} {{ comparison }} {{ right }}.{{ moment[1] }}
{%- endmacro %}

{% macro spark__join_latest(left, right, keys, moment, comparison) -%}
    {#- Each row of `right` counts until the next one of its keys does. -#}
    inner join (
        select
            *,
            lead({{ moment[1] }}) over (partition by {{ keys | join(', ') }} order by {{ moment[1] }}) as next_moment
        from {{ right }}
    ) as {{ right }}
        on
            {%- for key in keys %}
            {{ left }}.{{ key }} = {{ right }}.{{ key }} and
            {%- endfor %}
            {{ left }}.{{ moment[0] }} {{ comparison }} {{ right }}.{{ moment[1] }}
            and ({{ right }}.next_moment is null or not {{ left }}.{{ moment[0] }} {{ comparison }} {{ right }}.next_moment)
{%- endmacro %}


{% macro reachable(starts, neighbours) -%}
    {#- The recursive expression of a common table expression with one column, entity_id: the entities of the query
        `starts`, and whatever pairs (entity_id, neighbour_id) of the relation `neighbours` lead to from them. -#}
    {{ return(adapter.dispatch('reachable')(starts, neighbours)) }}
{%- endmacro %}

{% macro default__reachable(starts, neighbours) -%}
    {{ starts }}
    union
    select {{ neighbours }}.neighbour_id as entity_id
    from reachable
    inner join {{ neighbours }} on reachable.entity_id = {{ neighbours }}.entity_id
{%- endmacro %}

{% macro spark__reachable(starts, neighbours) -%}
    {#- Spark has no recursion that drops what it has seen: every path is walked, and none twice through one entity, so
        that an entity stands once for each path to it. -#}
    select
        starts.entity_id,
        array(starts.entity_id) as path
    from ({{ starts }}) as starts
    union all
    select
        {{ neighbours }}.neighbour_id as entity_id,
        array_append(reachable.path, {{ neighbours }}.neighbour_id) as path
    from reachable
    inner join {{ neighbours }} on reachable.entity_id = {{ neighbours }}.entity_id
    where not array_contains(reachable.path, {{ neighbours }}.neighbour_id)
{%- endmacro %}
