{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_from',
        meta={'recomputed_from': {'scope': 'int_plan__scope', 'column': 'first_balance_date', 'key': 'as_of_date'}},
    )
}}

{%- set columns = {
    'as_of_date': 'date',
    'asset': 'varchar',
    'relation': 'varchar',
    'liability': 'decimal(38, 18)',
    'receivable': 'decimal(38, 18)',
    'accounts': 'bigint',
} -%}

with calendar as (
    select as_of_date
    from {{ ref('int_time__day') }}
    where as_of_date >= {{ scope_value('first_balance_date') }}
),

account_relations as (
    select
        account_id,
        account_class,
        relation,
        from_date,
        to_date
    from {{ ref('int_affiliates__account_relation') }}
),

balances as (
    select
        account_id,
        asset,
        balance,
        effective_date as from_date,
        next_effective_date as to_date
    from {{ ref('int_liabilities__balance_change') }}
    where balance <> 0
),

-- Accounts of which a relation begins or ends on a day that is computed: their standing balances move with it.
switching_accounts as (
    select distinct account_id
    from account_relations
    where
        (from_date >= {{ scope_value('first_balance_date') }} and from_date > {{ run_value('landing_first_date') }})
        or (to_date >= {{ scope_value('first_balance_date') }} and to_date <= {{ run_value('calendar_last_date') }})
),

moving_balances as (
    select
        account_id,
        asset,
        balance,
        from_date,
        to_date
    from balances
    where
        from_date >= {{ scope_value('first_balance_date') }}
        or to_date >= {{ scope_value('first_balance_date') }}
        -- What is effective before the calendar starts with it.
        or from_date < {{ run_value('landing_first_date') }}
        or account_id in (select switching_accounts.account_id from switching_accounts)
),

brought_forward as (
    select
        as_of_date,
        asset,
        relation,
        liability,
        receivable,
        accounts
    from {{ built_rows(columns) }}
    where as_of_date = {{ scope_value('first_balance_date') }} - 1
),

-- A balance under one relation of its account's owner: a switch of relation ends it here and starts it there.
-- What lies in a suspense account belongs to a customer until it is cleared; what is missing there, to its owner.
holdings as (
    select
        balances.asset,
        case
            when account_relations.account_class = 'suspense' and balances.balance > 0 then 'customer'
            else account_relations.relation
        end as relation,
        balances.balance,
        greatest(balances.from_date, account_relations.from_date) as from_date,
        least(balances.to_date, account_relations.to_date) as to_date
    from moving_balances as balances
    inner join account_relations
        on
            balances.account_id = account_relations.account_id
            and balances.from_date < account_relations.to_date
            and (balances.to_date is null or balances.to_date > account_relations.from_date)
),

-- Starts and ends are summed apart, so that no sum on the way is larger than the liability of a day.
starts as (
    select
        asset,
        relation,
        from_date as as_of_date,
        sum(balance) filter (where balance > 0) as liability,
        sum(balance) filter (where balance < 0) as receivable,
        count(*) as accounts
    from holdings
    where from_date >= {{ scope_value('first_balance_date') }}
    group by asset, relation, from_date
),

ends as (
    select
        asset,
        relation,
        to_date as as_of_date,
        sum(balance) filter (where balance > 0) as liability,
        sum(balance) filter (where balance < 0) as receivable,
        count(*) as accounts
    from holdings
    where to_date >= {{ scope_value('first_balance_date') }}
    group by asset, relation, to_date
),

begun as (
    select
        as_of_date,
        asset,
        relation
    from starts
    union all
    select
        as_of_date,
        asset,
        relation
    from brought_forward
),

first_days as (
    select
        asset,
        relation,
        min(as_of_date) as first_date
    from begun
    group by asset, relation
),

grid as (
    select
        calendar.as_of_date,
        first_days.asset,
        first_days.relation
    from first_days
    inner join calendar on first_days.first_date <= calendar.as_of_date
),

changes as (
    select
        grid.as_of_date,
        grid.asset,
        grid.relation,
        coalesce(starts.liability, 0) - coalesce(ends.liability, 0) as liability,
        coalesce(ends.receivable, 0) - coalesce(starts.receivable, 0) as receivable,
        coalesce(starts.accounts, 0) - coalesce(ends.accounts, 0) as accounts
    from grid
    left join starts
        on grid.as_of_date = starts.as_of_date and grid.asset = starts.asset and grid.relation = starts.relation
    left join ends
        on grid.as_of_date = ends.as_of_date and grid.asset = ends.asset and grid.relation = ends.relation
)

select
    changes.as_of_date,
    changes.asset,
    changes.relation,
    cast(
        coalesce(brought_forward.liability, 0) + sum(changes.liability) over history as decimal(38, 18)
    ) as liability,
    cast(
        coalesce(brought_forward.receivable, 0) + sum(changes.receivable) over history as decimal(38, 18)
    ) as receivable,
    cast(coalesce(brought_forward.accounts, 0) + sum(changes.accounts) over history as bigint) as accounts
from changes
left join brought_forward
    on changes.asset = brought_forward.asset and changes.relation = brought_forward.relation
window history as (partition by changes.asset, changes.relation order by changes.as_of_date)
