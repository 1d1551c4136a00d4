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
from orchestration.contract import TABLES
from orchestration.journal import CLOSE, COMPLETED
from orchestration.reading.published import has_table
from orchestration.sql import quoted

RUN_COMPLETES, CHECK_RUNS = "run_completes", "check_runs"
ROWS_ARRIVE, PUBLISHED_IN_TIME, SOURCE_PULLED = "rows_arrive", "published_in_time", "source_pulled"
"""What is watched besides the catalogue: that runs end, that checks can be evaluated, that balances and prices, which
stand on every day, are delivered with rows, that a day is published, that every source is pulled."""

_SNAPSHOTS = tuple(table.name for table in TABLES if table.required_daily and "as_of" in table.key)

_EMPTY = """
    with arrived as (
        select table_name, partition_date, sum(rows) as rows
        from (
            select table_name, partition_date, source_file, arg_max(rows, load_number) as rows
            from audit.load
            where
                outcome in ('accepted', 'superseded')
                and partition_date <= $day
                and table_name in (select unnest($tables))
            group by all
        )
        group by all
    )
    select table_name, max(partition_date) filter (where rows > 0) + 1 as since
    from arrived
    group by table_name
    having max(partition_date) = $day and since <= $day
    order by table_name
"""
"""Tables whose latest partitions hold nothing, although earlier ones did, and since when."""

_AFFILIATES = """
    with related as (
        select entity_id
        from marts.dim_entity_relation
        where relation = 'affiliate' and from_date <= $day and to_date > $day
    ),

    party as (
        select 'account' as subject_type, account_id as subject_id, entity_id from marts.dim_account
        union all
        select 'wallet', wallet_id, owner_entity_id from marts.dim_wallet
        union all
        select unnest(['entity', 'affiliate']), entity_id, entity_id from related
    )
    select subject_type, subject_id, entity_id from party semi join related using (entity_id)
"""
"""The affiliate behind each account, wallet and entity on a day."""

_CATEGORIES = {
    Kind.INTEGRITY: Category.BAD_DATA,
    Kind.RECONCILIATION: Category.BAD_DATA,
    Kind.BREACH: Category.BREACH,
    Kind.POLICY: Category.CHECK_FAILED,
}
_WATCHED_BESIDES = {
    RUN_COMPLETES: Category.CHECK_FAILED,
    CHECK_RUNS: Category.CHECK_FAILED,
    ROWS_ARRIVE: Category.NO_DATA,
    PUBLISHED_IN_TIME: Category.NO_DATA,
    SOURCE_PULLED: Category.NO_DATA,
}
_OF_RUNS = frozenset({RUN_COMPLETES, CHECK_RUNS, ROWS_ARRIVE})
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


def categories_of(check_name: str) -> tuple[Category, ...]:
    """The categories that an incident of a check can have; all, if the check is known neither here nor there."""
    if check_name in _WATCHED_BESIDES:
        return (_WATCHED_BESIDES[check_name],)
    kinds = [check.kind for check in (*CHECKS, CHECK_DISABLED) if check.name == check_name]
    return tuple(category_of(check_name, kind) for kind in kinds) or tuple(Category)


def category_of(check_name: str, kind: Kind) -> Category:
    """The category of a check's findings."""
    return Category.NO_DATA if check_name in _NEVER_CAME else _CATEGORIES[kind]


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
    affiliates = _affiliates(connection, day)
    observations = [
        replace(found, affiliate=affiliates.get((found.subject_type, found.subject_id)))
        for found in _findings(connection, environment, day, event_days)
    ]
    observations += [_empty(environment, day, table, since) for table, since in _empty_tables(connection, day)]
    observations += [rule_failed(environment, day, run["run_id"], name, text) for name, text in failed]
    if run["status"] in ("error", "killed"):
        observations.append(run_failed(environment, run["last_date"], run["message"] or run["status"], run["run_id"]))
    judged = {check.name for check in CHECKS} - {name for name, _ in failed}
    return Look(environment, at, day, judged | {CHECK_DISABLED.name, *_OF_RUNS}), observations


def _affiliates(connection: duckdb.DuckDBPyConnection, day: date) -> dict[tuple[str, str], str]:
    """Related parties by subject. Where nothing was accepted yet, there are no marts to ask."""
    if not has_table(connection, "marts", "dim_entity_relation"):
        return {}
    rows = connection.execute(_AFFILIATES, {"day": day}).fetchall()
    return {(kind, subject): entity for kind, subject, entity in rows} | {("group", "group"): "group"}


def _empty_tables(connection: duckdb.DuckDBPyConnection, day: date) -> list[tuple[str, date]]:
    return connection.execute(_EMPTY, {"day": day, "tables": list(_SNAPSHOTS)}).fetchall()


def _empty(environment: str, day: date, table: str, since: date) -> Observation:
    return Observation(
        environment=environment,
        check_name=ROWS_ARRIVE,
        category=Category.NO_DATA,
        severity=Severity.CRITICAL,
        subject_type="table",
        subject_id=table,
        asset=None,
        day=day,
        since=since,
        message=f"{table} came without a row for {day}; the last day with rows was {since - timedelta(days=1)}.",
        observed="no row",
        expected="what stands at the end of the day",
        evidence=f"select * from audit.load where table_name = '{table}' order by partition_date",
    )


def _latest_run(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    cursor = connection.execute(
        "select run_id, status, last_date, message from audit.run where status <> 'running'"
        " order by started_at desc limit 1"
    )
    names = [column[0] for column in cursor.description or ()]
    row = cursor.fetchone()
    return dict(zip(names, row, strict=True)) if row else {}


def results_published(connection: duckdb.DuckDBPyConnection) -> list[tuple[datetime, date]]:
    """When each run that came to a result began, and up to which day it went."""
    return connection.execute(
        "select started_at, last_date from audit.run where list_contains($completed, status)",
        {"completed": sorted(COMPLETED)},
    ).fetchall()


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


def rule_failed(environment: str, day: date, run_id: str, name: str, text: str) -> Observation:
    """A rule that a gate could not evaluate; resolved once a run that could is published."""
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
        evidence=f"select * from audit.check_result where run_id = {quoted(run_id)} and is_error",
        run_id=run_id,
    )


def run_failed(environment: str, last_date: date, message: str, run_id: str) -> Observation:
    """A run that ended by an error of the program's own, or was killed; resolved once its day is published."""
    failed = of_job(environment, RUN_COMPLETES, Category.CHECK_FAILED, last_date)
    return replace(
        failed,
        message=f"The run of {last_date} ended without a result: {message}",
        evidence=f"select * from audit.run where run_id = {quoted(run_id)}",
        run_id=run_id,
    )


def not_published(environment: str, day: date, deadline: str, why: str) -> Observation:
    """A day that wasn't published by the deadline (HH:MM, UTC, of the next morning)."""
    missing = of_job(environment, PUBLISHED_IN_TIME, Category.NO_DATA, day)
    return replace(missing, message=f"{day} was not published by {deadline} UTC: {why}.")


def of_job(environment: str, check_name: str, category: Category, day: date, job: str = CLOSE) -> Observation:
    """Something about a job as a whole, without its sentence."""
    return Observation(
        environment=environment,
        check_name=check_name,
        category=category,
        severity=Severity.CRITICAL,
        subject_type="job",
        subject_id=job,
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
        category=category_of(check, Kind(row["kind"])),
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
