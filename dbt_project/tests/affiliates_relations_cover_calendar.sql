-- An entity without a relation on a day would drop out of every figure: its liabilities would vanish.
with relations as (
    select
        entity_id,
        from_date,
        to_date,
        lag(to_date) over (partition by entity_id order by from_date) as previous_to_date,
        lead(from_date) over (partition by entity_id order by from_date) as next_from_date
    from {{ ref('int_affiliates__entity_relation') }}
)

select
    entity_id,
    from_date,
    to_date
from relations
where
    from_date >= to_date
    or from_date <> coalesce(previous_to_date, {{ run_value('landing_first_date') }})
    or to_date <> coalesce(next_from_date, {{ run_value('calendar_last_date') }} + 1)
