"""A run of the job's own steps without Dagster, dbt's overhead, expectations and publishing.

What belongs here: the order of the steps. What doesn't: any rule. The models are the project's, built as plain SQL
(``warehouse.compiled``); ingestion, the entry gate's verdict and acceptance are the job's. It is some ten times faster
than a whole run on small books: for benchmarks, for rebuilding a warehouse beside the one in use, and for tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from orchestration import landing
from orchestration.checks import CHECKS, Kind
from orchestration.contract import TABLES
from orchestration.pipeline.build_plan import close_plan, open_plan
from orchestration.pipeline.findings import INTEGRITY_STAGE, PUBLISHED_STAGE, STAGED_TABLE, stage_findings
from orchestration.pipeline.run import ExitStatus, mark_accepted, read_context
from orchestration.pipeline.steps import prepare_run
from orchestration.pipeline.verdict import entry_verdict
from orchestration.settings import Settings
from orchestration.warehouse.build_file import build_connection, transaction
from orchestration.warehouse.compiled import build_models

Subject = tuple[str, date, str, str | None]
"""A finding by what identifies it: check, date, subject, asset."""

_INTEGRITY_MODELS = [check.name for check in CHECKS if check.kind is Kind.INTEGRITY]
_PUBLISHED_MODELS = [check.name for check in CHECKS if check.kind is not Kind.INTEGRITY]


@dataclass(frozen=True, slots=True)
class DirectResult:
    """What was found, and why the last delivery was refused; None if it was taken."""

    findings: frozenset[Subject]
    refusal: str | None

    @property
    def is_refused(self) -> bool:
        """Whether an integrity finding kept the delivery out."""
        return self.refusal is not None


def run_directly(
    settings: Settings,
    run_id: str,
    first_date: date,
    last_date: date,
    *,
    models: Sequence[str],
    threads: int | None = None,
) -> DirectResult:
    """One run over those days: what is new is loaded and judged; if it is taken, ``models`` and all checks are built.

    Raises ConfigurationError if the landing folder or the policy is wrong.
    """
    prepare_run(settings, run_id, first_date, last_date)
    with build_connection(settings.paths.build_file) as connection:
        if threads is not None:
            connection.execute(f"set threads = {threads}")
        run = read_context(connection)
        for table in TABLES:
            landing.load_table(connection, settings.landing, table, run.last_date, run.run_id)
        build_models(connection, _INTEGRITY_MODELS)
        stage_findings(connection, run, INTEGRITY_STAGE)
        integrity = _staged(connection)
        verdict = entry_verdict(connection)
        if verdict.status is ExitStatus.FAILED_INTEGRITY:
            with transaction(connection):
                landing.discard(connection, run.run_id)
            return DirectResult(integrity, verdict.message)
        landing.accept(connection, run.run_id)
        mark_accepted(connection, run.run_id)
        plan = open_plan(connection, run)
        build_models(connection, [*_PUBLISHED_MODELS, *models], is_whole=plan.is_whole)
        close_plan(connection, run)
        stage_findings(connection, run, PUBLISHED_STAGE)
        return DirectResult(integrity | _staged(connection), None)


def _staged(connection: duckdb.DuckDBPyConnection) -> frozenset[Subject]:
    rows = connection.execute(f"select check_name, as_of_date, subject_id, asset from {STAGED_TABLE}").fetchall()
    return frozenset(rows)
