with schema_issues as (
    select
        table_name,
        partition_date,
        source_file,
        line,
        source_row,
        column_name,
        value,
        expected,
        problem,
        content
    from {{ source('incoming', 'schema_issue') }}
),

violations as (
    select
        table_name as source_table,
        'file' as subject_type,
        source_file as subject_id,
        cast(null as varchar) as asset,
        expected,
        coalesce(partition_date, {{ run_value('last_date') }}) as as_of_date,
        coalesce(value, 'nothing') as observed,
        source_file
        || case when line is not null then ', line ' || line else '' end
        || case when column_name is not null then ', column ' || column_name else '' end
        || ': ' || problem
        || case when value is not null and column_name is not null then ': ''' || value || '''' else '' end
        || '; expected ' || expected || '.' as message,
        case
            when content is not null
                then
                    'select * from audit.source_row where source_file = ''' || replace(source_file, '''', '''''')
                    || ''' and source_row = ' || source_row
            else 'select * from audit.load where source_file = ''' || replace(source_file, '''', '''''') || ''''
        end as evidence
    from schema_issues
)

{{ integrity_findings('violations') }}
