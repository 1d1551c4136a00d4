"""What the assets share: partitions, owners, the resource that holds the warehouse, and reading a run's days."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from orchestration.ending import record_end
from orchestration.journal import CLOSE, recording
from orchestration.pipeline.judge import JudgeError, settle
from orchestration.runner import RANGE_END, RANGE_START
from orchestration.settings import Settings
from orchestration.warehouse.lock import warehouse_lock

# Single-run backfills are what a range needs, and the parameter has been in beta for years.
warnings.filterwarnings("ignore", message="Parameter `backfill_policy`")

DATA_ENGINEERING = "team:data-engineering"
FINANCIAL_CONTROL = "team:financial-control"
PARTITION = "dagster/partition"
WRITER_POOL = "ringfence_warehouse_writer"

RUN_CONTEXT = dg.AssetKey(["policy", "run_context"])
FIRST_PARTITION = date(2020, 1, 1)
"""First day that the UI offers; a run from the command line may ask for any."""


class Workspace(dg.ConfigurableResource):
    """Folders and knobs of a run. Holds the warehouse's lock as long as the run lasts."""

    landing: str
    warehouse: str
    policy_file: str | None = None
    snapshots_kept: int = 3

    @property
    def settings(self) -> Settings:
        """The same as plain settings."""
        return Settings(
            landing=Path(self.landing),
            warehouse=Path(self.warehouse),
            policy_file=Path(self.policy_file) if self.policy_file else None,
            snapshots_kept=self.snapshots_kept,
        )

    @classmethod
    def of(cls, settings: Settings) -> "Workspace":
        """The resource for these settings."""
        return cls(
            landing=str(settings.landing),
            warehouse=str(settings.warehouse),
            policy_file=str(settings.policy_file) if settings.policy_file else None,
            snapshots_kept=settings.snapshots_kept,
        )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        """Hold the lock from the first step to the last, which leaves nothing half written, and record both."""
        run, paths = context.run, self.settings.paths
        assert run is not None
        days = days_of(run)
        with (
            warehouse_lock(paths.lock_file),
            recording(paths.runs, run.run_id, CLOSE, *days, kept=self.settings.dagster_runs_kept) as record,
        ):
            try:
                yield self
            finally:
                with suppress(JudgeError):  # a run that came to its verdict has heard of it
                    settle()
                if record.is_outermost and context.instance is not None:
                    error = first_error(context.instance, run.run_id)
                    record_end(self.settings, record, run.run_id, days[1], error)


class Landing(dg.ConfigurableResource):
    """The landing zone that sources are pulled into."""

    folder: str

    @property
    def path(self) -> Path:
        """The folder."""
        return Path(self.folder)


def daily_partitions(first_date: date | None = None, last_date: date | None = None) -> dg.DailyPartitionsDefinition:
    """Days in UTC from ``first_date`` up to ``last_date``, or else up to yesterday.

    Dagster ends a partition set at the wall clock; results must not depend on it, and landing zones of the future are
    as good as those of the past.
    """
    start = first_date or FIRST_PARTITION
    today = datetime.now(UTC).date()
    offset = max(0, ((last_date or today - timedelta(days=1)) - today).days + 1)
    # Dagster goes through all days of the set several times a run, so it holds none that wasn't asked for.
    end = (last_date + timedelta(days=1)).isoformat() if last_date is not None else None
    return dg.DailyPartitionsDefinition(start_date=start.isoformat(), end_date=end, end_offset=offset, timezone="UTC")


def days_of(run: dg.DagsterRun) -> tuple[date, date] | tuple[None, None]:
    """First and last day that a run was asked for, by its tags; None for one of assets without days."""
    first = run.tags.get(RANGE_START) or run.tags.get(PARTITION)
    last = run.tags.get(RANGE_END) or run.tags.get(PARTITION)
    try:
        return (date.fromisoformat(first), date.fromisoformat(last)) if first and last else (None, None)
    except ValueError:  # another job's partitions
        return None, None


def first_error(instance: dg.DagsterInstance, run_id: str) -> Any | None:
    """The error of the first step that failed by one, or else the run's own; None if there was none."""
    kinds = (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE)
    for kind in kinds:
        for entry in instance.all_logs(run_id, of_type=kind):
            error = getattr(entry.get_dagster_event().event_specific_data, "error", None)
            if error is not None:
                return error
    return None


def run_days(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """First and last day that the run was asked for."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)
