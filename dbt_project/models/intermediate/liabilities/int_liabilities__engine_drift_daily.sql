{{
    config(
        materialized='incremental',
        incremental_strategy='recompute_from',
        meta={'recomputed_from': {'scope': 'int_plan__scope', 'column': 'first_engine_date', 'key': 'as_of_date'}},
    )
}}

with calendar as (
    select
        as_of_date,
        day_end
    from {{ ref('int_time__day') }}
    where as_of_date >= {{ scope_value('first_engine_date') }}
),

external_accounts as (
    select account_id
    from {{ ref('stg_landing__accounts') }}
    where account_class = 'external'
),

-- Read twice, each time for few days or none: never kept as a whole.
entries as {{ read_in_place() }} (
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
        account_id,
        asset,
        as_of_date,
        as_of,
        balance
    from {{ ref('stg_landing__balance_snapshots') }}
    where as_of_date >= {{ scope_value('first_engine_date') }}
),

snapshot_moments as (
    select
        as_of_date,
        first_as_of,
        last_as_of
    from {{ ref('int_liabilities__snapshot_moment') }}
),

-- The moment of a day at which an account that has no snapshot is asked for one: when the day's last ones were taken.
cuts as (
    select
        calendar.as_of_date,
        calendar.day_end,
        coalesce(least(snapshot_moments.last_as_of, calendar.day_end), calendar.day_end) as cut_at,
        coalesce(
            snapshot_moments.first_as_of = snapshot_moments.last_as_of
            and snapshot_moments.last_as_of <= calendar.day_end,
            true
        ) as is_uniform
    from calendar
    left join snapshot_moments on calendar.as_of_date = snapshot_moments.as_of_date
),

-- One moment for the whole day is the rule, and needs nothing but the ledger at that moment.
snapshots_at_cut as (
    select
        snapshots.account_id,
        snapshots.asset,
        snapshots.as_of_date,
        snapshots.as_of,
        snapshots.balance
    from snapshots
    inner join cuts on snapshots.as_of_date = cuts.as_of_date
    where cuts.is_uniform
),

snapshots_elsewhere as (
    select
        snapshots.account_id,
        snapshots.asset,
        snapshots.as_of_date,
        snapshots.as_of,
        snapshots.balance,
        cuts.cut_at
    from snapshots
    inner join cuts on snapshots.as_of_date = cuts.as_of_date
    where not cuts.is_uniform
),

-- What was booked between a snapshot and its day's cut takes the engine's balance to the cut.
days_between as (
    select
        account_id,
        asset,
        as_of_date,
        as_of,
        cut_at,
        {{ each_day(
            'cast(least(as_of, cut_at) as date)',
            'cast(greatest(as_of, cut_at) - interval 1 microsecond as date) + 1'
        ) }} as effective_date
    from snapshots_elsewhere
    where as_of <> cut_at
),

effective_days as (
    select distinct effective_date
    from days_between
),

nearby_entries as (
    select
        entries.account_id,
        entries.asset,
        entries.effective_at,
        entries.effective_date,
        entries.amount
    from entries
    semi join effective_days on entries.effective_date = effective_days.effective_date
),

booked_between as (
    select
        days_between.account_id,
        days_between.asset,
        days_between.as_of_date,
        days_between.as_of,
        sum(
            case
                when days_between.as_of < days_between.cut_at then nearby_entries.amount
                else -nearby_entries.amount
            end
        ) as amount
    from days_between
    inner join nearby_entries
        on
            days_between.account_id = nearby_entries.account_id
            and days_between.asset = nearby_entries.asset
            and days_between.effective_date = nearby_entries.effective_date
            and nearby_entries.effective_at >= least(days_between.as_of, days_between.cut_at)
            and nearby_entries.effective_at < greatest(days_between.as_of, days_between.cut_at)
    group by days_between.account_id, days_between.asset, days_between.as_of_date, days_between.as_of
),

engine_balances as (
    select
        account_id,
        asset,
        as_of_date,
        as_of,
        balance,
        cast(0 as decimal(38, 18)) as booked_until_cut
    from snapshots_at_cut
    union all
    select
        snapshots_elsewhere.account_id,
        snapshots_elsewhere.asset,
        snapshots_elsewhere.as_of_date,
        snapshots_elsewhere.as_of,
        snapshots_elsewhere.balance,
        cast(coalesce(booked_between.amount, 0) as decimal(38, 18)) as booked_until_cut
    from snapshots_elsewhere
    left join booked_between
        on
            snapshots_elsewhere.account_id = booked_between.account_id
            and snapshots_elsewhere.asset = booked_between.asset
            and snapshots_elsewhere.as_of_date = booked_between.as_of_date
            and snapshots_elsewhere.as_of = booked_between.as_of
),

balance_intervals as (
    select
        balance_change.account_id,
        balance_change.asset,
        balance_change.balance,
        greatest(balance_change.effective_date, {{ scope_value('first_engine_date') }}) as from_date,
        least(balance_change.next_effective_date, {{ run_value('calendar_last_date') }} + 1) as to_date
    from {{ ref('int_liabilities__balance_change') }} as balance_change
    where balance_change.balance <> 0
),

-- Passed through the join below and never stored: as many rows as the engine delivers.
day_end_balances as (
    select
        account_id,
        asset,
        {{ each_day('from_date', 'to_date') }} as as_of_date,
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

apart as (
    select
        coalesce(engine_balances.as_of_date, cut_balances.as_of_date) as as_of_date,
        coalesce(engine_balances.account_id, cut_balances.account_id) as account_id,
        coalesce(engine_balances.asset, cut_balances.asset) as asset,
        engine_balances.as_of,
        engine_balances.balance as engine_balance,
        coalesce(cut_balances.balance, 0) - coalesce(engine_balances.booked_until_cut, 0) as ledger_balance
    from engine_balances
    full join cut_balances
        on
            engine_balances.account_id = cut_balances.account_id
            and engine_balances.asset = cut_balances.asset
            and engine_balances.as_of_date = cut_balances.as_of_date
    where
        coalesce(engine_balances.balance, 0) + coalesce(engine_balances.booked_until_cut, 0)
        <> coalesce(cut_balances.balance, 0)
)

-- Every snapshot of the day must agree; the one furthest apart, the later of two alike, speaks for the day.
select
    apart.as_of_date,
    apart.account_id,
    apart.asset,
    coalesce(apart.as_of, cuts.cut_at) as as_of,
    apart.engine_balance is not null as has_snapshot,
    cast(coalesce(apart.engine_balance, 0) as decimal(38, 18)) as engine_balance,
    cast(apart.ledger_balance as decimal(38, 18)) as ledger_balance,
    cast(coalesce(apart.engine_balance, 0) - apart.ledger_balance as decimal(38, 18)) as drift
from apart
inner join cuts on apart.as_of_date = cuts.as_of_date
anti join external_accounts on apart.account_id = external_accounts.account_id
qualify
    row_number() over (
        partition by apart.account_id, apart.asset, apart.as_of_date
        order by abs(coalesce(apart.engine_balance, 0) - apart.ledger_balance) desc, apart.as_of desc
    ) = 1
