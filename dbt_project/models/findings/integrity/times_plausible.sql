with timed_rows as (
    select
        'ledger_entries' as source_table,
        'entry' as subject_type,
        entry_id as subject_id,
        asset,
        effective_at,
        recorded_at,
        partition_date
    from {{ source('incoming', 'ledger_entries') }}
    union all
    select
        'wallet_transfers' as source_table,
        'transfer' as subject_type,
        transfer_id as subject_id,
        asset,
        block_time as effective_at,
        recorded_at,
        partition_date
    from {{ source('incoming', 'wallet_transfers') }}
),

implausible as (
    select
        source_table,
        subject_type,
        subject_id,
        asset,
        partition_date,
        'recorded ' || recorded_at || ', effective ' || effective_at as observed,
        'recorded at most a day before it is effective' as expected
    from timed_rows
    where recorded_at < effective_at - interval 1 day
    union
    select
        source_table,
        subject_type,
        subject_id,
        asset,
        partition_date,
        'recorded ' || recorded_at || ', delivered for ' || partition_date as observed,
        'recorded at most 24 hours after the end of the day it is delivered for' as expected
    from timed_rows
    where recorded_at > {{ day_end('partition_date') }} + interval 24 hour
    union
    select
        source_table,
        subject_type,
        subject_id,
        asset,
        partition_date,
        'effective ' || effective_at || ', delivered for ' || partition_date as observed,
        'effective before the end of the day it is delivered for' as expected
    from timed_rows
    where effective_at >= {{ day_end('partition_date') }}
),

violations as (
    select
        source_table,
        subject_type,
        subject_id,
        asset,
        observed,
        expected,
        partition_date as as_of_date,
        source_table || ' ' || subject_type || ' ' || subject_id || ': ' || observed || '; expected: ' || expected
        || '.' as message,
        case source_table
            when 'ledger_entries' then {{ source_row_evidence('ledger_entries', 'subject_id') }}
            else {{ source_row_evidence('wallet_transfers', 'subject_id') }}
        end as evidence
    from implausible
)

{{ integrity_findings('violations') }}
