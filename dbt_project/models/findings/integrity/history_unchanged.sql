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

-- What a file of these partitions holds isn't fully known, so no row can be said to be gone.
unreadable_partitions as (
    select distinct
        table_name,
        partition_date
    from landing_files
    where status = 'partial'
),

{% for table in landing_tables() %}
{%- set name = table.name -%}
{{ name }}_kept as (
    select
        {{ table.columns | join(', ') }},
        partition_date
    from {{ source('landing', name) }} as kept
    where
        {{ read_again(table, 'kept') }}
        and not {{ is_bad_row(table, 'kept') }}
        and {{ 'kept.partition_date not in' if table.is_dated else 'not exists' }} (
            select unreadable_partitions.partition_date
            from unreadable_partitions
            where unreadable_partitions.table_name = '{{ name }}'
        )
),

{{ name }}_arrived as (
    select
        {{ table.columns | join(', ') }},
        partition_date,
        source_file,
        source_row
    from {{ source('incoming', name) }}
    {%- if table.is_dated %}
    where partition_date in (select kept.partition_date from {{ name }}_kept as kept)
    {%- endif %}
),

{{ name }}_missing as (
    select {{ table.columns | join(', ') }}, partition_date
    from {{ name }}_kept
    except
    select {{ table.columns | join(', ') }}, partition_date
    from {{ name }}_arrived
),

{{ name }}_compared as (
    select
        '{{ name }}' as source_table,
        {{ row_key(table, 'missing') }} as subject_id,
        {{ 'missing.asset' if table.has_asset else 'cast(null as varchar)' }} as asset,
        missing.partition_date,
        arrived.source_file,
        arrived.source_row,
        {{ is_bad_row(table, 'arrived') }} as is_bad,
        concat_ws(
            '; ',
            cast(null as varchar)
            {%- for column in table.columns if column not in table.identity %},
            case
                when missing.{{ column }} is distinct from arrived.{{ column }}
                    then '{{ column }} is ' || {{ content_text(table, column, 'arrived') }}
                        || ', was ' || {{ content_text(table, column, 'missing') }}
            end
            {%- endfor %}
        ) as differences
    from {{ name }}_missing as missing
    left join {{ name }}_arrived as arrived
        on
            {{ same_identity(table, 'missing', 'arrived') }}
            and missing.partition_date is not distinct from arrived.partition_date
),

{% endfor %}
all_compared as (
    {%- for table in landing_tables() %}
    select
        *,
        {{ source_row_evidence(table.name, 'subject_id') }} as evidence
    from {{ table.name }}_compared
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

-- A key that stands twice in its partition is keys_unique; here its first row is compared.
first_of_key as (
    select
        source_table,
        subject_id,
        asset,
        partition_date,
        evidence,
        source_file,
        is_bad,
        differences
    from all_compared
    qualify row_number() over (
        partition by source_table, subject_id, partition_date, differences order by source_file, source_row
    ) = 1
),

violations as (
    select
        source_table,
        'row' as subject_type,
        subject_id,
        asset,
        'the row as it was loaded' as expected,
        evidence,
        coalesce(partition_date, {{ run_value('last_date') }}) as as_of_date,
        case when source_file is null then 'the row is gone' else differences end as observed,
        source_table || ' row ' || subject_id
        || case
            when source_file is null then ' was loaded before and is gone from its file.'
            else ' differs from what was loaded before: ' || differences || '.'
        end as message
    from first_of_key
    where not coalesce(is_bad, false)
)

{{ integrity_findings('violations') }}
