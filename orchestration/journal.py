"""What runs began and how each ended, kept outside the databases that a run works on.

What belongs here: a small file for each run in ``WAREHOUSE/runs``, writing and reading it. What doesn't: what follows
from a run that died (``alerts.running``), and what runs said, of which ``audit`` is the record.

The process of a run holds its file locked, and the kernel lets go of it however that process ends: a file that tells of
no end and isn't locked is that of a run that died, whoever has its process number by now. Each line is on disk before
the run goes on; one that a kill has torn is left out.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from orchestration import timetable
from orchestration.durable import sync
from orchestration.errors import RingfenceError
from orchestration.file_locks import is_held

CLOSE, PULL = timetable.CLOSE.job, timetable.PULL.job
"""The jobs whose runs are recorded."""

ERROR, CANCELED, PARTIAL = "error", "canceled", "partial"
COMPLETED = frozenset({"passed", "failed_checks", "failed_integrity"})
"""How runs end: with a result (as ``audit.run`` names it), by an error, stopped by somebody, or done with a part of the
job that gives no result."""

_MOST_TEXT = 2_000


@dataclass(frozen=True, slots=True)
class FailedRule:
    """A rule of a gate that failed or, if ``is_error``, could not be evaluated.

    ``day`` is the latest day with failing subjects, ``subjects`` and ``impact_usd`` (exact text) how many and how much
    on that day; all None for rules that count none. ``kind`` is that of its check, or shape.
    """

    gate: str
    check_name: str
    subject: str
    kind: str
    severity: str
    is_error: bool = False
    day: date | None = None
    subjects: int | None = None
    impact_usd: str | None = None
    observed: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A run as its file tells of it. Times are the wall clock's, UTC; ``status`` is None if no end is known.

    ``number`` is its place among those that recorded their beginning themselves, whatever the clock said.
    """

    run_id: str
    job: str
    first_date: date | None
    last_date: date | None
    began_at: datetime
    is_alive: bool = False
    status: str | None = None
    message: str = ""
    ended_at: datetime | None = None
    failed_rules: tuple[FailedRule, ...] = ()
    number: int | None = None

    @property
    def is_completed(self) -> bool:
        """Whether it came to a result, be it a bad one."""
        return self.status in COMPLETED

    @property
    def has_died(self) -> bool:
        """Whether its process ended without a word."""
        return self.status is None and not self.is_alive


class Recording:
    """The file of a run that this process writes. ``is_outermost``: nobody further out says how the run ended."""

    def __init__(self, path: Path, *, is_outermost: bool = True) -> None:
        self.path, self.is_outermost, self.has_ended = path, is_outermost, False

    def end(self, status: str, message: str) -> None:
        """Record how the run ended."""
        _append(self.path, _ending(status, message))
        self.has_ended = True


_under_way: set[Path] = set()


def run_file(folder: Path, run_id: str) -> Path:
    """Where a run is recorded."""
    return folder / f"{run_id}.jsonl"


@contextmanager
def recording(
    folder: Path, run_id: str, job: str, first_date: date | None, last_date: date | None, *, kept: int = 100
) -> Iterator[Recording]:
    """Record that a run begins, and hold its file until it has ended.

    What goes through unhandled, or ends without ``end``, is recorded as an error. Within the same run of this process
    it is the same file, and its end is left to whoever began it. The newest ``kept`` files stay.
    """
    path = run_file(folder, run_id)
    if path in _under_way:
        yield Recording(path, is_outermost=False)
        return
    record = Recording(path)
    descriptor = None
    try:
        number = 1 + max((run.number or 0 for run in recorded_runs(folder)), default=0)
        beginning = _beginning(job, first_date, last_date, _now())
        descriptor = _begin(path, beginning | {"number": number, "process": os.getpid()})
        _under_way.add(path)
        yield record
    except BaseException as error:
        # What ended the run mustn't be hidden; that it died is seen all the same. One that never began has no file.
        with suppress(OSError):
            record.end(ERROR, in_words(error))
        raise
    finally:
        with suppress(OSError):
            if not record.has_ended:
                record.end(ERROR, "the run ended without saying how")
            _drop_old_files(path, kept)
        _under_way.discard(path)
        if descriptor is not None:
            os.close(descriptor)


def in_words(error: BaseException) -> str:
    """What ended a run, in one line."""
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "DagsterExecutionInterruptedError":
        return "it was interrupted (SIGTERM or Ctrl-C)"
    text = " ".join(str(error).split())
    return text or type(error).__name__


def _begin(path: Path, line: dict[str, Any]) -> int:
    """Create the file, locked from the first moment that others see it, and return its descriptor."""
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise _no_room(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        _write(descriptor, line)
        new.replace(path)
        sync(path.parent)
    except OSError as error:
        os.close(descriptor)
        new.unlink(missing_ok=True)
        raise _no_room(path, error) from error
    except BaseException:  # told to stop just now
        os.close(descriptor)
        raise
    return descriptor


def _no_room(path: Path, error: OSError) -> RingfenceError:
    return RingfenceError(
        f"{path.parent}: that a run began can't be recorded ({error.strerror}); make room or mend the rights there"
    )


def _append(path: Path, line: dict[str, Any]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        _write(descriptor, line)
    finally:
        os.close(descriptor)


def _write(descriptor: int, line: dict[str, Any]) -> None:
    # The line before may be torn: this one begins on its own.
    os.write(descriptor, f"\n{json.dumps(line, default=str, ensure_ascii=False)}\n".encode())
    os.fsync(descriptor)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _beginning(job: str, first_date: date | None, last_date: date | None, at: datetime) -> dict[str, Any]:
    return {"event": "began", "at": at, "job": job, "first_date": first_date, "last_date": last_date}


def _ending(status: str, message: str, at: datetime | None = None) -> dict[str, Any]:
    return {"event": "ended", "at": at or _now(), "status": status, "message": message[:_MOST_TEXT]}


def add_failed_rules(path: Path, failed: Sequence[FailedRule]) -> None:
    """Add to a run's file the rules that failed; raise FileNotFoundError if there is no such run."""
    if failed:
        _append(path, {"event": "rules", "at": _now(), "failed": [asdict(rule) for rule in failed]})


def add_failed_check(folder: Path, run_id: str, rule: FailedRule) -> bool:
    """Add a check that failed to the record of its run, and return whether that was news."""
    path = run_file(folder, run_id)
    known = _read(path)
    if known is None or any(rule.check_name == other.check_name for other in known.failed_rules):
        return False
    add_failed_rules(path, [rule])
    return True


def add_end(folder: Path, run: Run) -> bool:
    """Record how a run ended that couldn't do so itself, and return whether that was news.

    ``run`` is what somebody else knows of it; a run that never came to record its beginning gets a file.
    """
    assert run.status is not None
    path = run_file(folder, run.run_id)
    known = _read(path)
    if known is not None and known.status is not None:
        return False
    if known is None:
        os.close(_begin(path, _beginning(run.job, run.first_date, run.last_date, run.began_at)))
    _append(path, _ending(run.status, run.message, run.ended_at))
    return True


def recorded_runs(folder: Path) -> list[Run]:
    """The runs in the order in which they began."""
    found = [run for path in folder.glob("*.jsonl") if (run := _read(path)) is not None]
    return sorted(found, key=lambda run: (run.began_at, run.run_id))


def _read(path: Path) -> Run | None:
    """What a file tells; None if there is none, or it doesn't tell of a beginning."""
    try:
        # First the lock: a run that ends between the two has written its end before it let go.
        is_alive = is_held(path)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return None
    run: Run | None = None
    for line in lines:
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # torn by a kill
            run = _continued(run, path.stem, json.loads(line)) if line else run
    return replace(run, is_alive=is_alive) if run is not None else None


def _continued(run: Run | None, run_id: str, event: dict[str, Any]) -> Run | None:
    at = datetime.fromisoformat(event["at"])
    if event["event"] == "began":
        days = _day(event["first_date"]), _day(event["last_date"])
        return Run(run_id, event["job"], *days, at, number=event.get("number"))
    if run is None:
        return None
    if event["event"] == "rules":
        rules = tuple(FailedRule(**(rule | {"day": _day(rule["day"])})) for rule in event["failed"])
        return replace(run, failed_rules=(*run.failed_rules, *rules))
    if event["event"] == "ended" and run.status is None:
        return replace(run, status=event["status"], message=event["message"], ended_at=at)
    return run


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _drop_old_files(current: Path, kept: int) -> None:
    """Keep the newest, and what is held; the older ones tell of nothing that a later run hasn't made good."""
    folder = current.parent
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    an_hour_ago = current.stat().st_mtime - 3600
    never_begun = [path for path in folder.glob(".*.jsonl.*") if path.stat().st_mtime < an_hour_ago]
    for path in [*files[: max(len(files) - kept, 0)], *never_begun]:
        if path != current and not is_held(path):
            path.unlink(missing_ok=True)
