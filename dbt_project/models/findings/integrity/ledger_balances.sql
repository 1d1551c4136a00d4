{%- set ledger = landing_tables() | selectattr('name', 'equalto', 'ledger_entries') | first -%}
{#- Wide are amounts from here on: a hundred million legs below it add up to less than the type holds. -#}
{%- set wide_amount = '1000000000000' -%}

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

legs as not materialized (
    select
        arrived.transaction_id,
        arrived.asset,
        arrived.amount
    from arrived_entries as arrived
    where arrived.transaction_id is not null and not {{ may_be_repeated(ledger, 'arrived') }}
    union all
    select
        repeated_legs.transaction_id,
        repeated_legs.asset,
        repeated_legs.amount
    from repeated_legs
    where repeated_legs.transaction_id is not null
    union all
    select
        kept.transaction_id,
        kept.asset,
        kept.amount
    from kept_entries as kept
    semi join arrived_entries on kept.transaction_id = arrived_entries.transaction_id
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

-- Amounts of a trillion units or more are summed apart, since at the limit of the type they would overflow together.
ordinary_sums as (
    select
        transaction_id,
        asset,
        sum(amount) as difference
    from legs
    where abs(amount) < {{ wide_amount }}
    group by transaction_id, asset
    having sum(amount) <> 0
),

split_sums as (
    select
        transaction_id,
        asset,
        cast(trunc(difference) as decimal(20, 0)) as whole_units,
        cast(difference - trunc(difference) as decimal(18, 18)) as fraction
    from ordinary_sums
    union all
    select
        transaction_id,
        asset,
        cast(trunc(amount) as decimal(20, 0)) as whole_units,
        cast(amount - trunc(amount) as decimal(18, 18)) as fraction
    from legs
    where abs(amount) >= {{ wide_amount }}
),

sums as (
    select
        transaction_id,
        asset,
        sum(whole_units) as whole_sum,
        sum(fraction) as fraction_sum
    from split_sums
    group by transaction_id, asset
),

carried as (
    select
        transaction_id,
        asset,
        whole_sum + cast(trunc(fraction_sum) as decimal(38, 0)) as whole_sum,
        fraction_sum - trunc(fraction_sum) as fraction_sum
    from sums
    where whole_sum <> 0 or fraction_sum <> 0
),

differences as (
    select
        carried.transaction_id,
        carried.asset,
        cast(carried.whole_sum as varchar) as whole_text,
        -- Null if it is too large for the type; the whole units say enough then.
        try_cast(carried.whole_sum as decimal(38, 18)) + carried.fraction_sum as difference
    from carried
    anti join contested on carried.transaction_id = contested.transaction_id and carried.asset = contested.asset
    where carried.whole_sum <> 0 or carried.fraction_sum <> 0
),

leg_counts as (
    select
        legs.transaction_id,
        legs.asset,
        count(*) as leg_count
    from legs
    semi join differences on legs.transaction_id = differences.transaction_id and legs.asset = differences.asset
    group by legs.transaction_id, legs.asset
),

deliveries as (
    select
        arrived_entries.transaction_id,
        max(arrived_entries.partition_date) as delivered_on
    from arrived_entries
    semi join differences on arrived_entries.transaction_id = differences.transaction_id
    group by arrived_entries.transaction_id
),

unbalanced as (
    select
        differences.transaction_id,
        differences.asset,
        differences.whole_text,
        differences.difference,
        leg_counts.leg_count,
        deliveries.delivered_on
    from differences
    inner join leg_counts
        on differences.transaction_id = leg_counts.transaction_id and differences.asset = leg_counts.asset
    inner join deliveries on differences.transaction_id = deliveries.transaction_id
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
