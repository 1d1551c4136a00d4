with restated as (
    select
        restatement.as_of_date,
        restatement.source_table,
        restatement.figure,
        restatement.subject,
        restatement.run_id,
        restatement.amount_before,
        restatement.amount_after,
        restatement.said_since,
        restatement.reason,
        restatement.entries,
        restatement.others,
        run.published_at,
        row_number() over (
            partition by restatement.as_of_date, restatement.source_table, restatement.figure, restatement.subject
            order by run.started_at, restatement.run_id
        ) as restatement_number,
        count(*) over (
            partition by restatement.as_of_date, restatement.source_table, restatement.figure, restatement.subject
        ) as restatements
    from {{ published(ref('fct_restatement')) }} as restatement
    inner join {{ published(source('audit', 'run')) }} as run on restatement.run_id = run.run_id
)

select
    first_one.as_of_date,
    first_one.source_table,
    first_one.figure,
    first_one.subject,
    first_one.amount_before as first_said,
    first_one.said_since as first_said_as_known_at,
    last_one.amount_after as said_now,
    cast(last_one.amount_after - first_one.amount_before as decimal(38, 18)) as difference,
    last_one.restatements,
    last_one.run_id as last_run_id,
    last_one.published_at as last_published_at,
    last_one.reason as last_reason,
    last_one.entries as last_entries,
    last_one.others as last_others
from restated as first_one
inner join restated as last_one
    on
        first_one.as_of_date = last_one.as_of_date
        and first_one.source_table = last_one.source_table
        and first_one.figure = last_one.figure
        and first_one.subject = last_one.subject
where first_one.restatement_number = 1 and last_one.restatement_number = last_one.restatements
order by
    first_one.as_of_date asc, first_one.source_table asc, first_one.figure asc, first_one.subject asc
