"""A warehouse's status as people read it: a line for each matter, then tables.

What belongs here: wording. What doesn't: gathering (``status``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, astuple
from datetime import datetime
from typing import Any

from orchestration.operations.status import Incidents, Run, Schedule, Status, TableFreshness, run_under_way
from orchestration.reading.output import counted, plain
from orchestration.reading.published import Rows
from orchestration.warehouse.lock import Holder


def as_json(status: Status) -> Any:
    """The status as JSON holds it: amounts as exact text, times as ISO 8601 without a zone (UTC)."""
    return plain(asdict(status))


def matters(status: Status) -> Iterator[tuple[str, str]]:
    """What each line is about, and what it says."""
    yield "warehouse", f"{status.warehouse}, at {_time(status.at)} UTC"
    if status.is_there:
        yield from _parts(status)
    for part, problem in status.problems.items():
        yield part, f"can't be told: {problem}"


def _parts(status: Status) -> Iterator[tuple[str, str]]:
    if (published := status.published) is not None:
        age = "nothing is missing" if published.days_behind == 0 else f"{counted(published.days_behind, 'day')} behind"
        at = f", since {_time(published.published_at)}" if published.published_at else ""
        yield "published", f"{published.day}, {age}{at}, by run {_short(published.run_id)}"
    if "lock" not in status.problems:
        yield "at work", _work(status.held_by, run_under_way(status.runs))
    if status.incidents is not None:
        yield "incidents", _incidents(status.incidents)
        yield "messages", _messages(status.incidents)
        yield "watcher", _watcher(status.incidents.looked_at, status.at)
    elif "incidents" not in status.problems:
        yield "incidents", "not kept: alerts aren't set up (--alerts or RINGFENCE_ALERTS)"
    for schedule in status.schedules:
        yield "schedule", _schedule(schedule, status.at)
    if (disk := status.disk) is not None:
        yield "disk", f"{disk.taken / 1e6:,.1f} MB taken, {disk.free / 1e9:,.1f} of {disk.total / 1e9:,.1f} GB free"


def tables(status: Status) -> Iterator[Rows]:
    """The last runs, the worst incidents, and how fresh tables and sources are; those that hold something."""
    if status.runs:
        columns = ("run", "first_date", "last_date", "status", "started_at", "took", "message")
        yield Rows(columns, tuple(_run(run) for run in status.runs))
    if status.incidents is not None and status.incidents.worst:
        of_incidents = ("incident", "state", "severity", "category", "check", "asset", "since", "impact_usd")
        yield Rows(of_incidents, tuple(astuple(incident) for incident in status.incidents.worst))
    if status.tables:
        yield Rows(("last_day", "days_behind", "accepted_at", "tables"), tuple(_together(status.tables)))
    if status.sources:
        names = ("source", "table", "last_day", "days_behind", "rows_last", "state")
        yield Rows(names, tuple(tuple(getattr(source, name) for name in names) for source in status.sources))


def _run(run: Run) -> tuple[object, ...]:
    message = ", ".join(part for part in (run.message, f"in step {run.step}" if run.step else None) if part)
    return (
        _short(run.run_id),
        run.first_date,
        run.last_date,
        run.status,
        _time(run.started_at),
        "" if run.seconds is None else length(run.seconds),
        message,
    )


def _together(tables: Iterable[TableFreshness]) -> Iterator[tuple[object, ...]]:
    """Tables that came up to the same day in the same run, in one line; reference tables have no day."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for one in tables:
        group: tuple[object, ...] = (one.last_day or "(reference)", one.days_behind, _time(one.accepted_at))
        groups.setdefault(group, []).append(one.table)
    for group, names in groups.items():
        yield (*group, ", ".join(names))


def _work(held_by: Holder | None, run: Run | None) -> str:
    if held_by is None:
        return "nobody; the warehouse is free"
    who = f"process {held_by.process_id}" if held_by.process_id is not None else "another process"
    if run is None:
        return f"{who}, since {_time(held_by.since)}"
    step = f", in step {run.step}" if run.step else ""
    return f"{who}, since {_time(held_by.since)}: run {_short(run.run_id)}{step}"


def _incidents(incidents: Incidents) -> str:
    if not incidents.critical + incidents.warning:
        return "none stands"
    quiet = (
        f"{incidents.acknowledged:,} acknowledged, {incidents.silenced:,} silenced, {incidents.explained:,} explained"
    )
    return f"{incidents.critical:,} critical, {counted(incidents.warning, 'warning')} ({quiet})"


def _messages(incidents: Incidents) -> str:
    if not incidents.messages_waiting or incidents.waiting_since is None:
        return "none waits"
    error = f"; {incidents.last_error}" if incidents.last_error else ""
    return f"{incidents.messages_waiting:,} waiting, the oldest since {_time(incidents.waiting_since)}{error}"


def _watcher(looked_at: datetime | None, at: datetime) -> str:
    if looked_at is None:
        return "nobody has looked yet; ringfence alerts watch does"
    return f"last looked {length((at - looked_at).total_seconds())} ago"


def _schedule(schedule: Schedule, at: datetime) -> str:
    named = f"{schedule.name} ({schedule.cron} UTC)"
    if not schedule.is_on or schedule.next_at is None:
        return f"{named} is off, says {_decider(schedule)}"
    heard = schedule.daemon_heard_at
    daemon = "no daemon was ever heard" if heard is None else f"daemon heard {length((at - heard).total_seconds())} ago"
    return f"{named} is on, says {_decider(schedule)}; next {_time(schedule.next_at)}; {daemon}"


def _decider(schedule: Schedule) -> str:
    return "Dagster's instance" if schedule.decided_by == "instance" else schedule.decided_by


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _short(run_id: str) -> str:
    return run_id[:8]


def length(seconds: float) -> str:
    """A length of time in its two largest units: 3 d 4 h, 12 min 5 s."""
    whole = max(0, round(seconds))
    parts = [(whole // 86_400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    largest = next((number for number, (count, _) in enumerate(parts) if count), len(parts) - 1)
    return " ".join(f"{count} {unit}" for count, unit in parts[largest : largest + 2])
