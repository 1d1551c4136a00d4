"""How a warehouse stands at this moment: runs, what is published, deliveries, incidents, schedules, disk.

What belongs here: gathering it without changing, locking or waiting for anything, each part by itself: one that can't
be read is a problem told beside the others. What doesn't: wording (``status_text``), judging it (``doctor``, alerts).

The build file is never opened: a run that begins at that moment could not open it. What runs left behind is read from
the published file, and from Dagster's records, which know of runs that published nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from orchestration.errors import ConfigurationError
from orchestration.operations.dagster_records import SCHEDULER, DagsterRecords, RecordedRun
from orchestration.reading.published import published_connection
from orchestration.settings import Settings, WarehousePaths
from orchestration.timetable import CLOSE, PULL, Nightly
from orchestration.warehouse.lock import Holder, holder
from orchestration.warehouse.retention import disk_use

if TYPE_CHECKING:
    import duckdb

    from orchestration.alerts.incidents import Incident
    from orchestration.alerts.store import Message
    from orchestration.connectors.status import FeedStatus

_T = TypeVar("_T")
_ENDED = {"SUCCESS": "passed", "FAILURE": "error", "CANCELED": "cancelled"}
_BEGUN = ("STARTED", "CANCELING")
_WORST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Run:
    """A run. ``seconds`` is how long it took, or has taken; ``step`` where one under way is, if that is known."""

    run_id: str
    first_date: date | None
    last_date: date | None
    status: str
    started_at: datetime
    seconds: float | None
    message: str | None
    step: str | None = None


@dataclass(frozen=True, slots=True)
class Published:
    """The latest day that analysts see; ``days_behind`` counts the ended days (UTC) after it."""

    day: date
    days_behind: int
    published_at: datetime | None
    run_id: str


@dataclass(frozen=True, slots=True)
class TableFreshness:
    """The latest day of a table that was accepted (None for a reference table), and when its last file was."""

    table: str
    last_day: date | None
    days_behind: int | None
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class StandingIncident:
    """An incident without its subject: ``ringfence alerts show NUMBER`` shows that to whoever may see it."""

    number: int
    state: str
    severity: str
    category: str
    check: str
    asset: str | None
    since: date
    impact_usd: Any


@dataclass(frozen=True, slots=True)
class Incidents:
    """How many incidents aren't resolved, and the worst of them; messages that no receiver has taken yet.

    ``explained``: those that follow from another, which speaks for them. ``looked_at``: when somebody last looked.
    """

    critical: int
    warning: int
    acknowledged: int
    silenced: int
    explained: int
    looked_at: datetime | None
    worst: tuple[StandingIncident, ...]
    messages_waiting: int
    waiting_since: datetime | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule. ``is_on`` as Dagster's instance has it (``decided_by``: instance), or else the environment."""

    name: str
    cron: str
    is_on: bool
    decided_by: str
    next_at: datetime | None
    daemon_heard_at: datetime | None


@dataclass(frozen=True, slots=True)
class Disk:
    """Bytes that the warehouse takes, and what its file system has left."""

    taken: int
    free: int
    total: int


@dataclass(frozen=True)
class Status:
    """All of it. A part that doesn't apply or can't be read is None or empty; ``problems`` say why by part."""

    warehouse: str
    at: datetime
    published: Published | None = None
    held_by: Holder | None = None
    runs: tuple[Run, ...] = ()
    tables: tuple[TableFreshness, ...] = ()
    sources: tuple[FeedStatus, ...] = ()
    incidents: Incidents | None = None
    schedules: tuple[Schedule, ...] = ()
    disk: Disk | None = None
    problems: dict[str, str] = field(default_factory=dict)
    is_there: bool = True


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the published file shows."""

    published: Published | None = None
    runs: list[Run] = field(default_factory=list)
    tables: tuple[TableFreshness, ...] = ()


class _Gathering:
    """Parts that can be read, and why the others can't."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def part(self, name: str, gather: Callable[[], _T], otherwise: _T) -> _T:
        try:
            return gather()
        except Exception as error:  # noqa: BLE001 (one part must not hide the others)
            self.problems[name] = " ".join(str(error).split()) or type(error).__name__
            return otherwise


def status(settings: Settings, at: datetime, *, runs_shown: int = 5) -> Status:
    """How the warehouse stands at that moment (the wall clock's, UTC). Nothing is raised for what can't be read."""
    paths = settings.paths
    if not paths.root.is_dir():
        remedy = f"make one with 'ringfence run --landing DIR --warehouse {paths.root} --date YYYY-MM-DD'"
        return Status(
            str(paths.root),
            at,
            problems={"published": f"there is no folder {paths.root} yet; {remedy}"},
            is_there=False,
        )
    gathering = _Gathering()
    held_by = gathering.part("lock", lambda: holder(paths.lock_file), None)
    seen = gathering.part("published", lambda: _published(paths, at, runs_shown), _Seen())
    records = gathering.part("dagster", lambda: DagsterRecords(settings.instance_folder), None)
    recorded: list[RecordedRun] = []
    if records is not None:
        recorded = gathering.part("dagster", lambda: records.runs(CLOSE.job, runs_shown), [])
    runs = gathering.part("runs", lambda: _runs(seen.runs, recorded, records, held_by, at), seen.runs)
    return Status(
        str(paths.root),
        at,
        seen.published,
        held_by,
        tuple(runs[:runs_shown]),
        seen.tables,
        gathering.part("sources", lambda: _sources(settings, at), ()),
        gathering.part("incidents", lambda: _incidents(settings, at), None),
        gathering.part("schedules", lambda: _schedules(settings, records, at), ()),
        gathering.part("disk", lambda: _disk(settings), None),
        gathering.problems,
    )


def _days_behind(day: date, at: datetime) -> int:
    return max(0, (at.date() - timedelta(days=1) - day).days)


def _published(paths: WarehousePaths, at: datetime, runs_shown: int) -> _Seen:
    with published_connection(paths) as connection:
        return _Seen(_latest_day(connection, at), _audited_runs(connection, runs_shown), _tables(connection, at))


def _latest_day(connection: duckdb.DuckDBPyConnection, at: datetime) -> Published | None:
    rows = connection.execute(
        "select run_id, published_at, knowledge_at from audit.run where is_accepted and published_at is not null"
        " order by knowledge_at desc, started_at desc limit 1"
    ).fetchall()
    if not rows:
        return None
    run_id, published_at, knowledge_at = rows[0]
    day = (knowledge_at - timedelta(days=1)).date()
    return Published(day, _days_behind(day, at), published_at, run_id)


def _audited_runs(connection: duckdb.DuckDBPyConnection, limit: int) -> list[Run]:
    rows = connection.execute(
        "select run_id, first_date, last_date, status, started_at, epoch(finished_at - started_at), message"
        " from audit.run order by started_at desc limit ?",
        [limit],
    ).fetchall()
    return [Run(*row) for row in rows]


def _tables(connection: duckdb.DuckDBPyConnection, at: datetime) -> tuple[TableFreshness, ...]:
    rows = connection.execute(
        "select load.table_name, max(load.partition_date), max(run.started_at)"
        " from audit.load join audit.run using (run_id) where load.outcome in ('accepted', 'superseded')"
        " group by all order by 2 nulls last, 1"
    ).fetchall()
    return tuple(
        TableFreshness(name, day, None if day is None else _days_behind(day, at), accepted_at)
        for name, day, accepted_at in rows
    )


def _runs(
    audited: list[Run],
    recorded: list[RecordedRun],
    records: DagsterRecords | None,
    held_by: Holder | None,
    at: datetime,
) -> list[Run]:
    """The record of runs is ``audit``; Dagster knows of those besides that published nothing."""
    known = {run.run_id for run in audited}
    begun = [run.run_id for run in recorded if run.status in _BEGUN]
    # The lock is held from a run's first step to its last and falls with its process, so that one run goes on at most.
    going_on = begun[0] if begun and held_by is not None else None
    besides = [
        _recorded_run(run, records, at, is_going_on=run.run_id == going_on)
        for run in recorded
        if records is not None and run.run_id not in known
    ]
    return sorted([*audited, *besides], key=lambda run: run.started_at, reverse=True)


def _recorded_run(run: RecordedRun, records: DagsterRecords, at: datetime, *, is_going_on: bool) -> Run:
    word, ended, message = _ENDED.get(run.status, "waiting"), run.ended_at, None
    step = records.step_of(run.run_id) if run.status in _BEGUN else None
    if is_going_on:
        word, ended = "running", at
    elif run.status in _BEGUN:
        word, message = "killed", "ended without a result"
    elif run.status == "FAILURE":
        message = records.failure_of(run.run_id)
    seconds = None if ended is None else (ended - run.started_at).total_seconds()
    return Run(run.run_id, run.first_date, run.last_date, word, run.started_at, seconds, message, step)


def _sources(settings: Settings, at: datetime) -> tuple[FeedStatus, ...]:
    if settings.sources_file is None:
        return ()
    from orchestration.connectors.base import Clock
    from orchestration.connectors.configuration import load_sources
    from orchestration.connectors.status import feed_statuses

    return tuple(feed_statuses(load_sources(settings.sources_file), settings.landing, Clock(now=lambda: at)))


def _incidents(settings: Settings, at: datetime) -> Incidents | None:
    address = store_address(settings)
    if address is None:
        return None
    from orchestration.alerts.store import Store

    store = Store.for_reading(address)
    try:
        return _counted(store.incidents(), store.waiting_messages(), store.looked_at(), at)
    finally:
        store.close()


def store_address(settings: Settings) -> str | Path | None:
    """Where incidents are kept; None if there is no such file and no other place is named."""
    named = _named_store(settings.alerts_file) if settings.alerts_file is not None else None
    if named is not None:
        from orchestration.connectors.secrets import Secrets

        return Secrets().fill_url(named)
    return settings.paths.alerts_file if settings.paths.alerts_file.exists() else None


def _named_store(alerts_file: Path) -> str | None:
    """The one key that is needed here; whether the rest of the file holds is for who sends, and for ``doctor``."""
    import yaml

    try:
        content = yaml.safe_load(alerts_file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"alerts file {alerts_file} can't be read: {error}") from error
    named = content.get("store") if isinstance(content, dict) else None
    return str(named) if named else None


def _counted(incidents: list[Incident], waiting: list[Message], looked_at: datetime | None, at: datetime) -> Incidents:
    from orchestration.alerts.incidents import State
    from orchestration.checks import Severity

    critical = [incident for incident in incidents if incident.seen.severity is Severity.CRITICAL]
    worst = sorted(
        incidents,
        key=lambda one: (
            one.explained_by is not None,
            one.seen.severity is not Severity.CRITICAL,
            -(one.seen.impact_usd or 0),
            one.number,
        ),
    )
    return Incidents(
        len(critical),
        len(incidents) - len(critical),
        sum(incident.state is State.ACKNOWLEDGED for incident in incidents),
        sum(incident.is_silent(at) for incident in incidents),
        sum(incident.explained_by is not None for incident in incidents),
        looked_at,
        tuple(_standing(incident) for incident in worst[:_WORST_SHOWN]),
        len(waiting),
        min((message.created_at for message in waiting), default=None),
        next((message.last_error for message in waiting if message.last_error), None),
    )


def _standing(incident: Incident) -> StandingIncident:
    seen = incident.seen
    return StandingIncident(
        incident.number,
        incident.state.value,
        seen.severity.value,
        seen.category.value,
        seen.check_name,
        seen.asset,
        seen.since,
        seen.impact_usd,
    )


def _schedules(settings: Settings, records: DagsterRecords | None, at: datetime) -> tuple[Schedule, ...]:
    wanted = [PULL, CLOSE] if settings.sources_file is not None else [CLOSE]
    states = records.schedule_states() if records is not None else {}
    heard = records.heard_at(SCHEDULER) if records is not None else None
    return tuple(_schedule(one, states.get(one.name), heard, settings, at) for one in wanted)


def _schedule(
    nightly: Nightly, state: str | None, heard: datetime | None, settings: Settings, at: datetime
) -> Schedule:
    is_decided = state in ("RUNNING", "STOPPED")
    is_on = state == "RUNNING" if is_decided else settings.is_schedule_enabled
    by = "instance" if is_decided else "RINGFENCE_SCHEDULE"
    return Schedule(nightly.name, nightly.cron, is_on, by, nightly.next_after(at) if is_on else None, heard)


def _disk(settings: Settings) -> Disk:
    usage = shutil.disk_usage(settings.warehouse)
    return Disk(disk_use(settings)[-1].bytes, usage.free, usage.total)


def run_under_way(runs: Iterable[Run]) -> Run | None:
    """The run that holds the warehouse, if one does."""
    return next((run for run in runs if run.status == "running"), None)
