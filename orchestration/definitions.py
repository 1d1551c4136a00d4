"""Assembly of the Dagster definitions, and nothing else."""

from __future__ import annotations

from datetime import date

import dagster as dg

from orchestration.connectors.configuration import load_sources
from orchestration.defs.common import Landing, Workspace, daily_partitions
from orchestration.defs.ingest import ingest_assets, landing_specs
from orchestration.defs.publish import published, verdict
from orchestration.defs.quality import accepted_rows, entry_checks, exit_asset, published_checks
from orchestration.defs.schedules import close_job, daily_schedule, pull_job, pull_schedule
from orchestration.defs.sensors import alert_sensors
from orchestration.defs.sources import keys_by_table, pull_assets
from orchestration.defs.warehouse import warehouse_assets
from orchestration.settings import Settings, from_environment, keep_files_private


def build_defs(settings: Settings, *, first_date: date | None = None, last_date: date | None = None) -> dg.Definitions:
    """Return everything Dagster knows of Ringfence, working on the folders of ``settings``.

    ``first_date`` and ``last_date`` are days that a run is to be asked for; without them the partitions are what the
    UI offers.
    """
    partitions = daily_partitions(first_date, last_date)
    models = warehouse_assets()
    built = {key for asset in models for key in asset.keys}
    sources = load_sources(settings.sources_file) if settings.sources_file else ()
    pulled = pull_assets(sources, partitions)
    job = close_job(partitions, pulled)
    jobs, schedules = [job], [daily_schedule(job, is_enabled=settings.is_schedule_enabled)]
    if sources:
        pulls = pull_job(pulled, partitions)
        jobs.append(pulls)
        schedules.append(pull_schedule(pulls, is_enabled=settings.is_schedule_enabled))
    executable = [
        *pulled,
        *ingest_assets(partitions),
        *models,
        accepted_rows(built),
        exit_asset(built),
        published,
        verdict,
    ]
    return dg.Definitions(
        assets=[*landing_specs(keys_by_table(sources)), *executable],
        asset_checks=[entry_checks(built), published_checks(built)],
        jobs=jobs,
        schedules=schedules,
        sensors=alert_sensors(settings, {key for asset in executable for key in asset.keys}),
        resources={"workspace": Workspace.of(settings), "landing_zone": Landing(folder=str(settings.landing))},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What ``dagster`` and ``dg`` load, from the environment's settings. The process is one of ours from then on."""
    keep_files_private()
    return build_defs(from_environment())
