with landing_files as (
    select
        table_name,
        status
    from {{ source('incoming', 'file') }}
),

{% for table in landing_tables() if table.references %}
{%- set name = table.name -%}
{%- set known = table.known_column -%}
-- Rows of this run that are known, and accepted rows that became known since the last accepted run.
{{ name }}_rows as (
    select
        {{ table.columns | join(', ') }},
        partition_date
    from {{ source('incoming', name) }}
    {% if known -%}
    where {{ known }} < {{ run_value('knowledge_at') }}
    union all
    select
        {{ table.columns | join(', ') }},
        partition_date
    from {{ source('landing', name) }}
    where
        {{ known }} >= {{ run_value('previous_knowledge_at') }}
        and {{ known }} < {{ run_value('knowledge_at') }}
    {%- endif %}
),

{% endfor %}
{% for target in landing_tables() if target.name in ('entities', 'accounts', 'tokens', 'wallets') -%}
{{ target.name }}_known as (
    {%- for schema in ('landing', 'incoming') %}
    select {{ target.identity[0] }} as identifier
    from {{ source(schema, target.name) }}
    {% if target.known_column -%}
    where {{ target.known_column }} < {{ run_value('knowledge_at') }}
    {%- endif %}
    {{ 'union' if not loop.last }}
    {%- endfor %}
),

{% endfor %}
unresolved as (
    {%- for table in landing_tables() if table.references %}
    {%- set last_table = loop.last %}
    {%- for reference in table.references %}
    select
        '{{ table.name }}' as source_table,
        '{{ reference.column }}' as column_name,
        '{{ reference.table }}' as target_table,
        {{ row_key(table, 'referring') }} as subject_id,
        {{ 'referring.asset' if table.has_asset else 'cast(null as varchar)' }} as asset,
        referring.{{ reference.column }} as missing_value,
        referring.partition_date,
        {{ source_row_evidence(table.name, row_key(table, 'referring')) }} as evidence
    from {{ table.name }}_rows as referring
    where
        referring.{{ reference.column }} is not null
        and not exists (
            select 1
            from {{ reference.table }}_known as known
            where known.identifier = referring.{{ reference.column }}
        )
    {{ 'union all' if not (loop.last and last_table) }}
    {%- endfor %}
    {%- endfor %}
),

violations as (
    select
        source_table,
        'row' as subject_type,
        subject_id,
        asset,
        evidence,
        coalesce(partition_date, {{ run_value('last_date') }}) as as_of_date,
        column_name || ' ' || missing_value as observed,
        'a row of ' || target_table || ' known by then' as expected,
        source_table || ' row ' || subject_id || ' refers to ' || column_name || ' ' || missing_value || ', which '
        || target_table || ' doesn''t have, or not yet.' as message
    from unresolved
    -- A file of the target that couldn't be read in full may hold what is missing: schema_conforms comes first.
    where target_table not in (
        select landing_files.table_name
        from landing_files
        where landing_files.status = 'partial'
    )
    group by all
)

{{ integrity_findings('violations') }}
