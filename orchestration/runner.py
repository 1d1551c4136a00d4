"""Running the job through Dagster in this process, for the command line.

What belongs here: the Dagster instance, starting the job, and turning its result into an exit status. What doesn't:
what the steps do (``pipeline``), and showing it (``cli``).
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from orchestration.ending import RunResult, result_of
from orchestration.errors import ConfigurationError
from orchestration.journal import CLOSE, recording
from orchestration.landing import discover
from orchestration.pipeline.judge import judge
from orchestration.pipeline.run import STATUS_NAMES, ExitStatus
from orchestration.policy import load_policy
from orchestration.settings import Settings, WarehousePaths, child_environment, close_to_others
from orchestration.warehouse.damage import damage_of
from orchestration.warehouse.lock import warehouse_lock

if TYPE_CHECKING:
    from dagster import DagsterInstance

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"

_INSTANCE_CONFIGURATION = """\
# Written by ringfence; changes are kept.
telemetry:
  enabled: false
# No dialogue that asks for an e-mail address.
nux:
  enabled: false
# One run at a time works on the warehouse.
concurrency:
  pools:
    granularity: run
    default_limit: 1
# One file for all runs' events, half the commits of the default; and statements are compiled once, not an event.
event_log_storage:
  module: orchestration.dagster_history
  class: EventHistory
  config:
    base_dir: {history}
"""


def open_instance(settings: Settings) -> DagsterInstance:
    """The Dagster instance whose UI shows the warehouse's runs; created at first use."""
    from dagster import DagsterInstance

    folder = settings.instance_folder
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "dagster.yaml"
    is_new = not configuration.exists()
    if is_new:
        history = json.dumps(str(folder / "history"))
        configuration.write_text(_INSTANCE_CONFIGURATION.format(history=history), encoding="utf-8")
    instance = DagsterInstance.from_config(str(folder))
    if is_new:
        # Dagster's queue learns of a pool after it first let runs go by, all that wait then.
        from orchestration.defs.common import WRITER_POOL

        instance.event_log_storage.initialize_concurrency_limit_to_default(WRITER_POOL)
    return instance


def run_days(settings: Settings, first_date: date, last_date: date, *, verbose: bool = False) -> RunResult:
    """Run the job for those days and return how it ended.

    Raises ConfigurationError for a wrong landing folder or policy and WarehouseBusyError if the warehouse is at work,
    both before anything is touched.
    """
    load_policy(settings.policy_file)
    discover(settings.landing, last_date)
    _require_folder(settings.paths)
    with warehouse_lock(settings.paths.lock_file), _garbage_rarely_sought():
        result = _execute(settings, first_date, last_date, verbose=verbose)
        if result.status is ExitStatus.ERROR and damage_of(settings.paths.build_file) is not None:
            # The run that is opened now reads all of the build file, and sets it aside.
            result = _execute(settings, first_date, last_date, verbose=verbose)
        return result


def _execute(settings: Settings, first_date: date, last_date: date, *, verbose: bool) -> RunResult:
    run_id = str(uuid4())
    with recording(
        settings.paths.runs, run_id, CLOSE, first_date, last_date, kept=settings.dagster_runs_kept
    ) as record:
        judge()  # it loads what it needs while this process does
        from orchestration.definitions import build_defs

        # Whatever is wrong with the sources, the close runs on what has landed.
        own = replace(settings, sources_file=None)
        job = build_defs(own, first_date=first_date, last_date=last_date).resolve_job_def(CLOSE)
        with open_instance(settings) as instance, _stores_kept_open(settings.instance_folder):
            if settings.owns_instance:
                _close_killed_runs(instance)
                _drop_old_runs(instance, settings.dagster_runs_kept)
            result = job.execute_in_process(
                instance=instance,
                run_id=run_id,
                raise_on_error=False,
                run_config=_log_configuration(verbose=verbose),
                tags={RANGE_START: first_date.isoformat(), RANGE_END: last_date.isoformat()},
            )
        ended = _result(settings, result)
        record.end(STATUS_NAMES[ended.status], ended.message)
        return ended


def _close_killed_runs(instance: DagsterInstance) -> None:
    """Fail the warehouse's runs that Dagster believes to be under way: this process holds the lock, so none is."""
    from dagster import DagsterRunStatus, RunsFilter

    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED])):
        instance.report_run_failed(run, message="The run ended without a result: its process was killed.")


def _drop_old_runs(instance: DagsterInstance, kept: int) -> None:
    """Drop Dagster's memory of all but the newest runs, so that it doesn't grow without end; ``audit`` keeps them."""
    for record in instance.get_run_records(order_by="id")[kept - 1 :]:
        instance.delete_run(record.dagster_run.run_id)


@contextmanager
def _stores_kept_open(instance_folder: Path) -> Iterator[None]:
    """Hold Dagster's SQLite files open for the length of a run.

    Dagster opens and closes them for every event. Closing the last connection makes SQLite fold its log into the file
    and delete it, which costs more than the event itself: 8 against 4 seconds for a run of 130 assets.
    """
    held = [sqlite3.connect(path) for path in sorted(instance_folder.rglob("*.db"))]
    try:
        for connection in held:
            connection.execute("select count(*) from sqlite_master").fetchall()
        yield
    finally:
        for connection in held:
            connection.close()


@contextmanager
def _garbage_rarely_sought() -> Iterator[None]:
    """Look for cyclic garbage seldom for the length of a run.

    A run makes a million objects that live to its end, Dagster's graph and dbt's manifest; looking through them two
    thousand times takes a twelfth of a small run's time.
    """
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _require_folder(paths: WarehousePaths) -> None:
    """Create the warehouse's folder; raise ConfigurationError if that can't be, or if a part of it can't be written to.

    A run would else find out when it publishes, after all its work.
    """
    try:
        paths.root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"warehouse folder {paths.root} can't be used: {error.strerror}; choose another with --warehouse"
        ) from error
    places = (paths.root, paths.build_file.parent, paths.lock_file, paths.build_file, paths.snapshots)
    for place in places:
        if place.exists() and not os.access(place, os.W_OK):
            raise ConfigurationError(
                f"warehouse folder: {place} can't be written to; give this user the right to, or choose another folder"
                " with --warehouse"
            )
    close_to_others(paths)


def _log_configuration(*, verbose: bool) -> Mapping[str, Any]:
    return {"loggers": {"console": {"config": {"log_level": "INFO" if verbose else "CRITICAL"}}}}


def _result(settings: Settings, result: Any) -> RunResult:
    error = None if result.success else _first_failure(result)
    return result_of(settings, result.run_id, error, is_success=result.success)


def _first_failure(result: Any) -> Any:
    failures = [event for event in result.all_events if event.is_step_failure]
    for event in failures:
        if event.event_specific_data.error is not None:
            return event.event_specific_data.error
    run_failures = [event for event in result.all_events if event.is_run_failure]
    return run_failures[0].event_specific_data.error if run_failures else None


def start_ui(settings: Settings, *, port: int) -> None:
    """Replace this process by Dagster's development server on the loopback interface."""
    with open_instance(settings):
        pass
    command = [sys.executable, "-m", "dagster", "dev", "-m", "orchestration.definitions", "-h", "127.0.0.1"]
    os.execve(  # noqa: S606 (a fixed command, this interpreter)
        sys.executable, [*command, "-p", str(port)], child_environment(settings)
    )
