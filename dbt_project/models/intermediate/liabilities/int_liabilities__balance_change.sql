with entries as (
    select
        account_id,
        asset,
        effective_date,
        amount
    from {{ ref('stg_landing__ledger_entries') }}
),

external_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'external'
),

daily_change as (
    select
        entries.account_id,
        entries.asset,
        entries.effective_date,
        sum(entries.amount) as change
    from entries
    anti join external_accounts on entries.account_id = external_accounts.account_id
    group by entries.account_id, entries.asset, entries.effective_date
)

select
    account_id,
    asset,
    effective_date,
    cast(change as decimal(38, 18)) as change,
    cast(sum(change) over account_history as decimal(38, 18)) as balance,
    lead(effective_date) over account_history as next_effective_date
from daily_change
window account_history as (partition by account_id, asset order by effective_date)
