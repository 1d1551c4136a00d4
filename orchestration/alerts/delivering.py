"""What configured sources show of trouble: days that they should have delivered and haven't.

What belongs here: when that is worth telling, and putting names on it. What doesn't: tables that others deliver, which
``arrivals_complete`` judges.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path

from orchestration.alerts.incidents import Category, Observation
from orchestration.alerts.observing import SOURCE_PULLED
from orchestration.checks import Severity
from orchestration.connectors.attempts import is_being_pulled, last_failure
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import is_delivered, last_manifest
from orchestration.connectors.status import begun_day

TRIED_AGAIN_WITHIN = timedelta(minutes=15)
"""A failure after which whoever pulls wants to try again is told after so long; longer than the job's retries take."""


def observe_sources(
    sources: Iterable[Source], landing: Path, environment: str, at: datetime, due_day: date
) -> list[Observation]:
    """The sources that haven't delivered ``due_day``, or couldn't be pulled for a later one."""
    observations = []
    for source in sources:
        last = last_manifest(landing, source.name)
        missing = _missing(landing, source, last.day if last else None, at, due_day)
        if missing is not None:
            day, why = missing
            observations.append(_not_pulled(environment, source, day, last.day if last else None, why))
    return observations


def are_being_pulled(sources: Iterable[Source], landing: Path) -> bool:
    """Whether a source is being pulled now, so that nobody can say yet what will come of it."""
    return any(is_being_pulled(landing, source.name) for source in sources)


def _missing(
    landing: Path, source: Source, last_day: date | None, at: datetime, due_day: date
) -> tuple[date, str] | None:
    """The day that is missing, and why."""
    failure = last_failure(landing, source.name)
    is_standing = failure is not None and (last_day is None or failure.day > last_day)
    is_overdue = last_day is None or last_day < due_day
    if failure is not None and is_standing:
        is_told = failure.is_final or at - failure.failed_at >= TRIED_AGAIN_WITHIN
        if is_overdue or (is_told and not is_being_pulled(landing, source.name)):
            return max(failure.day, due_day) if is_overdue else failure.day, failure.message
        return None
    stopped = _stopped_day(landing, source.name)
    if stopped is not None and (last_day is None or stopped > last_day):
        return stopped, "the process that pulled it died; pull it again, it goes on where it stopped"
    if not is_overdue:
        return None
    return due_day, "it was not pulled" if last_day else "it was never pulled"


def _stopped_day(landing: Path, source: str) -> date | None:
    """The day of a pull that nobody is at any more, and that didn't land."""
    begun = begun_day(landing, source)
    if begun is None or is_being_pulled(landing, source):
        return None
    day = date.fromisoformat(begun)
    return None if is_delivered(landing, source, day) else day


def _not_pulled(environment: str, source: Source, day: date, last_day: date | None, why: str) -> Observation:
    tables = ", ".join(sorted({feed.table for feed in source.kind.load().feeds_of(source.configuration)}))
    return Observation(
        environment=environment,
        check_name=SOURCE_PULLED,
        category=Category.NO_DATA,
        severity=Severity.CRITICAL,
        subject_type="source",
        subject_id=source.name,
        asset=None,
        day=day,
        since=min(day, last_day + timedelta(days=1)) if last_day else day,
        message=(
            f"Source {source.name} ({source.kind.name}) has not delivered {day}: {why}. It fills {tables}; the last day"
            f" delivered is {last_day or 'none'}."
        ),
        observed=str(last_day) if last_day else "never delivered",
        expected=str(day),
    )
