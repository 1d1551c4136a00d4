"""The daily close, the pulls before it, and the schedules that run them once an environment opts in."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.partitions.partitioned_schedule import UnresolvedPartitionedAssetScheduleDefinition

from orchestration.timetable import CLOSE, PULL, Nightly

JOB_NAME, PULL_JOB_NAME = CLOSE.job, PULL.job


def close_job(
    partitions: dg.PartitionsDefinition, pulled: Sequence[dg.AssetsDefinition] = ()
) -> dg.UnresolvedAssetJobDefinition:
    """The whole graph from the landing zone on, for one day or for a range of days in one run.

    Without the pulls: a source that fails must not keep the day from being closed, with findings on what is missing.
    """
    return dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(*pulled),
        partitions_def=partitions,
        executor_def=dg.in_process_executor,
        description="Reads what was delivered up to the day, rebuilds and checks the warehouse, and publishes it.",
        # One that died is run again as a whole: what it left half done isn't gone on with.
        tags={"ringfence/job": JOB_NAME, "dagster/retry_strategy": "ALL_STEPS"},
    )


def pull_job(
    pulled: Sequence[dg.AssetsDefinition], partitions: dg.PartitionsDefinition
) -> dg.UnresolvedAssetJobDefinition:
    """Pulls every source for a day. One that fails holds up those only that need the wallets it registers."""
    return dg.define_asset_job(
        PULL_JOB_NAME,
        selection=dg.AssetSelection.assets(*pulled),
        partitions_def=partitions,
        executor_def=dg.in_process_executor,
        description="Pulls the configured sources into the landing zone, each whole or not at all.",
        tags={"ringfence/job": PULL_JOB_NAME},
    )


def daily_schedule(
    job: dg.UnresolvedAssetJobDefinition, *, is_enabled: bool
) -> dg.ScheduleDefinition | UnresolvedPartitionedAssetScheduleDefinition:
    """Runs the job for the day that has just ended, half an hour after midnight UTC."""
    return _nightly(job, CLOSE, "The daily close, for the UTC day that has just ended.", is_enabled)


def pull_schedule(
    job: dg.UnresolvedAssetJobDefinition, *, is_enabled: bool
) -> dg.ScheduleDefinition | UnresolvedPartitionedAssetScheduleDefinition:
    """Pulls the day that has just ended, before its close; most sources are asked again until they have it all."""
    return _nightly(job, PULL, "Pulls the UTC day that has just ended.", is_enabled)


def _nightly(
    job: dg.UnresolvedAssetJobDefinition, nightly: Nightly, description: str, is_enabled: bool
) -> dg.ScheduleDefinition | UnresolvedPartitionedAssetScheduleDefinition:
    return dg.build_schedule_from_partitioned_job(
        job,
        name=nightly.name,
        hour_of_day=0,
        minute_of_hour=nightly.minute,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_enabled else dg.DefaultScheduleStatus.STOPPED,
        description=description,
    )
