"""What stands beside the published warehouse: its files, incidents and messages, the watcher, deliveries of sources.

What belongs here: reading each without opening what a run works on (a reader of the build file would stop the next
run). What doesn't: the published tables (``published``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import product
from pathlib import Path

from orchestration.alerts.configuration import Alerts
from orchestration.alerts.incidents import Category, State
from orchestration.alerts.store import Store
from orchestration.checks import Severity
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import last_manifest
from orchestration.connectors.secrets import Secrets
from orchestration.connectors.status import begun_day
from orchestration.errors import ConfigurationError
from orchestration.operations.dagster_records import DagsterRecords
from orchestration.operations.metrics.samples import Samples
from orchestration.pipeline.run import ExitStatus
from orchestration.settings import WarehousePaths
from orchestration.timetable import CLOSE

_LAST_RUN = "last_run_started_timestamp_seconds"


def read_files(paths: WarehousePaths, samples: Samples) -> None:
    """The published file, and whether the build file has changed since: it does whenever a run begins.

    A run that published, or refused its load, wrote the published file last.
    """
    published = paths.published_file.stat()
    samples.put("snapshot_bytes", published.st_size)
    samples.put("snapshot_timestamp_seconds", published.st_mtime_ns / 1e9)
    log = paths.build_file.with_name(paths.build_file.name + ".wal")
    changes = []
    for file in (paths.build_file, log):
        with suppress(FileNotFoundError):
            changes.append(file.stat().st_mtime_ns)
    changed = max(changes, default=None)
    samples.put("build_changed_timestamp_seconds", None if changed is None else changed / 1e9)
    is_unfinished = changed is not None and changed > published.st_mtime_ns
    samples.put("run_unfinished", is_unfinished)


def read_alerts(alerts: Alerts | None, paths: WarehousePaths, secrets: Secrets, at: datetime, samples: Samples) -> None:
    """Incidents, messages that wait, and when somebody last looked. ``alerts``: their configuration, if it is known."""
    with _existing_store(alerts, paths, secrets) as store:
        if store is None:
            # Alerts are configured and nobody has ever looked; without a configuration there are none.
            samples.put("watcher_looked_timestamp_seconds", None if alerts is None else 0)
            return
        environment = None if alerts is None else alerts.section.environment
        counts = store.standing_counts(environment)
        for state, severity, category in product((State.OPEN, State.ACKNOWLEDGED), Severity, Category):
            count = counts.get((state, severity, category), 0)
            samples.put("incidents", count, state.value, severity.value, category.value)
        samples.put("incidents_silenced", store.silenced_count(at, environment))
        waiting = store.waiting()
        for route in dict.fromkeys([*(alerts.routes if alerts else ()), *waiting]):
            of_route = waiting.get(route)
            samples.put("outbox_messages", of_route.messages if of_route else 0, route)
            samples.put("outbox_failing_messages", of_route.tried if of_route else 0, route)
            samples.put("outbox_oldest_timestamp_seconds", of_route.oldest_at if of_route else None, route)
        looked_at = store.looked_at(environment)
        samples.put("watcher_looked_timestamp_seconds", looked_at or 0)


@contextmanager
def _existing_store(alerts: Alerts | None, paths: WarehousePaths, secrets: Secrets) -> Iterator[Store | None]:
    """The store of incidents if there is one; none is begun, which would belong to the wrong user."""
    address = alerts.store_address(secrets) if alerts else None
    if address is None and not paths.alerts_file.exists():
        yield None
        return
    store = Store.for_reading(address or paths.alerts_file)
    try:
        yield store
    finally:
        store.close()


def read_attempts(instance_folder: Path, samples: Samples) -> None:
    """The run that was begun last as Dagster knows it, which also knows those that published nothing."""
    if not instance_folder.is_dir():
        return
    latest = next(iter(DagsterRecords(instance_folder).runs(CLOSE.job, 1)), None)
    if latest is not None:
        samples.put("last_attempt_timestamp_seconds", latest.started_at)
        samples.put("last_attempt_failed", latest.status in ("FAILURE", "CANCELED"))


def settle_last_run(samples: Samples) -> None:
    """Of a run later than the last published one: status 1 if it failed, and none at all if it hasn't ended well.

    ``audit`` records a run after Dagster does, so that a later attempt is another run. One that was killed is at work
    for Dagster, and has changed the build file, unless it hadn't come so far.
    """
    attempted, published = samples.value("last_attempt_timestamp_seconds"), samples.value(_LAST_RUN)
    is_later = attempted is not None and (published is None or attempted > published)
    if is_later and samples.value("last_attempt_failed"):
        samples.put("last_run_exit_status", int(ExitStatus.ERROR))
    elif is_later or samples.value("run_unfinished") != 0:
        samples.leave_out("last_run_exit_status")


def read_sources(sources: Iterable[Source], landing: Path, samples: Samples) -> None:
    """What each source last delivered. A source that can't be read leaves the others be, and raises at the end."""
    problems = []
    for source in sources:
        labels = (source.name, source.kind.name)
        try:
            _read_source(source, landing, samples)
            samples.put("source_up", True, *labels)
        except ConfigurationError as error:
            samples.put("source_up", False, *labels)
            problems.append(error)
    if problems:
        raise problems[0]


def _read_source(source: Source, landing: Path, samples: Samples) -> None:
    labels = (source.name, source.kind.name)
    samples.put("source_pulling", begun_day(landing, source.name) is not None, *labels)
    manifest = last_manifest(landing, source.name)
    samples.put("source_pulled", manifest is not None, *labels)
    if manifest is None:
        return
    samples.put("source_day_timestamp_seconds", manifest.day, *labels)
    samples.put("source_pulled_timestamp_seconds", manifest.pulled_at, *labels)
    for file in manifest.files:
        samples.put("source_rows", file.rows, *labels, file.table)
        samples.put("source_bytes", file.bytes, *labels, file.table)
