"""All that one look can see: what is published, what the runs and the sources left behind, and what should be there.

What belongs here: putting the views together, so that one that can't be had hides none of the others. What doesn't:
what each shows (``observing``, ``running``, ``delivering``), and what becomes of it (``incidents``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

import duckdb

from orchestration.alerts.configuration import AlertsSection
from orchestration.alerts.delivering import are_being_pulled, observe_sources
from orchestration.alerts.incidents import Look, Observation
from orchestration.alerts.observing import (
    PUBLISHED_IN_TIME,
    RUN_COMPLETES,
    SOURCE_PULLED,
    not_published,
    observe,
    results_published,
    rule_failed,
)
from orchestration.alerts.running import Result, Watching, observe_pulls, observe_runs, results_of
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.delivery import is_delivered
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.journal import PULL, Run, recorded_runs
from orchestration.reading.published import first_line, published_connection
from orchestration.settings import WarehousePaths


@dataclass(frozen=True, slots=True)
class Places:
    """Where a look goes. Without ``sources_file`` others deliver, and nothing is said of sources."""

    paths: WarehousePaths
    landing: Path | None = None
    sources_file: Path | None = None


def see(places: Places, section: AlertsSection, at: datetime) -> tuple[Look, list[Observation]]:
    """What there is to see at that moment, and what would have been seen."""
    look, seen, results = _published(places.paths, section, at)
    runs = recorded_runs(places.paths.runs)
    results += results_of(runs)
    watching = Watching(section.environment, at, section.hangs_after, section.event_days)
    seen += observe_runs(runs, results, watching, {observation.check_name for observation in seen})
    judged_until = dict(look.judged_until)
    if results:
        judged_until[RUN_COMPLETES] = max(result.last_date for result in results)
    if places.sources_file is not None and places.landing is not None:
        try:
            sources = load_sources(places.sources_file)
            missing = observe_sources(sources, places.landing, section.environment, at, _due_day(at, section))
            if not are_being_pulled(sources, places.landing):
                judged_until[SOURCE_PULLED] = date.max
            runs = [run for run in runs if not missing and not _is_delivered(run, sources, places.landing)]
            seen += missing
        except (RingfenceError, OSError) as error:
            seen.append(rule_failed(section.environment, _due_day(at, section), "", SOURCE_PULLED, str(error)))
    seen += observe_pulls(runs, watching)
    return replace(look, judged_until=judged_until), seen


def _published(
    paths: WarehousePaths, section: AlertsSection, at: datetime
) -> tuple[Look, list[Observation], list[Result]]:
    due_day = _due_day(at, section)
    try:
        with published_connection(paths) as connection:
            look, seen = observe(connection, section.environment, at, section.event_days)
            results = [Result(began_at, last_date) for began_at, last_date in results_published(connection)]
    except (ConfigurationError, duckdb.Error) as error:
        # Nothing can be said of any check; what is known stays as it is, and this is an incident of its own.
        unseen = not_published(section.environment, due_day, section.deadline, first_line(error))
        return Look(section.environment, at, due_day, {PUBLISHED_IN_TIME}), [unseen], []
    if look.day < due_day:
        why = f"the latest day published is {look.day}"
        seen.append(not_published(section.environment, due_day, section.deadline, why))
    return replace(look, checks={*look.checks, PUBLISHED_IN_TIME}), seen, results


def _due_day(at: datetime, section: AlertsSection) -> date:
    """The latest day that has to be published by now."""
    hour, minute = map(int, section.deadline.split(":"))
    yesterday = at.date() - timedelta(days=1)
    return yesterday if at.time() >= time(hour, minute) else yesterday - timedelta(days=1)


def _is_delivered(run: Run, sources: tuple[Source, ...], landing: Path) -> bool:
    """Whether all that a run should have pulled has landed, however that came about."""
    day = run.last_date
    if run.job != PULL or day is None:
        return False
    return all(is_delivered(landing, source.name, day) for source in sources)
