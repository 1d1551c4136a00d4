with landing_files as (
    select
        table_name,
        partition_date
    from {{ source('incoming', 'file') }}
),

required_tables as (
    select unnest([
        {%- for table in landing_tables() if table.is_required_daily %}
            '{{ table.name }}'{{ ',' if not loop.last }}
        {%- endfor %}
    ]) as table_name
),

-- A landing zone without any partition is missing at least the run's last day.
calendar as (
    select
        cast(
            unnest(generate_series(coalesce(landing_first_date, last_date), last_date, interval 1 day)) as date
        ) as as_of_date
    from {{ source('policy', 'run_context') }}
),

violations as (
    select
        required_tables.table_name as source_table,
        'table' as subject_type,
        required_tables.table_name as subject_id,
        cast(null as varchar) as asset,
        calendar.as_of_date,
        'no partition' as observed,
        'a partition, if only with a file without rows' as expected,
        required_tables.table_name || ' has no partition for ' || calendar.as_of_date || '.' as message,
        'select * from audit.load where table_name = ''' || required_tables.table_name
        || ''' order by partition_date' as evidence
    from calendar
    cross join required_tables
    left join landing_files
        on
            required_tables.table_name = landing_files.table_name
            and calendar.as_of_date = landing_files.partition_date
    where landing_files.table_name is null
)

{{ integrity_findings('violations') }}
