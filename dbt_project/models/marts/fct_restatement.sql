with publications as (
    {{ publications() }}
),

-- What earlier runs restated, and what this run does.
restatements as (
    select
        statements.run_id,
        statements.as_of_date,
        statements.source_table,
        statements.figure,
        statements.subject,
        statements.amount as amount_after,
        statements.previous_entry_number
    from {{ source('audit', 'published_figure') }} as statements
    where statements.is_restatement and statements.run_id <> {{ run_value('run_id') }}
    union all
    select
        {{ run_value('run_id') }} as run_id,
        as_of_date,
        source_table,
        figure,
        subject,
        amount as amount_after,
        previous_entry_number
    from {{ ref('int_restatement__figure_change') }}
    where is_restatement
),

source_rows as (
    select
        run_id,
        as_of_date,
        restated_table,
        subject,
        source_table,
        position,
        row_key,
        rows_in_all
    from {{ source('audit', 'restatement_source') }}
    where run_id <> {{ run_value('run_id') }}
    union all
    select
        {{ run_value('run_id') }} as run_id,
        as_of_date,
        restated_table,
        subject,
        source_table,
        position,
        row_key,
        rows_in_all
    from {{ ref('evidence__restatement_row') }}
),

causes as (
    select
        run_id,
        as_of_date,
        restated_table,
        subject,
        {{ sorted_list('row_key', ['position'], "source_table = 'ledger_entries'") }} as entry_ids,
        coalesce(max(rows_in_all) filter (where source_table = 'ledger_entries'), 0) as entries,
        {{ sorted_list(
            "source_table || ' ' || row_key", ['source_table', 'position'], "source_table <> 'ledger_entries'"
        ) }} as other_rows,
        coalesce(sum(rows_in_all) filter (where source_table <> 'ledger_entries' and position = 1), 0) as others
    from source_rows
    group by run_id, as_of_date, restated_table, subject
),

before as (
    select
        entry_number,
        amount,
        run_id,
        knowledge_at
    from {{ source('audit', 'published_figure') }}
)

select
    restatements.as_of_date,
    restatements.source_table,
    restatements.figure,
    restatements.subject,
    restatements.run_id,
    publications.knowledge_at,
    before.amount as amount_before,
    restatements.amount_after,
    cast(restatements.amount_after - before.amount as decimal(38, 18)) as difference,
    before.knowledge_at as said_since,
    publications.previous_run_id,
    publications.previous_knowledge_at,
    case
        when causes.run_id is null and publications.policy_hash = publications.previous_policy_hash then 'program'
        when causes.run_id is null then 'policy'
        when publications.policy_hash = publications.previous_policy_hash then 'source_rows'
        else 'source_rows_and_policy'
    end as reason,
    coalesce(causes.entry_ids, {{ empty_text_list() }}) as entry_ids,
    cast(coalesce(causes.entries, 0) as bigint) as entries,
    coalesce(causes.other_rows, {{ empty_text_list() }}) as other_rows,
    cast(coalesce(causes.others, 0) as bigint) as others
from restatements
inner join publications on restatements.run_id = publications.run_id
left join before on restatements.previous_entry_number = before.entry_number
left join causes
    on
        restatements.run_id = causes.run_id
        and restatements.as_of_date = causes.as_of_date
        and restatements.source_table = causes.restated_table
        and restatements.subject = causes.subject
