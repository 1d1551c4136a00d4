-- Every revenue entry of the operator is attributed whole: income without a payer, or counted twice, moves the month.
with entries as (
    select
        entry_id,
        account_id,
        amount,
        entry_type,
        effective_date
    from {{ ref('stg_landing__ledger_entries') }}
    where
        entry_type in ('fee', 'interest', 'funding', 'liquidation', 'revenue', 'rebate', 'reward')
        and effective_date between {{ run_value('landing_first_date') }} and {{ run_value('calendar_last_date') }}
),

operator_accounts as (
    select account_id
    from {{ ref('dim_account') }}
    where relation = 'operator' and account_class in ('fee', 'house')
),

payments as (
    select
        entry_id,
        sum(quantity) as quantity
    from {{ ref('int_revenue__payment') }}
    group by entry_id
)

select
    entries.entry_id,
    entries.amount,
    payments.quantity
from entries
semi join operator_accounts on entries.account_id = operator_accounts.account_id
left join payments on entries.entry_id = payments.entry_id
where entries.amount <> coalesce(payments.quantity, 0)
