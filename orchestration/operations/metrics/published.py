"""What the published warehouse says of its latest day, its last run and what that read.

What belongs here: small queries, a part each, that put rows into samples. What doesn't: opening the file and what
happens if that fails (``collector``); deciding, which marts and audit have done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb

from orchestration.checks import CHECKS
from orchestration.contract import TABLES
from orchestration.operations.metrics.samples import Samples

GROUPS_SHOWN = 100
"""In-kind groups with metrics of their own, those that are short first: an exchange may list thousands of tokens."""

STATUSES = ("covered", "short", "incomplete")

_SOLVENCY = {
    "customer_liabilities_usd": "customer_liabilities_usd",
    "customer_receivables_usd": "customer_receivables_usd",
    "eligible_reserves_usd": "eligible_reserves_usd",
    "excluded_reserves_usd": "excluded_reserves_usd",
    "coverage_ratio": "coverage_ratio",
    "in_kind_shortfall_usd": "in_kind_shortfall_usd",
    "net_gap_usd": "net_gap_usd",
    "affiliate_borrowing_usd": "affiliate_borrowing_usd",
    "affiliate_uncollateralised_usd": "affiliate_uncollateralised_usd",
    "own_token_assets_usd": "own_token_assets_usd",
    "own_token_ratio": "own_token_share",
    "unpriced_assets": "unpriced_assets",
}
"""Metrics and the columns of ``fct_solvency_daily`` that they are."""

_GROUPS = f"""
    select
        in_kind_group,
        gap >= 0 as is_covered,
        coverage_ratio,
        liability,
        eligible_reserves,
        gap,
        greatest(-gap, 0) as shortfall,
        case when gap >= 0 then 0 else -gap_usd end as shortfall_usd
    from marts.fct_reserve_coverage_daily
    where as_of_date = $day
    order by
        is_covered,
        -- Order of importance only; what is unpriced can't be told to be small.
        case when gap < 0 then gap_usd end nulls first,
        cast(liability as double) * cast(price_usd as double) desc nulls last,
        in_kind_group
    limit {GROUPS_SHOWN}
"""

_AFFILIATES = """
    select
        count(*) as affiliates,
        count(*) filter (has_borrowing_beyond_dust) as affiliates_borrowing,
        count(*) filter (active_privileges is not null and active_privileges <> '') as affiliates_privileged,
        coalesce(sum(gross_claims_usd), 0) as affiliate_claims_usd,
        coalesce(max(uncollateralised_usd), 0) as affiliate_largest_uncollateralised_usd,
        coalesce(sum(share_of_customer_liabilities), 0) as affiliate_exposure_ratio,
        coalesce(sum(unpriced_balances), 0) as affiliate_unpriced_balances
    from marts.fct_affiliate_exposure_daily
    where as_of_date = $day
"""

_FINDINGS = """
    select
        check_name,
        kind,
        severity,
        count(*) as findings,
        coalesce(sum(impact_usd), 0) as impact_usd,
        count(*) filter (impact_usd is null) as unpriced
    from audit.finding
    where kind = 'integrity' or as_of_date = $day
    group by all
"""

_RESULTS = """
    select check_name, min(severity) as severity, bool_or(is_error) as is_error
    from audit.check_result
    where run_id = $run_id
    group by all
"""

_LOADS = "select table_name, sum(rows), sum(bytes), count(*) from audit.load where run_id = $run_id group by all"

_FRESHNESS = """
    select table_name, max(partition_date), max(modified_ns)
    from audit.load
    where outcome in ('accepted', 'superseded')
    group by all
"""

Connection = duckdb.DuckDBPyConnection


class NothingPublishedError(Exception):
    """No figure of any day stands in the file: the first run was refused."""


def read_solvency(connection: Connection, samples: Samples, deadline: time) -> None:
    """The headline of the latest day. ``deadline``: until when (UTC, of the morning after) a day is to be published."""
    day = _required_day(connection)
    row = _one(connection, "select * from marts.fct_solvency_daily where as_of_date = $day", day=day)
    samples.put("published_day_timestamp_seconds", day)
    samples.put("publication_due_timestamp_seconds", datetime.combine(day + timedelta(days=2), deadline))
    for name, column in _SOLVENCY.items():
        samples.put(name, row[column])
    for status in STATUSES:
        samples.put("day_status", row["status"] == status, status)
    samples.put("covered", row["status"] == "covered")


def read_groups(connection: Connection, samples: Samples) -> None:
    """Coverage by in-kind group on the latest day: those that are short, then by what is owed."""
    day = _required_day(connection)
    count = "select count(*) as every, count(*) filter (gap < 0) as short from marts.fct_reserve_coverage_daily"
    counted = _one(connection, f"{count} where as_of_date = $day", day=day)
    samples.put("groups", counted["every"])
    samples.put("groups_short", counted["short"])
    samples.put("groups_left_out", max(0, counted["every"] - GROUPS_SHOWN))
    for row in _rows(connection, _GROUPS, day=day):
        group = row["in_kind_group"]
        samples.put("group_covered", row["is_covered"], group)
        samples.put("group_coverage_ratio", row["coverage_ratio"], group)
        samples.put("group_liability_units", row["liability"], group)
        samples.put("group_eligible_reserves_units", row["eligible_reserves"], group)
        samples.put("group_gap_units", row["gap"], group)
        samples.put("group_shortfall_units", row["shortfall"], group)
        samples.put("group_shortfall_usd", row["shortfall_usd"], group)


def read_affiliates(connection: Connection, samples: Samples) -> None:
    """Exposure to affiliates on the latest day, in sum: some of them are people, and none is named."""
    for name, value in _one(connection, _AFFILIATES, day=_required_day(connection)).items():
        samples.put(name, value)


def read_checks(connection: Connection, samples: Samples) -> None:
    """What the last run's checks found on the latest day, and whether they could be evaluated."""
    run = _last_run(connection)
    results = {row["check_name"]: row for row in _rows(connection, _RESULTS, run_id=run["run_id"])}
    for check in CHECKS:
        result = results.get(check.name)
        labels = (check.name, check.kind.value, result["severity"] if result else check.severity.value)
        samples.put("check_ran", result is not None and not result["is_error"], *labels)
        samples.put("check_error", result is not None and result["is_error"], *labels)
        for name in ("check_findings", "check_findings_usd", "check_findings_unpriced"):
            samples.put(name, 0, *labels)
    for row in _rows(connection, _FINDINGS, day=_latest_day(connection)):
        labels = (row["check_name"], row["kind"], row["severity"])
        samples.put("check_findings", row["findings"], *labels)
        samples.put("check_findings_usd", row["impact_usd"], *labels)
        samples.put("check_findings_unpriced", row["unpriced"], *labels)


def read_runs(connection: Connection, samples: Samples) -> None:
    """How the last run ended, and when one last did well."""
    run = _last_run(connection)
    started, finished = run["started_at"], run["finished_at"]
    samples.put("last_run_started_timestamp_seconds", started)
    samples.put("last_run_finished_timestamp_seconds", finished)
    samples.put("last_run_duration_seconds", None if finished is None else (finished - started).total_seconds())
    samples.put("last_run_exit_status", run["exit_status"])
    times = "select max(finished_at) filter (exit_status = 0) as passed, max(published_at) as published from audit.run"
    row = _one(connection, times)
    samples.put("last_success_timestamp_seconds", row["passed"])
    samples.put("last_publication_timestamp_seconds", row["published"])


def read_loads(connection: Connection, samples: Samples) -> None:
    """What the last run read, and how fresh each table is."""
    run_id = _last_run(connection)["run_id"]
    read = {name: rest for name, *rest in connection.execute(_LOADS, {"run_id": run_id}).fetchall()}
    fresh = {name: rest for name, *rest in connection.execute(_FRESHNESS).fetchall()}
    for table in TABLES:
        rows, size, files = read.get(table.name, (0, 0, 0))
        samples.put("load_rows", rows, table.name)
        samples.put("load_bytes", size, table.name)
        samples.put("load_files", files, table.name)
        day, modified_ns = fresh.get(table.name, (None, None))
        labels = (table.name, "yes" if table.required_daily else "no")
        samples.put("table_day_timestamp_seconds", day, *labels)
        samples.put("table_arrived_timestamp_seconds", None if modified_ns is None else modified_ns / 1e9, *labels)
    notices = _one(connection, "select count(*) as notices from audit.notice where run_id = $run_id", run_id=run_id)
    samples.put("load_notices", notices["notices"])


def readers(deadline: time) -> dict[str, Callable[[Connection, Samples], None]]:
    """How each part of the published file is read."""
    return {
        "solvency": lambda connection, samples: read_solvency(connection, samples, deadline),
        "groups": read_groups,
        "affiliates": read_affiliates,
        "checks": read_checks,
        "runs": read_runs,
        "loads": read_loads,
    }


def _latest_day(connection: Connection) -> date | None:
    """The latest day published; None if none ever was."""
    try:
        day: date | None = _one(connection, "select max(as_of_date) as day from marts.fct_solvency_daily")["day"]
    except duckdb.CatalogException:  # a first run that was refused publishes its audit alone
        return None
    return day


def _required_day(connection: Connection) -> date:
    day = _latest_day(connection)
    if day is None:
        raise NothingPublishedError("no day has ever been published here; see what the last run said")
    return day


def _last_run(connection: Connection) -> dict[str, Any]:
    query = (
        "select run_id, started_at, finished_at, exit_status from audit.run where status <> 'running'"
        " order by started_at desc limit 1"
    )
    return _one(connection, query)


def _rows(connection: Connection, sql: str, **parameters: Any) -> Iterator[dict[str, Any]]:
    cursor = connection.execute(sql, parameters)
    names = [column[0] for column in cursor.description or ()]
    return (dict(zip(names, values, strict=True)) for values in cursor.fetchall())


def _one(connection: Connection, sql: str, **parameters: Any) -> dict[str, Any]:
    rows = list(_rows(connection, sql, **parameters))
    if len(rows) != 1:
        raise NothingPublishedError("a row that has to be there isn't; see whether the file is whole")
    return rows[0]
