with flows as (
    select
        as_of_date,
        snapshot_date,
        snapshot_at,
        in_kind_group,
        inflow_before,
        outflow_since,
        known_at
    from {{ ref('int_reserves__snapshot_flow_daily') }}
),

coverage as (
    select
        as_of_date,
        in_kind_group,
        eligible_reserves,
        price_usd
    from {{ ref('fct_reserve_coverage_daily') }}
),

limits as (
    select cast({{ policy('window_dressing.flow_pct_of_reserves') }} * 0.01 as decimal(38, 18)) as share_of_reserves
),

compared as (
    select
        flows.as_of_date,
        flows.snapshot_date,
        flows.snapshot_at,
        flows.in_kind_group,
        flows.inflow_before,
        flows.outflow_since,
        flows.known_at,
        coverage.eligible_reserves,
        coverage.price_usd,
        {{ exact_product('coverage.eligible_reserves', 'limits.share_of_reserves') }} as threshold
    from flows
    inner join coverage
        on flows.snapshot_date = coverage.as_of_date and flows.in_kind_group = coverage.in_kind_group
    cross join limits
)

select
    as_of_date,
    in_kind_group,
    snapshot_at,
    snapshot_date,
    eligible_reserves,
    inflow_before,
    outflow_since,
    price_usd,
    known_at,
    eligible_reserves > 0 and inflow_before >= threshold and outflow_since >= threshold as is_window_dressed
from compared
