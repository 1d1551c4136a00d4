{#- Restatement: rows that became known since figures were last published. -#}

{% macro publications() -%}
    {#- Runs that published figures, and the run under way, each with the publication before it. A run that was killed
        or refused published none: what it took in counts for the next that does. -#}
    select
        run_id,
        started_at,
        knowledge_at,
        policy_hash,
        lag(run_id) over (order by started_at, run_id) as previous_run_id,
        lag(started_at) over (order by started_at, run_id) as previous_started_at,
        lag(knowledge_at) over (order by started_at, run_id) as previous_knowledge_at,
        lag(policy_hash) over (order by started_at, run_id) as previous_policy_hash
    from {{ source('audit', 'run') }}
    where published_at is not null or run_id = {{ run_value('run_id') }}
{%- endmacro %}


{% macro newly_known(table_name) -%}
    {#- Accepted rows of a landing table that didn't exist for the publication before: they came in with a later run,
        or came in before but became known later. Needs CTE `since` (last_load_number, knowledge_at), which has one row,
        or none when nothing is restated: then no row of the landing table is read. Of dated tables, which hold the
        whole history, the loads (`later_loads`) and the days (`later_days`) are joined by equality, so that the
        database skips what neither reaches. -#}
    {%- set table = landing_tables() | selectattr('name', 'equalto', table_name) | first -%}
    {%- if table.is_dated and table.known_column -%}
        {%- set known_at = 'greatest(landed.' ~ table.known_column ~ ', cast(landed.partition_date as timestamp))' -%}
    {%- elif table.is_dated -%}
        {%- set known_at = 'cast(landed.partition_date as timestamp)' -%}
    {%- else -%}
        {%- set known_at = 'landed.' ~ table.known_column -%}
    {%- endif -%}
    {%- set columns = "landed.*, " ~ row_key(table, 'landed') ~ " as row_key" -%}
    {%- if table.is_dated -%}
    select {{ columns }}
    from {{ source('landing', table_name) }} as landed
    inner join later_loads on landed.accepted_load_number = later_loads.load_number
    where {{ known_at }} < {{ run_value('knowledge_at') }}
    union all
    select {{ columns }}
    from {{ source('landing', table_name) }} as landed
    inner join later_days on landed.partition_date = later_days.partition_date
    where
        landed.accepted_load_number <= later_days.last_load_number
        and {{ known_at }} >= later_days.knowledge_at
        and {{ known_at }} < {{ run_value('knowledge_at') }}
    {%- else -%}
    select {{ columns }}
    from {{ source('landing', table_name) }} as landed
    cross join since
    where
        (landed.accepted_load_number > since.last_load_number or {{ known_at }} >= since.knowledge_at)
        and {{ known_at }} < {{ run_value('knowledge_at') }}
    {%- endif -%}
{%- endmacro %}
