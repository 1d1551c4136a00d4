with run_context as (
    select
        landing_first_date,
        calendar_last_date
    from {{ source('policy', 'run_context') }}
),

calendar as (
    select
        landing_first_date,
        {{ each_day('landing_first_date', 'calendar_last_date + 1') }} as as_of_date
    from run_context
)

select
    as_of_date,
    {{ day_start('as_of_date') }} as day_start,
    {{ day_end('as_of_date') }} as day_end,
    as_of_date = landing_first_date as is_first_day
from calendar
