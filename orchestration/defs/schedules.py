"""The one job, and the daily schedule that runs it once an environment opts in."""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.partitions.partitioned_schedule import UnresolvedPartitionedAssetScheduleDefinition

JOB_NAME = "daily_close"


def close_job(partitions: dg.PartitionsDefinition) -> dg.UnresolvedAssetJobDefinition:
    """The whole graph for one day, or for a range of days in one run."""
    return dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.all(),
        partitions_def=partitions,
        executor_def=dg.in_process_executor,
        description="Reads what was delivered up to the day, rebuilds and checks the warehouse, and publishes it.",
        tags={"ringfence/job": JOB_NAME},
    )


def daily_schedule(
    job: dg.UnresolvedAssetJobDefinition, *, is_enabled: bool
) -> dg.ScheduleDefinition | UnresolvedPartitionedAssetScheduleDefinition:
    """Runs the job for the day that has just ended, half an hour after midnight UTC."""
    return dg.build_schedule_from_partitioned_job(
        job,
        name="every_night",
        hour_of_day=0,
        minute_of_hour=30,
        default_status=dg.DefaultScheduleStatus.RUNNING if is_enabled else dg.DefaultScheduleStatus.STOPPED,
        description="The daily close, for the UTC day that has just ended.",
    )
