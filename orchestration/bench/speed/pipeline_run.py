"""The pipeline as a user runs it: ``ringfence run`` in a process of its own, and what can be read from it afterwards.

What belongs here: one measured run, its stages, its slowest models, its figures. What doesn't: judging them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.bench.speed.measuring import Measured, run_measured
from orchestration.errors import RingfenceError
from orchestration.settings import MEMORY_LIMIT, Settings, WarehousePaths, child_environment

STARTING = "starting"
_MODELS_SHOWN = 15
_MODEL_EVENTS = (
    "select asset_key, event from event_logs"
    " where dagster_event_type = 'ASSET_MATERIALIZATION' and asset_key is not null order by id"
)


class UnsoundRunError(RingfenceError):
    """A run over a sound exchange didn't pass: its time would mean nothing."""


@dataclass(frozen=True, slots=True)
class PipelineRun:
    """One run that passed. Stages are in order, with the seconds until the next began."""

    measured: Measured
    stages: tuple[tuple[str, float], ...]


def run_pipeline(
    landing: Path, warehouse: Path, first: date, last: date, *, memory_limit: str | None, timeout: float
) -> PipelineRun:
    """Run those days; raise UnsoundRunError if the run doesn't end with exit status 0."""
    environment = child_environment(Settings(landing=landing.resolve(), warehouse=warehouse.resolve()))
    if memory_limit is not None:
        environment[MEMORY_LIMIT] = memory_limit
    days = ["--from", first.isoformat(), "--to", last.isoformat()]
    folders = ["--landing", str(landing), "--warehouse", str(warehouse)]
    command = [sys.executable, "-m", "orchestration.cli", "run", *folders, *days]
    measured = run_measured(command, environment=environment, timeout=timeout)
    if measured.error is not None:
        raise UnsoundRunError(f"the pipeline's run of {first} to {last} did not pass: {measured.error}")
    return PipelineRun(measured, stages_of(measured))


def stages_of(measured: Measured) -> tuple[tuple[str, float], ...]:
    """Stages as the run announced them; the time before the first goes to imports and the job's assembly."""
    moments = [(0.0, STARTING)]
    moments += [(second, text.removesuffix(" ...")) for second, text in measured.lines if text.endswith(" ...")]
    ends = [second for second, _ in moments[1:]] + [measured.seconds]
    totals: dict[str, float] = {}
    for (second, stage), end in zip(moments, ends, strict=True):
        totals[stage] = totals.get(stage, 0.0) + end - second
    return tuple(totals.items())


def slowest_models(warehouse: Path) -> list[tuple[str, float]]:
    """The models that took longest in the last run, as dbt timed them and Dagster recorded it."""
    seconds: dict[str, float] = {}
    for file in sorted(WarehousePaths(warehouse).dagster_home.glob("history/event_log.db")):
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute(_MODEL_EVENTS).fetchall()
        for asset_key, event in rows:
            recorded = json.loads(event)["dagster_event"]["event_specific_data"]["materialization"]
            for entry in recorded["metadata_entries"]:
                if entry["label"] == "seconds":
                    seconds[".".join(json.loads(asset_key))] = float(entry["entry_data"]["value"])
    return sorted(seconds.items(), key=lambda item: item[1], reverse=True)[:_MODELS_SHOWN]


def published_figures(warehouse: Path) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Customers' liabilities, and the coverage of groups that are no own token, as the contenders write them.

    Raises UnsoundRunError if any finding stands: the exchange is sound.
    """
    with duckdb.connect(str(WarehousePaths(warehouse).published_file), read_only=True) as connection:
        findings = connection.execute("select count(*) from audit.finding").fetchall()[0][0]
        if findings:
            raise UnsoundRunError(f"{findings} findings stand in a sound exchange: see `ringfence findings`")
        liability = connection.execute(
            "select as_of_date, asset, liability from marts.fct_customer_liability_daily where relation = 'customer'"
        ).fetchall()
        coverage = connection.execute(
            "select as_of_date, in_kind_group, eligible_reserves, liability from marts.fct_reserve_coverage_daily"
            " anti join marts.fct_own_token_daily as own"
            " on in_kind_group = own.asset and fct_reserve_coverage_daily.as_of_date = own.as_of_date"
        ).fetchall()
    return liability, coverage
