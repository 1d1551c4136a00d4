{#- What the integrity findings share: they treat all tables of the landing contract alike. -#}


{% macro row_key(table, alias) -%}
    {#- The bare key by which people name a row: parts of a composite key joined by |. -#}
    {{ table.row_key | replace('{alias}', alias) }}
{%- endmacro %}


{% macro same_identity(table, left, right) -%}
    {#- Whether two rows have one identity; null parts are equal. -#}
    {%- for name in table.identity -%}
        {{ left }}.{{ name }} {{ 'is not distinct from' if name in table.nullable_identity else '=' }} {{ right }}.{{ name }}
        {%- if not loop.last %} and {% endif -%}
    {%- endfor -%}
{%- endmacro %}


{% macro identity_hash(table, alias) -%}
    {#- As ingestion hashes it in incoming.repeated. -#}
    hash(
        {%- for name in table.identity -%}
            {{ alias }}.{{ name }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}


{% macro may_be_repeated(table, alias) -%}
    {#- False only for rows whose identity stands once; cheap where it is false for all. -#}
    {{ identity_hash(table, alias) }} in (
        select repeated_hashes.identity_hash
        from repeated_hashes
        where repeated_hashes.table_name = '{{ table.name }}'
    )
{%- endmacro %}


{% macro content_text(table, name, alias) -%}
    {#- A column's value as people write it; null as the word. -#}
    {%- set column = alias ~ '.' ~ name -%}
    {%- if name in table.decimals -%}
        coalesce({{ amount_text(column) }}, 'null')
    {%- else -%}
        coalesce(cast({{ column }} as varchar), 'null')
    {%- endif -%}
{%- endmacro %}


{% macro read_again(table, alias) -%}
    {#- Whether the partition that an accepted row is kept for was read again, or has vanished, in this run. -#}
    {%- if table.is_dated -%}
        {{ alias }}.partition_date in (
            select landing_files.partition_date
            from landing_files
            where landing_files.table_name = '{{ table.name }}' and landing_files.status <> 'unchanged'
        )
    {%- else -%}
        exists (
            select 1
            from landing_files
            where landing_files.table_name = '{{ table.name }}' and landing_files.status <> 'unchanged'
        )
    {%- endif -%}
{%- endmacro %}


{% macro is_bad_row(table, alias) -%}
    {#- Whether a row has a schema issue: its bad values are null, so it proves nothing else. -#}
    exists (
        select 1
        from bad_rows
        where
            bad_rows.table_name = '{{ table.name }}'
            and bad_rows.source_file = {{ alias }}.source_file
            and bad_rows.source_row = {{ alias }}.source_row
    )
{%- endmacro %}


{% macro source_row_evidence(table_name, key) -%}
    'select * from audit.source_row where source_table = ''{{ table_name }}'' and row_key = '''
    || replace({{ key }}, '''', '''''') || ''''
{%- endmacro %}


{% macro integrity_findings(violations) -%}
    {#- The finding contract over rows (source_table, as_of_date, subject_type, subject_id, asset, observed, expected,
        message, evidence). A day of a table gives at most 1,000 findings of one check: a file that is wrong from end to
        end has one cause, and the last of the thousand says how many there are. -#}
    select
        cast(as_of_date as date) as as_of_date,
        cast(subject_type as varchar) as subject_type,
        cast(subject_id as varchar) as subject_id,
        cast(asset as varchar) as asset,
        cast(observed as varchar) as observed,
        cast(expected as varchar) as expected,
        cast(null as decimal(38, 8)) as impact_usd,
        cast(
            message
            || case
                when place = 1000 and violations > 1000
                    then ' (' || violations || ' like this in ' || source_table || ' that day; 1000 are listed)'
                else ''
            end as varchar
        ) as message,
        cast(evidence as varchar) as evidence,
        {{ day_end('cast(as_of_date as date)') }} as known_since,
        cast(null as varchar) as severity
    from (
        select
            *,
            row_number() over (
                partition by source_table, as_of_date order by subject_id, asset, observed, message
            ) as place,
            count(*) over (partition by source_table, as_of_date) as violations
        from {{ violations }}
    ) as ordered
    where place <= 1000
{%- endmacro %}
