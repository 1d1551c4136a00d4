"""From the finding models' rows to ``audit.finding``: policy's severities, first day seen, and the history of changes.

What belongs here: what is the same for every check. What doesn't: any check's rule (those are the finding models).

Rows are staged first (``stage_findings``), so that the exit gate can look at them, and become the standing findings
only when the run records them (``record_findings``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import duckdb

from orchestration.audit import table_named
from orchestration.checks import CHECK_DISABLED, CHECKS, Check, Kind
from orchestration.pipeline.run import RunContext
from orchestration.sql import quoted

INTEGRITY_STAGE: tuple[Kind, ...] = (Kind.INTEGRITY,)
PUBLISHED_STAGE: tuple[Kind, ...] = (Kind.RECONCILIATION, Kind.BREACH)

STAGED_TABLE = "checked.finding"
_COLUMNS = table_named("finding").column_names
_KEY = ("check_name", "subject_type", "subject_id", "asset", "as_of_date")
_CONTENT = tuple(name for name in _COLUMNS if name not in ("run_id", *_KEY))


@dataclass(frozen=True, slots=True)
class FindingChanges:
    """How many findings a run added to, changed in and took from those standing."""

    raised: int
    changed: int
    withdrawn: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as messages show it."""

    as_of_date: date
    check_name: str
    severity: str
    subject_type: str
    subject_id: str
    asset: str | None
    impact_usd: Decimal | None
    message: str
    observed: str | None


def existing_models(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Names of the finding models that have been built."""
    rows = connection.execute("select table_name from duckdb_tables() where schema_name = 'findings'").fetchall()
    return {name for (name,) in rows}


def _selects(checks: Iterable[Check]) -> list[str]:
    return [
        f"""
        select
            as_of_date, {quoted(check.name)} as check_name, subject_type, subject_id, asset, observed, expected,
            impact_usd, message, evidence, known_since, severity as row_severity
        from findings.{check.name}
        """
        for check in checks
    ]


_NO_ROWS = """
    select
        null::date as as_of_date, '' as check_name, '' as subject_type, '' as subject_id, '' as asset,
        '' as observed, '' as expected, null::decimal(38, 8) as impact_usd, '' as message, '' as evidence,
        null::timestamp as known_since, '' as row_severity
    where false
"""

_DISABLED_ROWS = f"""
    select
        days.day::date as as_of_date, '{CHECK_DISABLED.name}' as check_name, 'check' as subject_type,
        check_setting.check_name as subject_id, null as asset, 'disabled' as observed, 'enabled' as expected,
        null::decimal(38, 8) as impact_usd,
        'Check ' || check_setting.check_name || ' is switched off by policy: nobody looks for what it finds.'
            as message,
        'select * from audit.policy where name = ''checks.' || check_setting.check_name || '''' as evidence,
        (days.day::date + 1)::timestamp as known_since, null as row_severity
    from policy.check_setting as check_setting
    cross join (
        select unnest(generate_series(landing_first_date, greatest(calendar_last_date, landing_first_date),
            interval 1 day)) as day
        from policy.run_context
    ) as days
    where not check_setting.is_enabled
"""


def stage_findings(connection: duckdb.DuckDBPyConnection, context: RunContext, kinds: Sequence[Kind]) -> None:
    """Fill ``checked.finding`` with the rows of these kinds' checks as audit.finding would show them.

    A check that policy switches off contributes nothing but its ``check_disabled`` on every day of the calendar: the
    findings of all those days are missing.
    """
    built = existing_models(connection)
    enabled = {
        name
        for (name,) in connection.execute("select check_name from policy.check_setting where is_enabled").fetchall()
    }
    checks = [check for check in CHECKS if check.kind in kinds and check.name in built and check.name in enabled]
    rows = " union all ".join([_NO_ROWS, *_selects(checks), _DISABLED_ROWS])
    connection.execute("create schema if not exists checked")
    connection.execute(
        f"""
        create or replace table {STAGED_TABLE} as
        with rows as ({rows}),
        days as (select distinct check_name, subject_type, subject_id, asset, as_of_date from rows),
        numbered as (
            select
                *,
                as_of_date - cast(
                    row_number() over (partition by check_name, subject_type, subject_id, asset order by as_of_date)
                    as integer
                ) as unbroken_run
            from days
        ),
        dated as (
            select
                * exclude (unbroken_run),
                min(as_of_date) over (partition by check_name, subject_type, subject_id, asset, unbroken_run)
                    as first_seen_on
            from numbered
        )
        select
            $run_id as run_id,
            rows.as_of_date,
            rows.check_name,
            coalesce(check_setting.kind, '{Kind.POLICY}') as kind,
            coalesce(rows.row_severity, check_setting.severity, '{CHECK_DISABLED.severity}') as severity,
            rows.subject_type,
            rows.subject_id,
            rows.asset,
            rows.observed,
            rows.expected,
            rows.impact_usd,
            rows.message,
            rows.evidence,
            dated.first_seen_on,
            coalesce(rows.known_since, (rows.as_of_date + 1)::timestamp) as known_since
        from rows
        inner join dated
            on rows.check_name = dated.check_name
            and rows.as_of_date = dated.as_of_date
            and rows.subject_type is not distinct from dated.subject_type
            and rows.subject_id is not distinct from dated.subject_id
            and rows.asset is not distinct from dated.asset
        left join policy.check_setting as check_setting on rows.check_name = check_setting.check_name
        order by all
        """,
        {"run_id": context.run_id},
    )


def _same(columns: Iterable[str]) -> str:
    return " and ".join(f"old.{name} is not distinct from new.{name}" for name in columns)


def record_findings(
    connection: duckdb.DuckDBPyConnection, context: RunContext, kinds: Sequence[Kind]
) -> FindingChanges:
    """Make the staged findings the standing ones of these kinds (and of policy), and log what changed.

    A finding that stood already keeps the run that raised it unless its content changed. Call it in a transaction.
    """
    scope = ", ".join(quoted(kind) for kind in (*kinds, Kind.POLICY))
    ordinal = f"row_number() over (partition by {', '.join(_KEY)} order by {', '.join(_CONTENT)}) as ordinal"
    connection.execute(
        f"create or replace temp table old as select *, {ordinal} from audit.finding where kind in ({scope})"
    )
    connection.execute(f"create or replace temp table new as select *, {ordinal} from {STAGED_TABLE}")
    same_key, same_content = _same((*_KEY, "ordinal")), _same(_CONTENT)
    new_columns = ", ".join(f"new.{name}" for name in _COLUMNS)
    old_columns = ", ".join(f"old.{name}" for name in _COLUMNS)
    connection.execute(
        f"create or replace temp table change as"
        f" select 'raised' as action, {new_columns} from new where not exists (select 1 from old where {same_key})"
        f" union all"
        f" select 'changed', {new_columns} from new inner join old on {same_key} where not ({same_content})"
        f" union all"
        f" select 'withdrawn', {old_columns} from old where not exists (select 1 from new where {same_key})"
    )
    connection.execute(f"delete from audit.finding where kind in ({scope})")
    kept = ", ".join(f"new.{name}" for name in _COLUMNS if name != "run_id")
    connection.execute(
        f"insert into audit.finding"
        f" select case when old.run_id is not null and ({same_content}) then old.run_id else new.run_id end, {kept}"
        f" from new left join old on {same_key}"
        f" order by new.as_of_date, new.check_name, new.subject_type, new.subject_id, new.asset, new.ordinal"
    )
    connection.execute("insert into audit.finding_log select ?, * from change order by all", [context.run_id])
    counts = dict(connection.execute("select action, count(*) from change group by action").fetchall())
    for name in ("old", "new", "change"):
        connection.execute(f"drop table temp.{name}")
    return FindingChanges(counts.get("raised", 0), counts.get("changed", 0), counts.get("withdrawn", 0))


def critical_findings(
    connection: duckdb.DuckDBPyConnection,
    *,
    kinds: Sequence[Kind],
    table: str = "audit.finding",
    first_date: date | None = None,
    last_date: date | None = None,
) -> list[Finding]:
    """Critical findings of these kinds, on days from ``first_date`` to ``last_date`` if given, the worst first.

    Worst is the largest impact; findings without one come after those with, earlier days first.
    """
    names = ", ".join(quoted(kind) for kind in kinds)
    rows = connection.execute(
        f"""
        select as_of_date, check_name, severity, subject_type, subject_id, asset, impact_usd, message, observed
        from {table}
        where severity = 'critical' and kind in ({names})
            and ($first_date is null or as_of_date >= $first_date)
            and ($last_date is null or as_of_date <= $last_date)
        order by impact_usd desc nulls last, as_of_date, check_name, subject_type, subject_id, asset
        """,
        {"first_date": first_date, "last_date": last_date},
    ).fetchall()
    return [Finding(*row) for row in rows]
