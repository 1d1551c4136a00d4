"""A warehouse that stands as a test says, without a run: what it publishes, and Dagster's records of its runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path

import dagster as dg
import duckdb
from dagster import DagsterInstance
from dagster._core.remote_origin import (
    InProcessCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

from orchestration.audit import create_audit_schema
from orchestration.pipeline.run import STATUS_NAMES, ExitStatus
from orchestration.publish.snapshot import Source, publish
from orchestration.settings import WarehousePaths
from orchestration.timetable import CLOSE

DAY = date(2026, 3, 4)
MORNING = datetime(2026, 3, 5, 7, 0)
RANGE = {
    "dagster/asset_partition_range_start": "2026-03-03",
    "dagster/asset_partition_range_end": "2026-03-04",
}


def publish_runs(
    paths: WarehousePaths, *ends: ExitStatus, day: date = DAY, began: datetime = datetime(2026, 3, 5, 0, 30)
) -> None:
    """Publish a file in which runs of those days have ended so, the last one on ``day``; each took five minutes."""
    paths.root.mkdir(parents=True, exist_ok=True)
    source = paths.root.parent / "source.duckdb"
    source.unlink(missing_ok=True)
    with duckdb.connect(str(source)) as connection:
        create_audit_schema(connection)
        connection.execute("create schema marts")
        connection.execute("create table marts.fct_solvency_daily as select range as row from range(1000)")
        for number, end in enumerate(ends, 1):
            back = timedelta(days=len(ends) - number)
            is_accepted = end is not ExitStatus.FAILED_INTEGRITY
            connection.execute(
                "insert into audit.run (run_id, started_at, finished_at, published_at, status, exit_status,"
                " first_date, last_date, knowledge_at, policy_hash, is_accepted, message)"
                " values (?, ?, ?, ?, ?, ?, ?, ?, ?, 'h', ?, ?)",
                [
                    f"run-{number}",
                    began - back,
                    began - back + timedelta(minutes=5),
                    began - back + timedelta(minutes=4) if is_accepted else None,
                    STATUS_NAMES[end],
                    int(end),
                    day - back,
                    day - back,
                    datetime.combine(day - back + timedelta(days=1), datetime.min.time()),
                    is_accepted,
                    f"message {number}",
                ],
            )
            for table, partition in (("ledger_entries", day - back), ("accounts", None)):
                connection.execute(
                    "insert into audit.load values (?, ?, ?, ?, 'x', 1, 1, 1, ?, ?)",
                    [
                        f"run-{number}",
                        table,
                        partition,
                        f"{table}/{number}",
                        "accepted" if is_accepted else "discarded",
                        number,
                    ],
                )
    publish(paths, [Source("marts", source), Source("audit", source)], name=f"{day}_run-{len(ends)}", kept=3)
    source.unlink()


def copy_warehouse(paths: WarehousePaths, folder: Path) -> WarehousePaths:
    """A copy of a warehouse, whose published file is again the newest snapshot itself."""
    copied = WarehousePaths(Path(shutil.copytree(paths.root, folder)))
    copied.published_file.unlink()
    (snapshot,) = copied.snapshots.iterdir()
    os.link(snapshot, copied.published_file)
    return copied


def run_job(instance: DagsterInstance, body: Callable[[], None]) -> str:
    """A run of a job named as the daily close, through Dagster; its identifier."""

    @dg.op(name="building")
    def building() -> None:
        body()

    @dg.job(name=CLOSE.job, executor_def=dg.in_process_executor)
    def job() -> None:
        building()

    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return job.execute_in_process(instance=instance, raise_on_error=False, run_config=quiet, tags=RANGE).run_id


def decide_schedule(instance: DagsterInstance, status: InstigatorStatus, name: str = CLOSE.name) -> None:
    """Switch the schedule on or off, as somebody does in Dagster's interface."""
    target = LoadableTargetOrigin(module_name="orchestration.definitions")
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(target), "__repository__")
    origin = RemoteInstigatorOrigin(repository, name)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, ScheduleInstigatorData(CLOSE.cron))
    if instance.get_instigator_state(origin.get_id(), origin.get_selector().get_id()) is None:
        instance.add_instigator_state(state)
    else:
        instance.update_instigator_state(state)


def hear_daemon(instance: DagsterInstance, at: datetime) -> None:
    """The scheduler's daemon gives a sign of life."""
    seconds = (at - datetime(1970, 1, 1)).total_seconds()
    instance.add_daemon_heartbeat(DaemonHeartbeat(timestamp=seconds, daemon_type="SCHEDULER", daemon_id="d", errors=[]))


def files_of(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below a folder, and what would tell that it was touched."""
    statuses = {path: path.stat() for path in sorted(folder.rglob("*"))}
    return {
        str(path.relative_to(folder)): (status.st_size, status.st_mtime_ns, status.st_ino)
        for path, status in statuses.items()
    }
