with calendar as (
    select
        as_of_date,
        day_end
    from {{ ref('int_time__day') }}
),

external_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'external'
),

entries as (
    select
        account_id,
        asset,
        effective_at,
        effective_date,
        amount
    from {{ ref('stg_landing__ledger_entries') }}
),

snapshots as (
    select
        snapshot.account_id,
        snapshot.asset,
        snapshot.as_of_date,
        snapshot.as_of,
        snapshot.balance
    from {{ ref('stg_landing__balance_snapshots') }} as snapshot
    anti join external_accounts on snapshot.account_id = external_accounts.account_id
),

snapshot_moments as (
    select
        as_of_date,
        min(as_of) as first_as_of,
        max(as_of) as last_as_of
    from snapshots
    group by as_of_date
),

-- The moment of a day at which an account that has no snapshot is asked for one: when the day's last ones were taken.
cuts as (
    select
        calendar.as_of_date,
        calendar.day_end,
        coalesce(least(snapshot_moments.last_as_of, calendar.day_end), calendar.day_end) as cut_at
    from calendar
    left join snapshot_moments on calendar.as_of_date = snapshot_moments.as_of_date
),

-- One moment for the whole day, which is the rule, makes each row the last of its key without looking at the key.
last_snapshots as (
    select
        snapshots.account_id,
        snapshots.asset,
        snapshots.as_of_date,
        snapshots.as_of,
        snapshots.balance
    from snapshots
    inner join snapshot_moments on snapshots.as_of_date = snapshot_moments.as_of_date
    where snapshot_moments.first_as_of = snapshot_moments.last_as_of
    union all
    select
        several.account_id,
        several.asset,
        several.as_of_date,
        several.as_of,
        several.balance
    from (
        select
            snapshots.account_id,
            snapshots.asset,
            snapshots.as_of_date,
            snapshots.as_of,
            snapshots.balance
        from snapshots
        inner join snapshot_moments on snapshots.as_of_date = snapshot_moments.as_of_date
        where snapshot_moments.first_as_of <> snapshot_moments.last_as_of
        qualify
            row_number() over (
                partition by snapshots.account_id, snapshots.asset, snapshots.as_of_date
                order by snapshots.as_of desc
            ) = 1
    ) as several
),

balance_intervals as (
    select
        balance_change.account_id,
        balance_change.asset,
        balance_change.balance,
        greatest(balance_change.effective_date, {{ run_value('landing_first_date') }}) as from_date,
        least(balance_change.next_effective_date, {{ run_value('calendar_last_date') }} + 1) as to_date
    from {{ ref('int_liabilities__balance_change') }} as balance_change
    where balance_change.balance <> 0
),

-- Passed through the join below and never stored: as many rows as the engine delivers.
day_end_balances as (
    select
        account_id,
        asset,
        from_date + cast(unnest(range(to_date - from_date)) as integer) as as_of_date,
        balance
    from balance_intervals
    where from_date < to_date
),

after_cut as (
    select
        entries.account_id,
        entries.asset,
        entries.effective_date as as_of_date,
        sum(entries.amount) as amount
    from entries
    inner join cuts on entries.effective_date = cuts.as_of_date and entries.effective_at >= cuts.cut_at
    anti join external_accounts on entries.account_id = external_accounts.account_id
    where cuts.cut_at < cuts.day_end
    group by entries.account_id, entries.asset, entries.effective_date
),

cut_balances as (
    select
        coalesce(day_end_balances.account_id, after_cut.account_id) as account_id,
        coalesce(day_end_balances.asset, after_cut.asset) as asset,
        coalesce(day_end_balances.as_of_date, after_cut.as_of_date) as as_of_date,
        coalesce(day_end_balances.balance, 0) - coalesce(after_cut.amount, 0) as balance
    from day_end_balances
    full join after_cut
        on
            day_end_balances.account_id = after_cut.account_id
            and day_end_balances.asset = after_cut.asset
            and day_end_balances.as_of_date = after_cut.as_of_date
),

-- Snapshots taken at another moment than the day's cut: what was booked in between.
other_moments as (
    select
        last_snapshots.account_id,
        last_snapshots.asset,
        last_snapshots.as_of_date,
        last_snapshots.as_of,
        cuts.cut_at,
        cast(least(last_snapshots.as_of, cuts.cut_at) as date) as from_date,
        cast(greatest(last_snapshots.as_of, cuts.cut_at) - interval 1 microsecond as date) as last_date
    from last_snapshots
    inner join cuts on last_snapshots.as_of_date = cuts.as_of_date
    where last_snapshots.as_of <> cuts.cut_at
),

days_between as (
    select
        account_id,
        asset,
        as_of_date,
        as_of,
        cut_at,
        from_date + cast(unnest(range(last_date - from_date + 1)) as integer) as effective_date
    from other_moments
),

booked_between as (
    select
        days_between.account_id,
        days_between.asset,
        days_between.as_of_date,
        sum(case when days_between.as_of < days_between.cut_at then -entries.amount else entries.amount end) as amount
    from days_between
    inner join entries
        on
            days_between.account_id = entries.account_id
            and days_between.asset = entries.asset
            and days_between.effective_date = entries.effective_date
            and entries.effective_at >= least(days_between.as_of, days_between.cut_at)
            and entries.effective_at < greatest(days_between.as_of, days_between.cut_at)
    group by days_between.account_id, days_between.asset, days_between.as_of_date
),

compared as (
    select
        coalesce(last_snapshots.as_of_date, cut_balances.as_of_date) as as_of_date,
        coalesce(last_snapshots.account_id, cut_balances.account_id) as account_id,
        coalesce(last_snapshots.asset, cut_balances.asset) as asset,
        last_snapshots.as_of,
        last_snapshots.balance as engine_balance,
        coalesce(cut_balances.balance, 0) as cut_balance
    from last_snapshots
    full join cut_balances
        on
            last_snapshots.account_id = cut_balances.account_id
            and last_snapshots.asset = cut_balances.asset
            and last_snapshots.as_of_date = cut_balances.as_of_date
),

adjusted as (
    select
        compared.as_of_date,
        compared.account_id,
        compared.asset,
        coalesce(compared.as_of, cuts.cut_at) as as_of,
        compared.engine_balance is not null as has_snapshot,
        coalesce(compared.engine_balance, 0) as engine_balance,
        compared.cut_balance + coalesce(booked_between.amount, 0) as ledger_balance
    from compared
    inner join cuts on compared.as_of_date = cuts.as_of_date
    left join booked_between
        on
            compared.account_id = booked_between.account_id
            and compared.asset = booked_between.asset
            and compared.as_of_date = booked_between.as_of_date
)

select
    as_of_date,
    account_id,
    asset,
    as_of,
    has_snapshot,
    cast(engine_balance as decimal(38, 18)) as engine_balance,
    cast(ledger_balance as decimal(38, 18)) as ledger_balance,
    cast(engine_balance - ledger_balance as decimal(38, 18)) as drift
from adjusted
where engine_balance <> ledger_balance
