with negative_changes as (
    select
        account_id,
        asset,
        effective_date,
        next_effective_date,
        balance,
        balance - change >= 0 as is_start
    from {{ ref('int_liabilities__balance_change') }}
    where balance < 0
),

numbered as (
    select
        account_id,
        asset,
        effective_date,
        next_effective_date,
        balance,
        sum(case when is_start then 1 else 0 end) over (
            partition by account_id, asset
            order by effective_date
            rows between unbounded preceding and current row
        ) as period_number
    from negative_changes
),

periods as (
    select
        account_id,
        asset,
        min(effective_date) as from_date,
        case
            when count(*) = count(next_effective_date) then max(next_effective_date)
        end as to_date,
        min(balance) as lowest_balance
    from numbered
    group by account_id, asset, period_number
),

events as (
    select
        account_id,
        asset,
        effective_date,
        entry_id,
        transaction_id,
        entry_type,
        amount,
        effective_at,
        known_at,
        reference,
        balance_before,
        balance_after
    from {{ ref('int_liabilities__negative_start') }}
)

select
    periods.account_id,
    periods.asset,
    periods.from_date,
    periods.to_date,
    cast(periods.lowest_balance as decimal(38, 18)) as lowest_balance,
    events.entry_id as event_entry_id,
    events.transaction_id as event_transaction_id,
    events.entry_type as event_entry_type,
    events.amount as event_amount,
    events.effective_at as event_effective_at,
    events.known_at as event_known_at,
    events.reference as event_reference,
    events.balance_before,
    events.balance_after
from periods
left join events
    on
        periods.account_id = events.account_id
        and periods.asset = events.asset
        and periods.from_date = events.effective_date
