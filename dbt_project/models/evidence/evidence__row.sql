with findings as (
    select
        finding_number,
        as_of_date,
        check_name,
        subject_type,
        subject_id,
        asset
    from {{ ref('evidence__finding') }}
),

all_rows as (
    select
        finding_number,
        'ledger_entries' as source_table,
        source_file,
        source_row,
        size,
        size_usd,
        rows_in_all
    from {{ ref('evidence__balance_entry') }}
    union all
    select
        finding_number,
        source_table,
        source_file,
        source_row,
        size,
        size_usd,
        null as rows_in_all
    from {{ ref('evidence__event_row') }}
    union all
    select
        finding_number,
        source_table,
        source_file,
        source_row,
        size,
        size_usd,
        rows_in_all
    from {{ ref('evidence__wallet_row') }}
    union all
    select
        finding_number,
        source_table,
        source_file,
        source_row,
        size,
        null as size_usd,
        null as rows_in_all
    from {{ ref('evidence__account_row') }}
    union all
    select
        finding_number,
        source_table,
        source_file,
        source_row,
        size,
        null as size_usd,
        null as rows_in_all
    from {{ ref('evidence__market_row') }}
),

-- A row may be behind a finding in more than one way.
merged as (
    select
        finding_number,
        source_table,
        source_file,
        source_row,
        max(size) as size,
        max(size_usd) as size_usd,
        max(rows_in_all) as rows_in_all
    from all_rows
    group by finding_number, source_table, source_file, source_row
),

ranked as (
    select
        finding_number,
        source_table,
        source_file,
        source_row,
        size,
        greatest(
            max(rows_in_all) over (partition by finding_number, source_table),
            count(*) over (partition by finding_number, source_table)
        ) as rows_in_all,
        cast(
            row_number() over (
                partition by finding_number, source_table
                order by size_usd desc nulls last, size desc nulls last, source_file, source_row
            ) as bigint
        ) as position
    from merged
)

select
    findings.as_of_date,
    findings.check_name,
    findings.subject_type,
    findings.subject_id,
    findings.asset,
    ranked.source_table,
    ranked.position,
    ranked.source_file,
    ranked.source_row,
    ranked.size,
    ranked.rows_in_all
from ranked
inner join findings on ranked.finding_number = findings.finding_number
where ranked.position <= {{ evidence_rows_shown() }}
