"""What the published warehouse shows of trouble, as observations: findings, checks that failed to run, failed runs.

What belongs here: reading ``audit`` and putting names on it. What doesn't: what becomes of it (``incidents``).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import duckdb

from orchestration.alerts.incidents import Category, Look, Observation
from orchestration.checks import CHECK_DISABLED, CHECKS, Kind, Severity

RUN_COMPLETES, CHECK_RUNS, PUBLISHED_IN_TIME = "run_completes", "check_runs", "published_in_time"
"""What is watched besides the catalogue: that runs end, that checks can be evaluated, that a day is published."""

_CATEGORIES = {
    Kind.INTEGRITY: Category.BAD_DATA,
    Kind.RECONCILIATION: Category.BAD_DATA,
    Kind.BREACH: Category.BREACH,
    Kind.POLICY: Category.CHECK_FAILED,
}
_NEVER_CAME = frozenset({"arrivals_complete", "prices_complete", "prices_fresh"})

_FINDINGS = """
    with looked_at as (
        select
            *,
            -- What happened once is looked at for some days, what goes on is there on the latest day.
            case when check_name in (select unnest($events)) then $day - to_days($event_days) else $day - to_days(1) end
                as after
        from audit.finding
    )
    select check_name, kind, severity, subject_type, subject_id, asset, as_of_date, first_seen_on, message, observed,
        expected, impact_usd, evidence, run_id
    from looked_at
    where kind = 'integrity' or (as_of_date > after and as_of_date <= $day)
    order by all
"""


def observe(
    connection: duckdb.DuckDBPyConnection, environment: str, at: datetime, event_days: int
) -> tuple[Look, list[Observation]]:
    """All that a published warehouse shows on its latest day, and which checks would have been seen.

    ``event_days``: how long something that happened once is looked at. Findings of an integrity check stand until a
    later load passes, whatever their day.
    """
    run = _latest_run(connection)
    day = _latest_day(connection) or run["last_date"]
    failed = _rules_that_failed(connection, run["run_id"])
    observations = [*_findings(connection, environment, day, event_days)]
    observations += [_rule_failed(environment, day, run["run_id"], name, text) for name, text in failed]
    if run["status"] in ("error", "killed"):
        observations.append(run_failed(environment, run["last_date"], run["message"] or run["status"], run["run_id"]))
    judged = {check.name for check in CHECKS} - {name for name, _ in failed}
    return Look(environment, at, day, judged | {CHECK_DISABLED.name, RUN_COMPLETES, CHECK_RUNS}), observations


def _latest_run(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    cursor = connection.execute(
        "select run_id, status, last_date, message from audit.run where status <> 'running'"
        " order by started_at desc limit 1"
    )
    names = [column[0] for column in cursor.description or ()]
    row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else {}


def _latest_day(connection: duckdb.DuckDBPyConnection) -> date | None:
    row = connection.execute("select max(knowledge_at) from audit.run where is_accepted").fetchone()
    return None if row is None or row[0] is None else (row[0] - timedelta(days=1)).date()


def _rules_that_failed(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[tuple[str, str]]:
    """Checks that a run couldn't evaluate, and what they said."""
    rows = connection.execute(
        "select check_name, max(observed) from audit.check_result where run_id = ? and is_error"
        " group by all order by all",
        [run_id],
    ).fetchall()
    return [(name, observed or "no reason given") for name, observed in rows]


def _rule_failed(environment: str, day: date, run_id: str, name: str, text: str) -> Observation:
    return Observation(
        environment=environment,
        check_name=CHECK_RUNS,
        category=Category.CHECK_FAILED,
        severity=Severity.CRITICAL,
        subject_type="check",
        subject_id=name,
        asset=None,
        day=day,
        since=day,
        message=f"Check {name} could not be evaluated, so nobody knows what it would have found: {text}",
        evidence=f"select * from audit.check_result where run_id = '{run_id}' and is_error",
        run_id=run_id,
    )


def run_failed(environment: str, last_date: date, message: str, run_id: str) -> Observation:
    """A run that ended by an error of the program's own, or was killed; resolved once its day is published."""
    failed = _of_the_job(environment, RUN_COMPLETES, Category.CHECK_FAILED, last_date)
    return replace(
        failed,
        message=f"The run of {last_date} ended without a result: {message}",
        evidence=f"select * from audit.run where run_id = '{run_id}'",
        run_id=run_id,
    )


def not_published(environment: str, day: date, deadline: str, why: str) -> Observation:
    """A day that wasn't published by the deadline (HH:MM, UTC, of the next morning)."""
    missing = _of_the_job(environment, PUBLISHED_IN_TIME, Category.NO_DATA, day)
    return replace(missing, message=f"{day} was not published by {deadline} UTC: {why}.")


def _of_the_job(environment: str, check_name: str, category: Category, day: date) -> Observation:
    """Something about the daily close as a whole, without its sentence."""
    return Observation(
        environment=environment,
        check_name=check_name,
        category=category,
        severity=Severity.CRITICAL,
        subject_type="job",
        subject_id="daily_close",
        asset=None,
        day=day,
        since=day,
        message="",
    )


def _findings(connection: duckdb.DuckDBPyConnection, environment: str, day: date, event_days: int) -> list[Observation]:
    events = [check.name for check in CHECKS if check.is_event]
    cursor = connection.execute(_FINDINGS, {"day": day, "events": events, "event_days": event_days})
    names = [column[0] for column in cursor.description or ()]
    return [_observation(environment, dict(zip(names, row, strict=True))) for row in cursor.fetchall()]


def _observation(environment: str, row: dict[str, Any]) -> Observation:
    check = row["check_name"]
    return Observation(
        environment=environment,
        check_name=check,
        category=Category.NO_DATA if check in _NEVER_CAME else _CATEGORIES[Kind(row["kind"])],
        severity=Severity(row["severity"]),
        subject_type=row["subject_type"],
        subject_id=row["subject_id"],
        asset=row["asset"],
        day=row["as_of_date"],
        since=row["first_seen_on"],
        message=row["message"],
        observed=row["observed"],
        expected=row["expected"],
        impact_usd=row["impact_usd"],
        evidence=row["evidence"],
        run_id=row["run_id"],
    )
