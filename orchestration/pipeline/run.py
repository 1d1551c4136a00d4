"""Opening and closing a run: its identity, dates and knowledge time, and what becomes of runs that were killed.

What belongs here: tables ``audit.run``, ``audit.policy`` and ``policy.run_context``. What doesn't: the steps between.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum

import duckdb

from orchestration.errors import RingfenceError
from orchestration.policy import Policy, default_entries, policy_entries, write_policy
from orchestration.warehouse.build_file import transaction
from orchestration.warehouse.constants import write_constants


class ExitStatus(IntEnum):
    """Exit statuses of DOMAIN.md section 8."""

    PASSED = 0
    ERROR = 1
    USAGE = 2
    FAILED_CHECKS = 3
    FAILED_INTEGRITY = 4


STATUS_NAMES = {
    ExitStatus.PASSED: "passed",
    ExitStatus.ERROR: "error",
    ExitStatus.FAILED_CHECKS: "failed_checks",
    ExitStatus.FAILED_INTEGRITY: "failed_integrity",
}


@dataclass(frozen=True, slots=True)
class RunContext:
    """What a run is about. Rows known at or after ``knowledge_at`` don't exist for it."""

    run_id: str
    first_date: date
    last_date: date
    knowledge_at: datetime
    previous_knowledge_at: datetime | None
    landing_first_date: date

    @property
    def calendar_last_date(self) -> date:
        """Last day that marts cover."""
        return (self.knowledge_at - timedelta(days=1)).date()


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time.min)


def now_in_order(connection: duckdb.DuckDBPyConnection, run_id: str | None = None) -> datetime:
    """The wall clock, UTC, but after all that was recorded before: runs are told apart by the order of their times.

    A clock may be put back between two runs, or in the middle of one. With ``run_id`` it isn't before that run began.
    """
    now = datetime.now(UTC).replace(tzinfo=None)
    if run_id is not None:
        rows = connection.execute("select started_at from audit.run where run_id = ?", [run_id]).fetchall()
    else:
        rows = connection.execute(
            "select max(greatest(started_at, finished_at, published_at)) + interval 1 microsecond from audit.run"
        ).fetchall()
    earliest: datetime | None = rows[0][0] if rows else None
    return now if earliest is None else max(now, earliest)


def _close_killed_runs(connection: duckdb.DuckDBPyConnection) -> None:
    """A run still marked as running lost its process: this process holds the lock now."""
    connection.execute(
        "update audit.load set outcome = 'discarded' where outcome = 'pending'"
        " and run_id in (select run_id from audit.run where status = 'running')"
    )
    connection.execute(
        "update audit.run set status = 'killed', message = 'ended without a result', is_accepted = is_accepted"
        " or run_id in (select run_id from audit.load where outcome in ('accepted', 'gone'))"
        " where status = 'running'"
    )


def _take_back_unpublished(connection: duckdb.DuckDBPyConnection, was_published: Callable[[str], bool]) -> None:
    """What the run before this one recorded as published, but never came to publish, was never said."""
    last = connection.execute("select run_id from audit.run order by started_at desc limit 1").fetchall()
    if not last or was_published(last[0][0]):
        return
    for table in ("published_figure", "restatement_source"):
        connection.execute(f"delete from audit.{table} where run_id = ?", list(last[0]))
    connection.execute("update audit.run set published_at = null where run_id = ?", list(last[0]))
    connection.execute(
        "update audit.run set status = 'killed', exit_status = null, message = 'ended before it was published'"
        " where run_id = ? and exit_status <> ?",
        [last[0][0], int(ExitStatus.ERROR)],
    )


def open_run(
    connection: duckdb.DuckDBPyConnection,
    policy: Policy,
    *,
    run_id: str,
    first_date: date,
    last_date: date,
    landing_first_date: date | None,
    was_published: Callable[[str], bool] = lambda _: True,
) -> RunContext:
    """Record a new run, write its policy and context for the models, and return the context.

    Its knowledge time is the end of the latest date ever accepted or asked for, so that re-running an old day doesn't
    forget what came later. ``landing_first_date`` is the smallest partition date found, None if there is none;
    ``was_published`` says of a run's identifier whether it came to publish.
    """
    with transaction(connection):
        _close_killed_runs(connection)
        _take_back_unpublished(connection, was_published)
        previous = connection.execute("select max(knowledge_at) from audit.run where is_accepted").fetchall()[0][0]
        knowledge_at = max(_end_of(last_date), previous) if previous is not None else _end_of(last_date)
        context = RunContext(run_id, first_date, last_date, knowledge_at, previous, landing_first_date or first_date)
        write_policy(connection, policy)
        write_context(connection, context)
        connection.execute(
            "insert into audit.run (run_id, started_at, status, first_date, last_date, knowledge_at,"
            " previous_knowledge_at, landing_first_date, policy_hash, is_accepted)"
            " values (?, ?, 'running', ?, ?, ?, ?, ?, ?, false)",
            [
                run_id,
                now_in_order(connection),
                first_date,
                last_date,
                knowledge_at,
                previous,
                landing_first_date,
                policy.content_hash,
            ],
        )
        _record_policy(connection, run_id, policy)
    return context


_CONTEXT_COLUMNS = {
    "run_id": "varchar",
    "first_date": "date",
    "last_date": "date",
    "knowledge_at": "timestamp",
    "landing_first_date": "date",
    "calendar_last_date": "date",
    "previous_knowledge_at": "timestamp",
}


def write_context(connection: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Write ``policy.run_context``, one row."""
    values = [getattr(context, name) for name in _CONTEXT_COLUMNS]
    write_constants(connection, "run_context", _CONTEXT_COLUMNS, values)


def _record_policy(connection: duckdb.DuckDBPyConnection, run_id: str, policy: Policy) -> None:
    defaults = default_entries()
    connection.executemany(
        "insert into audit.policy (run_id, policy_hash, name, item, value, is_default) values (?, ?, ?, ?, ?, ?)",
        [
            (run_id, policy.content_hash, *entry, entry in defaults)
            for entry in sorted(policy_entries(policy), key=lambda entry: tuple(part or "" for part in entry))
        ],
    )


def read_context(connection: duckdb.DuckDBPyConnection) -> RunContext:
    """Return the context of the run that the build file was last opened for."""
    rows = connection.execute(
        "select run_id, first_date, last_date, knowledge_at, previous_knowledge_at, landing_first_date"
        " from policy.run_context"
    ).fetchall()
    if len(rows) != 1:
        raise RingfenceError("the build file holds no run context; start the whole job, not a single asset of it")
    return RunContext(*rows[0])


def mark_accepted(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Record that the run's rows passed the entry gate and are in raw."""
    connection.execute("update audit.run set is_accepted = true where run_id = ?", [run_id])


def close_run(connection: duckdb.DuckDBPyConnection, run_id: str, status: ExitStatus, message: str) -> None:
    """Record how the run ended."""
    connection.execute(
        "update audit.run set finished_at = ?, status = ?, exit_status = ?, message = ? where run_id = ?",
        [now_in_order(connection, run_id), STATUS_NAMES[status], int(status), message, run_id],
    )
