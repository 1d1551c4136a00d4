"""How a run ended: with the result that its gates recorded, or by the error that came in between.

What belongs here: telling the two apart, once for every way in which a run is started. What doesn't: Dagster itself
(errors come in the form in which it keeps them), and recording the end (``journal``, ``audit.run``).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration import journal
from orchestration.errors import RingfenceError
from orchestration.pipeline.gates import context_of
from orchestration.pipeline.run import STATUS_NAMES, ExitStatus
from orchestration.pipeline.steps import record_failure
from orchestration.settings import Settings
from orchestration.warehouse.build_file import BuildFileError, build_connection

INTERRUPTED = "it was interrupted (SIGTERM or Ctrl-C) before it came to a result; run it again"


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. ``error`` is the cause if it ended by an error of the program's own, with its traceback."""

    run_id: str
    status: ExitStatus
    message: str
    traceback: str | None = None


def result_of(settings: Settings, run_id: str, error: Any | None, *, is_success: bool) -> RunResult:
    """What a run of the whole job came to. ``error`` is the first failure's, None if no step failed by one.

    An error of the program's own is recorded in ``audit.run``, whatever the gates had said before it.
    """
    is_verdict = error is None or error.cls_name == "Failure"
    recorded = recorded_result(settings, run_id) if is_success or is_verdict else None
    if recorded is not None:
        return RunResult(run_id, *recorded)
    message, trace = cause_of(error)
    # What ended the run (a full disk, a damaged build file) may also keep this from being recorded. The next run then
    # finds one that came to no end.
    with suppress(duckdb.Error, BuildFileError):
        record_failure(settings, run_id, message)
    return RunResult(run_id, ExitStatus.ERROR, message, trace)


def recorded_result(settings: Settings, run_id: str) -> tuple[ExitStatus, str] | None:
    """What the gates recorded of a run; None if they didn't come to that."""
    with build_connection(settings.paths.build_file) as connection:
        rows = connection.execute(
            "select exit_status, message from audit.run where run_id = ? and exit_status is not null", [run_id]
        ).fetchall()
    return (ExitStatus(rows[0][0]), rows[0][1]) if rows else None


def record_end(settings: Settings, record: journal.Recording, run_id: str, day: date | None, error: Any | None) -> None:
    """Record how a run ended that nobody waits for, such as one that a schedule has started.

    One that goes on where another of the same ``day`` has failed has that one's result. A part of the job that gives
    none, such as a single asset, is neither a result nor an error.
    """
    result = None
    if error is None:
        with suppress(duckdb.Error, RingfenceError):
            result = recorded_result(settings, run_id) or _continued_result(settings, day)
        if result is None:
            record.end(journal.PARTIAL, "a part of the job")
            return
        status, message = result
    else:
        ended = result_of(settings, run_id, error, is_success=False)
        status, message = ended.status, ended.message
    record.end(STATUS_NAMES[status], message)


def _continued_result(settings: Settings, day: date | None) -> tuple[ExitStatus, str] | None:
    before = context_of(settings.paths)
    is_published = any(settings.paths.snapshots.glob(f"*_{before.run_id}.duckdb"))
    return recorded_result(settings, before.run_id) if is_published and before.last_date == day else None


def cause_of(error: Any | None) -> tuple[str, str]:
    """The innermost message in one line, and the whole traceback."""
    if error is None:
        return "the run failed without saying why; run again with --verbose", ""
    innermost = error
    while innermost.cause is not None:
        innermost = innermost.cause
    if innermost.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt"):
        return INTERRUPTED, error.to_string()
    text = innermost.message.strip()
    name, _, rest = text.partition(": ")
    is_own = name.endswith("Error") and innermost.cls_name in _own_errors()
    line = " ".join((rest if is_own else text).split())
    return line, error.to_string()


def _own_errors() -> set[str]:
    found, waiting = set(), [RingfenceError]
    while waiting:
        kind = waiting.pop()
        found.add(kind.__name__)
        waiting.extend(kind.__subclasses__())
    return found
