with balances as (
    select
        as_of_date,
        account_id,
        entity_id,
        relation,
        account_class,
        asset,
        balance,
        value_usd,
        is_permitted,
        reason
    from {{ published(ref('fct_negative_balance_daily')) }}
    where as_of_date = {{ latest_day() }}
),

periods as (
    select
        account_id,
        asset,
        from_date,
        lowest_balance,
        event_entry_id,
        event_transaction_id,
        event_entry_type,
        event_amount,
        event_effective_at,
        event_known_at,
        event_reference,
        balance_before
    from {{ published(ref('fct_negative_balance_period')) }}
    where to_date is null
),

privileges as (
    select
        account_id,
        privileges,
        credit_line_usd
    from {{ published(ref('fct_account_privilege_daily')) }}
    where as_of_date = {{ latest_day() }}
),

entities as (
    select
        entity_id,
        name
    from {{ published(ref('dim_entity')) }}
)

select
    row_number() over (
        order by balances.value_usd asc nulls first, balances.account_id asc, balances.asset asc
    ) as balance_rank,
    balances.as_of_date,
    balances.account_id,
    balances.entity_id,
    entities.name as entity_name,
    balances.relation,
    balances.account_class,
    balances.asset,
    balances.balance,
    balances.value_usd,
    balances.is_permitted,
    balances.reason,
    privileges.privileges,
    privileges.credit_line_usd,
    periods.from_date as below_zero_since,
    periods.lowest_balance,
    periods.event_entry_id,
    periods.event_transaction_id,
    periods.event_entry_type,
    periods.event_amount,
    periods.event_effective_at,
    periods.event_known_at,
    periods.event_reference,
    periods.balance_before
from balances
left join periods on balances.account_id = periods.account_id and balances.asset = periods.asset
left join privileges on balances.account_id = privileges.account_id
left join entities on balances.entity_id = entities.entity_id
order by balance_rank asc
