with arrived as (
    select
        figure,
        line,
        asset,
        amount,
        period_start,
        period_end,
        published_at,
        partition_date,
        source_file,
        source_row,
        greatest(published_at, cast(partition_date as timestamp)) as known_at
    from {{ source('landing', 'reported_figures') }}
)

select
    figure,
    line,
    asset,
    amount,
    period_start,
    period_end,
    published_at,
    partition_date,
    source_file,
    source_row,
    known_at
from arrived
where known_at < {{ run_value('knowledge_at') }}
