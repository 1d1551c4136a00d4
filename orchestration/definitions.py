"""Assembly of the Dagster definitions, and nothing else."""

from __future__ import annotations

from datetime import date

import dagster as dg

from orchestration.defs.common import Workspace, daily_partitions
from orchestration.defs.ingest import ingest_assets, source_specs
from orchestration.defs.publish import published, verdict
from orchestration.defs.quality import accepted_rows, entry_checks, exit_asset, published_checks
from orchestration.defs.schedules import close_job, daily_schedule
from orchestration.defs.warehouse import warehouse_assets
from orchestration.settings import Settings, from_environment


def build_defs(settings: Settings, *, first_date: date | None = None, last_date: date | None = None) -> dg.Definitions:
    """Return everything Dagster knows of Ringfence, working on the folders of ``settings``.

    ``first_date`` and ``last_date`` are days that a run is to be asked for; without them the partitions are what the
    UI offers.
    """
    partitions = daily_partitions(first_date, last_date)
    models = warehouse_assets()
    built = {key for asset in models for key in asset.keys}
    job = close_job(partitions)
    return dg.Definitions(
        assets=[
            *source_specs(),
            *ingest_assets(partitions),
            *models,
            accepted_rows(built),
            exit_asset(built),
            published,
            verdict,
        ],
        asset_checks=[entry_checks(built), published_checks(built)],
        jobs=[job],
        schedules=[daily_schedule(job, is_enabled=settings.is_schedule_enabled)],
        resources={"workspace": Workspace.of(settings)},
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """What ``dagster`` and ``dg`` load, from the environment's settings."""
    return build_defs(from_environment())
