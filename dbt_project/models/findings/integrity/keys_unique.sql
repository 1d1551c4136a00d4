with landing_files as (
    select
        table_name,
        partition_date,
        status
    from {{ source('incoming', 'file') }}
),

bad_rows as (
    select
        table_name,
        source_file,
        source_row
    from {{ source('incoming', 'bad_row') }}
),

repeated_hashes as (
    select
        table_name,
        identity_hash
    from {{ source('incoming', 'repeated') }}
),

{% for table in landing_tables() %}
{%- set name = table.name -%}
{{ name }}_arrived as (
    select
        {{ table.columns | join(', ') }},
        partition_date
    from {{ source('incoming', name) }} as arrived
    where {{ may_be_repeated(table, 'arrived') }} and not {{ is_bad_row(table, 'arrived') }}
),

-- Rows of a partition that was read again stand in the files: history_unchanged compares them.
{{ name }}_kept as (
    select
        {{ table.columns | join(', ') }},
        partition_date
    from {{ source('landing', name) }} as kept
    where {{ may_be_repeated(table, 'kept') }} and not {{ read_again(table, 'kept') }}
),

{{ name }}_repeated as (
    select {{ table.identity | join(', ') }}
    from {{ name }}_arrived
    group by {{ table.identity | join(', ') }}
    having count(*) > 1
    union
    select
        {%- for column in table.identity %}
        arrived.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ name }}_arrived as arrived
    inner join {{ name }}_kept as kept on {{ same_identity(table, 'arrived', 'kept') }}
),

{{ name }}_deliveries as (
    {%- for origin in ('arrived', 'kept') %}
    select
        {%- for column in table.columns %}
        {{ origin }}.{{ column }},
        {%- endfor %}
        {{ origin }}.partition_date
    from {{ name }}_{{ origin }} as {{ origin }}
    inner join {{ name }}_repeated as repeated on {{ same_identity(table, origin, 'repeated') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- The same content delivered again counts once.
{{ name }}_contents as (
    select
        {{ table.columns | join(', ') }},
        min(partition_date) as first_delivered_on
    from {{ name }}_deliveries
    group by {{ table.columns | join(', ') }}
),

{{ name }}_violations as (
    select
        '{{ name }}' as source_table,
        {{ row_key(table, 'contents') }} as subject_id,
        {{ 'min(contents.asset)' if table.has_asset else 'cast(null as varchar)' }} as asset,
        max(contents.first_delivered_on) as later_delivery,
        count(*) as contents,
        concat_ws(
            '; ',
            cast(null as varchar)
            {%- for column in table.columns if column not in table.identity %},
            case
                when min({{ content_text(table, column, 'contents') }}) <> max({{ content_text(table, column, 'contents') }})
                    then '{{ column }} ' || min({{ content_text(table, column, 'contents') }}) || ' / '
                        || max({{ content_text(table, column, 'contents') }})
            end
            {%- endfor %}
        ) as differences
    from {{ name }}_contents as contents
    group by
        {%- for column in table.identity %}
        contents.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    having count(*) > 1
),

{% endfor %}
all_violations as (
    {%- for table in landing_tables() %}
    select
        *,
        {{ source_row_evidence(table.name, 'subject_id') }} as evidence
    from {{ table.name }}_violations
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

violations as (
    select
        source_table,
        'key' as subject_type,
        subject_id,
        asset,
        'one content' as expected,
        evidence,
        coalesce(later_delivery, {{ run_value('last_date') }}) as as_of_date,
        contents || ' contents: ' || differences as observed,
        source_table || ' key ' || subject_id || ' was delivered with ' || contents || ' different contents: '
        || differences || '.' as message
    from all_violations
)

{{ integrity_findings('violations') }}
