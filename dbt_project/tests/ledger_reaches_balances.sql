-- Prevents: entries lost or counted twice between the ledger and the balances. Fails with the assets of which the
-- last balances of all accounts don't sum to the entries.
with entries as (
    select
        ledger.asset,
        sum(ledger.amount) as amount
    from {{ ref('stg_landing__ledger_entries') }} as ledger
    inner join {{ ref('stg_landing__accounts') }} as accounts on ledger.account_id = accounts.account_id
    where accounts.account_class <> 'external'
    group by ledger.asset
),

balances as (
    select
        asset,
        sum(balance) as amount
    from {{ ref('int_liabilities__balance_change') }}
    where next_effective_date is null
    group by asset
)

select
    coalesce(entries.asset, balances.asset) as asset,
    entries.amount as ledger_amount,
    balances.amount as balance_amount
from entries
full join balances on entries.asset = balances.asset
where entries.amount is distinct from balances.amount
