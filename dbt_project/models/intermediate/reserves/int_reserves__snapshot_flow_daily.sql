with reports as (
    select
        period_start,
        period_end,
        known_at
    from {{ ref('stg_landing__reported_figures') }}
    where figure = 'reserves'
),

calendar as (
    select
        as_of_date,
        day_start,
        day_end
    from {{ ref('int_time__day') }}
),

transfers as (
    select
        transfer_id,
        asset,
        block_time,
        block_date,
        known_at,
        amount - customer_amount as amount
    from {{ ref('int_reserves__transfer_party') }}
    where owner_relation = 'operator' and party_relation is distinct from 'operator'
),

parities as (
    select
        as_of_date,
        asset,
        in_kind_group
    from {{ ref('int_reserves__parity_daily') }}
),

window_length as (
    select {{ length_of_days('cast(' ~ policy('window_dressing.days') ~ ' as integer)') }} as length
),

dated_reports as (
    select
        period_end,
        known_at,
        {{ stock_date('period_start', 'period_end') }} as snapshot_date
    from reports
),

-- The moment whose state was reported: the end of the day described if the report gives just its date.
snapshots as (
    select
        snapshot_date,
        case
            when cast(period_end - interval 1 microsecond as date) = snapshot_date then period_end
            else {{ day_end('snapshot_date') }}
        end as snapshot_at,
        min(known_at) as known_at
    from dated_reports
    group by all
),

flows as (
    select
        snapshots.snapshot_date,
        snapshots.snapshot_at,
        transfers.block_time,
        transfers.block_date,
        transfers.known_at,
        transfers.amount,
        coalesce(parities.in_kind_group, transfers.asset) as in_kind_group
    from snapshots
    cross join window_length
    inner join transfers
        on
            transfers.block_time >= snapshots.snapshot_at - window_length.length
            and transfers.block_time < snapshots.snapshot_at + window_length.length
    left join parities on transfers.block_date = parities.as_of_date and transfers.asset = parities.asset
    where transfers.amount <> 0
),

came_before as (
    select
        snapshot_at,
        in_kind_group,
        sum(amount) as inflow_before,
        max(known_at) as known_at
    from flows
    where block_time < snapshot_at
    group by snapshot_at, in_kind_group
),

left_after as (
    select
        snapshot_at,
        in_kind_group,
        block_date,
        -sum(amount) as outflow,
        max(known_at) as known_at
    from flows
    where block_time >= snapshot_at
    group by snapshot_at, in_kind_group, block_date
),

days_after as (
    select
        calendar.as_of_date,
        snapshots.snapshot_date,
        snapshots.snapshot_at,
        snapshots.known_at as snapshot_known_at,
        came_before.in_kind_group,
        came_before.inflow_before,
        came_before.known_at as inflow_known_at
    from snapshots
    cross join window_length
    inner join came_before on snapshots.snapshot_at = came_before.snapshot_at
    inner join calendar
        on
            snapshots.snapshot_at < calendar.day_end
            and snapshots.snapshot_at + window_length.length > calendar.day_start
)

select
    days_after.as_of_date,
    days_after.snapshot_date,
    days_after.snapshot_at,
    days_after.in_kind_group,
    cast(days_after.inflow_before as decimal(38, 18)) as inflow_before,
    cast(
        sum(coalesce(left_after.outflow, 0)) over days_since as decimal(38, 18)
    ) as outflow_since,
    greatest(
        days_after.snapshot_known_at, days_after.inflow_known_at, max(left_after.known_at) over days_since
    ) as known_at
from days_after
left join left_after
    on
        days_after.snapshot_at = left_after.snapshot_at
        and days_after.in_kind_group = left_after.in_kind_group
        and days_after.as_of_date = left_after.block_date
window
    days_since as (
        partition by days_after.snapshot_at, days_after.in_kind_group
        order by days_after.as_of_date
    )
