{%- set ledger = landing_tables() | selectattr('name', 'equalto', 'ledger_entries') | first -%}

with arrived_entries as not materialized (
    select
        entry_id,
        transaction_id,
        asset,
        amount,
        partition_date,
        source_file,
        source_row
    from {{ source('incoming', 'ledger_entries') }}
),

-- Read for few entries or none: never kept as a whole.
kept_entries as not materialized (
    select
        entry_id,
        transaction_id,
        asset,
        amount
    from {{ source('landing', 'ledger_entries') }}
),

bad_rows as (
    select
        table_name,
        source_file,
        source_row
    from {{ source('incoming', 'bad_row') }}
    where table_name = 'ledger_entries'
),

unreadable_partitions as (
    select distinct partition_date
    from {{ source('incoming', 'file') }}
    where table_name = 'ledger_entries' and status = 'partial'
),

touched as (
    select
        transaction_id,
        max(partition_date) as delivered_on
    from arrived_entries
    where transaction_id is not null
    group by transaction_id
),

repeated_hashes as (
    select
        table_name,
        identity_hash
    from {{ source('incoming', 'repeated') }}
),

-- The same entry delivered twice counts once, as it was accepted: another content is keys_unique or history_unchanged,
-- and no finding of its own here. Whether a leg is known yet doesn't matter: it was delivered.
repeated_legs as (
    select distinct
        arrived.entry_id,
        arrived.transaction_id,
        arrived.asset,
        arrived.amount
    from arrived_entries as arrived
    where
        {{ may_be_repeated(ledger, 'arrived') }}
        and not exists (
            select 1 from kept_entries as kept
            where kept.entry_id = arrived.entry_id
        )
),

legs as (
    select
        arrived.transaction_id,
        arrived.asset,
        arrived.amount
    from arrived_entries as arrived
    where not {{ may_be_repeated(ledger, 'arrived') }}
    union all
    select
        repeated_legs.transaction_id,
        repeated_legs.asset,
        repeated_legs.amount
    from repeated_legs
    union all
    select
        kept.transaction_id,
        kept.asset,
        kept.amount
    from kept_entries as kept
    where
        exists (
            select 1 from touched
            where touched.transaction_id = kept.transaction_id
        )
),

-- One key with two contents is keys_unique.
contested as (
    select
        transaction_id,
        asset
    from repeated_legs
    group by transaction_id, asset, entry_id
    having count(*) > 1
),

-- Whole units and fractions are summed apart: amounts at the limit of the type would overflow together.
sums as (
    select
        transaction_id,
        asset,
        count(*) as leg_count,
        sum(cast(trunc(amount) as decimal(20, 0))) as whole_sum,
        sum(cast(amount - trunc(amount) as decimal(18, 18))) as fraction_sum
    from legs
    group by transaction_id, asset
),

carried as (
    select
        transaction_id,
        asset,
        leg_count,
        whole_sum + cast(trunc(fraction_sum) as decimal(38, 0)) as whole_sum,
        fraction_sum - trunc(fraction_sum) as fraction_sum
    from sums
    where whole_sum <> 0 or fraction_sum <> 0
),

unbalanced as (
    select
        carried.transaction_id,
        carried.asset,
        carried.leg_count,
        touched.delivered_on,
        cast(carried.whole_sum as varchar) as whole_text,
        -- Null if it is too large for the type; the whole units say enough then.
        try_cast(carried.whole_sum as decimal(38, 18)) + carried.fraction_sum as difference
    from carried
    inner join touched on carried.transaction_id = touched.transaction_id
    anti join contested on carried.transaction_id = contested.transaction_id and carried.asset = contested.asset
    where carried.whole_sum <> 0 or carried.fraction_sum <> 0
),

-- What a file that isn't read in full holds of a transaction isn't known.
suspended as (
    select arrived.transaction_id
    from arrived_entries as arrived
    inner join bad_rows
        on arrived.source_file = bad_rows.source_file and arrived.source_row = bad_rows.source_row
    union
    select arrived.transaction_id
    from arrived_entries as arrived
    inner join unreadable_partitions on arrived.partition_date = unreadable_partitions.partition_date
),

violations as (
    select
        'ledger_entries' as source_table,
        'transaction' as subject_type,
        unbalanced.transaction_id as subject_id,
        unbalanced.asset,
        unbalanced.delivered_on as as_of_date,
        '0' as expected,
        coalesce({{ amount_text('unbalanced.difference') }}, unbalanced.whole_text) as observed,
        'Transaction ' || unbalanced.transaction_id || ' is out of balance by '
        || coalesce({{ amount_text('unbalanced.difference') }}, unbalanced.whole_text) || ' ' || unbalanced.asset
        || ' over ' || unbalanced.leg_count || ' entries.' as message,
        'select * from audit.source_row where source_table = ''ledger_entries'''
        || ' and json_extract_string(content, ''$.transaction_id'') = '''
        || replace(unbalanced.transaction_id, '''', '''''') || '''' as evidence
    from unbalanced
    where not exists (
        select 1 from suspended
        where suspended.transaction_id = unbalanced.transaction_id
    )
)

{{ integrity_findings('violations') }}
