with flows as (
    select
        as_of_date,
        in_kind_group,
        snapshot_at,
        eligible_reserves,
        inflow_before,
        outflow_since,
        price_usd,
        known_at
    from {{ ref('fct_snapshot_flow_daily') }}
    where is_window_dressed
),

-- Dated on the day by which enough had left; of several snapshots close together, the earliest speaks.
first_seen as (
    select
        as_of_date,
        in_kind_group,
        snapshot_at,
        eligible_reserves,
        inflow_before,
        outflow_since,
        price_usd,
        known_at
    from flows
    qualify row_number() over (partition by snapshot_at, in_kind_group order by as_of_date) = 1
),

found as (
    select
        as_of_date,
        in_kind_group,
        snapshot_at,
        eligible_reserves,
        inflow_before,
        outflow_since,
        price_usd,
        known_at
    from first_seen
    qualify row_number() over (partition by as_of_date, in_kind_group order by snapshot_at) = 1
)

select
    as_of_date,
    'in_kind_group' as subject_type,
    in_kind_group as subject_id,
    in_kind_group as asset,
    {{ amount_text('inflow_before') }} || ' '
    || in_kind_group || ' in before the snapshot, ' || {{ amount_text('outflow_since') }} || ' out after it'
        as observed,
    'less than ' || {{ amount_text(policy('window_dressing.flow_pct_of_reserves')) }} || ' % of '
    || {{ amount_text('eligible_reserves') }} || ' ' || in_kind_group || ' before or after' as expected,
    {{ value_usd('least(inflow_before, outflow_since)', 'price_usd') }} as impact_usd,
    'By ' || as_of_date || ' ' || {{ amount_text('outflow_since') }} || ' ' || in_kind_group
    || ' had left after the snapshot of reserves of ' || snapshot_at || ', before which '
    || {{ amount_text('inflow_before') }} || ' had come in, neither of them customers'' money; reserves then were '
    || {{ amount_text('eligible_reserves') }} || '.' as message,
    {{ mart_evidence('fct_snapshot_flow_daily', {'snapshot_at': 'snapshot_at', 'in_kind_group': 'in_kind_group'}) }}
        as evidence,
    greatest({{ day_end('as_of_date') }}, known_at) as known_since,
    cast(null as string) as severity
from found
