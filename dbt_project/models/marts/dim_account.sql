with accounts as (
    select
        account_id,
        entity_id,
        account_class,
        label,
        opened_at,
        closed_at,
        recorded_at
    from {{ ref('stg_landing__accounts') }}
),

last_relations as (
    select
        account_id,
        relation
    from {{ ref('int_affiliates__account_relation') }}
    where {{ run_value('calendar_last_date') }} >= from_date and {{ run_value('calendar_last_date') }} < to_date
)

select
    accounts.account_id,
    accounts.entity_id,
    accounts.account_class,
    -- External accounts belong to the operator whatever their rows say.
    case when accounts.account_class = 'external' then 'operator' else last_relations.relation end as relation,
    accounts.label,
    accounts.opened_at,
    accounts.closed_at,
    accounts.recorded_at
from accounts
left join last_relations on accounts.account_id = last_relations.account_id
