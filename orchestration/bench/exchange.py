"""Judging one landing zone as a run would, without Dagster, dbt's overhead and publishing.

What belongs here: the order of the steps, with the job's own functions. What doesn't: any rule. The models are the
project's, built as plain SQL (``warehouse.compiled``); ingestion, the entry gate's verdict and acceptance are the
job's. A benchmark builds exchanges by the thousand, and this is some ten times faster than a whole run.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration import landing
from orchestration.checks import CHECKS, Kind
from orchestration.contract import TABLES
from orchestration.pipeline.build_plan import plan_whole
from orchestration.pipeline.findings import INTEGRITY_STAGE, PUBLISHED_STAGE, STAGED_TABLE, stage_findings
from orchestration.pipeline.run import ExitStatus, mark_accepted, read_context
from orchestration.pipeline.steps import prepare_run
from orchestration.pipeline.verdict import entry_verdict
from orchestration.settings import Settings
from orchestration.simulate.delivery import later_date, lay_over
from orchestration.warehouse.build_file import build_connection, transaction
from orchestration.warehouse.compiled import build_models

Subject = tuple[str, date, str, str | None]
"""A finding by what identifies it: check, date, subject, asset."""

_INTEGRITY_MODELS = [check.name for check in CHECKS if check.kind is Kind.INTEGRITY]
_PUBLISHED_MODELS = [check.name for check in CHECKS if check.kind is not Kind.INTEGRITY]
_HEADLINE_MARTS = ["fct_solvency_daily", "fct_customer_liability_daily", "fct_reserve_coverage_daily"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in a landing zone, and whether its last delivery was refused."""

    findings: frozenset[Subject]
    is_refused: bool


def judge(settings: Settings, first_date: date, last_date: date) -> Judgement:
    """Load the simulated landing zone, and its second delivery if it has one, and return what all checks find."""
    later_after = later_date(settings.landing)
    if later_after is None:
        return judge_run(settings, "only", first_date, last_date)
    before = judge_run(settings, "first", first_date, later_after)
    lay_over(settings.landing)
    after = judge_run(settings, "second", first_date, last_date)
    return Judgement(before.findings | after.findings, after.is_refused)


def judge_run(settings: Settings, run_id: str, first_date: date, last_date: date) -> Judgement:
    """One run over those days: what is new is loaded and judged, and everything is built if it was taken."""
    prepare_run(settings, run_id, first_date, last_date)
    with build_connection(settings.paths.build_file) as connection:
        # Small books are built fastest by one thread; exchanges are judged side by side.
        connection.execute("set threads = 1")
        run = read_context(connection)
        for table in TABLES:
            landing.load_table(connection, settings.landing, table, run.last_date, run.run_id)
        build_models(connection, _INTEGRITY_MODELS)
        stage_findings(connection, run, INTEGRITY_STAGE)
        integrity = _staged(connection)
        if entry_verdict(connection).status is ExitStatus.FAILED_INTEGRITY:
            with transaction(connection):
                landing.discard(connection, run.run_id)
            return Judgement(integrity, is_refused=True)
        landing.accept(connection, run.run_id)
        mark_accepted(connection, run.run_id)
        plan_whole(connection, "a benchmark builds everything anew")
        build_models(connection, [*_PUBLISHED_MODELS, *_HEADLINE_MARTS])
        stage_findings(connection, run, PUBLISHED_STAGE)
        return Judgement(integrity | _staged(connection), is_refused=False)


def _staged(connection: duckdb.DuckDBPyConnection) -> frozenset[Subject]:
    rows = connection.execute(f"select check_name, as_of_date, subject_id, asset from {STAGED_TABLE}").fetchall()
    return frozenset(rows)


def scratch_settings(landing_folder: Path, scratch: Path) -> Settings:
    """Settings of a run over this landing zone with its warehouse in a scratch folder."""
    return Settings(landing=landing_folder.resolve(), warehouse=scratch.resolve())
