with findings as (
    select
        finding_number,
        as_of_date,
        check_name,
        subject_id,
        asset
    from {{ ref('evidence__finding') }}
),

reported_balances as (
    select
        figure,
        as_of_date,
        asset,
        known_date
    from {{ ref('fct_reported_balance') }}
    where not is_within_tolerance
),

snapshots as (
    select
        as_of_date,
        snapshot_date,
        in_kind_group
    from {{ ref('fct_snapshot_flow_daily') }}
    where is_window_dressed
)

select
    findings.finding_number,
    reported_balances.as_of_date as described_date
from findings
inner join reported_balances
    on
        findings.subject_id = reported_balances.figure
        and findings.as_of_date = reported_balances.known_date
        and findings.asset is not distinct from reported_balances.asset
where
    findings.check_name in ('reported_liabilities_match', 'reported_reserves_match', 'insurance_fund_matches')
union
select
    findings.finding_number,
    snapshots.snapshot_date as described_date
from findings
inner join snapshots
    on findings.as_of_date = snapshots.as_of_date and findings.subject_id = snapshots.in_kind_group
where findings.check_name = 'reserves_not_window_dressed'
union
select
    finding_number,
    case when check_name = 'affiliation_removed' then as_of_date - 1 else as_of_date end as described_date
from findings
where
    check_name not in (
        'reported_liabilities_match', 'reported_reserves_match', 'insurance_fund_matches',
        'reserves_not_window_dressed'
    )
