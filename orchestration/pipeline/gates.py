"""The two gates: nothing enters that can't be trusted, nothing leaves that isn't whole.

What belongs here: evaluating the suites, recording their results, and what follows from them. What doesn't: the rules
(``expectations`` and the finding models), and publishing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from expectations.rules import ENTRY, EXIT, Question, RuleOutcome
from orchestration import landing
from orchestration.errors import RingfenceError
from orchestration.journal import run_file
from orchestration.pipeline.figures import record_published_figures
from orchestration.pipeline.findings import (
    INTEGRITY_STAGE,
    PUBLISHED_STAGE,
    FindingChanges,
    record_findings,
    stage_findings,
)
from orchestration.pipeline.judge import judge
from orchestration.pipeline.run import (
    ExitStatus,
    RunContext,
    close_run,
    mark_accepted,
    read_context,
)
from orchestration.pipeline.verdict import Verdict, entry_verdict, final_verdict
from orchestration.settings import WarehousePaths
from orchestration.warehouse.build_file import build_connection, transaction


class GateError(RingfenceError):
    """A suite's rule failed or could not be evaluated although no check of the catalogue found anything."""


@dataclass(frozen=True, slots=True)
class GateResult:
    """What a gate decided. ``findings`` counts standing findings that this run raised, changed or withdrew."""

    verdict: Verdict
    outcomes: list[RuleOutcome]
    findings: FindingChanges


def severities_in_force(connection: duckdb.DuckDBPyConnection) -> dict[str, str | None]:
    """Each check's severity under the run's policy, None if the check is disabled."""
    return dict(
        connection.execute(
            "select check_name, case when is_enabled then severity end from policy.check_setting"
        ).fetchall()
    )


def record_outcomes(connection: duckdb.DuckDBPyConnection, run_id: str, outcomes: Sequence[RuleOutcome]) -> None:
    """Write the outcomes to ``audit.check_result``, in place of those of the same run and stage."""
    for stage in {outcome.stage for outcome in outcomes}:
        connection.execute("delete from audit.check_result where run_id = ? and stage = ?", [run_id, stage])
    connection.executemany(
        "insert into audit.check_result values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                run_id,
                outcome.stage,
                outcome.check_name,
                outcome.subject,
                outcome.kind,
                outcome.severity,
                outcome.success,
                outcome.is_error,
                outcome.rows_checked,
                outcome.unexpected,
                outcome.observed,
            )
            for outcome in outcomes
        ],
    )


def _require_sound(outcomes: Sequence[RuleOutcome], *, shape_may_fail: bool) -> None:
    """Raise GateError if a rule could not be evaluated, or a critical rule on shape failed that must not."""
    for outcome in outcomes:
        where = f"{outcome.stage} gate, {outcome.subject}, {outcome.check_name}"
        if outcome.is_error:
            raise GateError(f"{where}: the rule could not be evaluated: {outcome.observed}")
        if outcome.kind == "shape" and not outcome.success and outcome.severity == "critical" and not shape_may_fail:
            raise GateError(
                f"{where}: failed although no check found anything: {outcome.observed or outcome.unexpected}"
            )


def entry_gate(paths: WarehousePaths) -> GateResult:
    """Judge this run's delivery, record the result, and take its rows into ``raw`` or discard them.

    Integrity findings stand until a later delivery passes. Raises GateError if a rule failed that no check explains.
    """
    with build_connection(paths.build_file) as connection:
        context = read_context(connection)
        stage_findings(connection, context, INTEGRITY_STAGE)
        verdict = entry_verdict(connection)
        severities = severities_in_force(connection)
    recorded_in = run_file(paths.runs, context.run_id)
    outcomes = judge().ask(Question(ENTRY, paths.build_file, paths.data_docs, severities, run_file=recorded_in))
    is_refused = verdict.status is ExitStatus.FAILED_INTEGRITY
    with build_connection(paths.build_file) as connection:
        record_outcomes(connection, context.run_id, outcomes)
        _require_sound(outcomes, shape_may_fail=is_refused)
        with transaction(connection):
            changes = record_findings(connection, context, INTEGRITY_STAGE)
            landing.collect_source_rows(connection)
            if is_refused:
                landing.discard(connection, context.run_id)
                close_run(connection, context.run_id, verdict.status, verdict.message)
        if not is_refused:
            landing.accept(connection, context.run_id)
            mark_accepted(connection, context.run_id)
    return GateResult(verdict, outcomes, changes)


def exit_gate(paths: WarehousePaths) -> GateResult:
    """Judge what was built, and record findings, figures and the run's end, all before anything is published.

    Raises GateError if a mart isn't what it promises, or a rule could not be evaluated: nothing is recorded then.
    """
    with build_connection(paths.build_file) as connection:
        context = read_context(connection)
        stage_findings(connection, context, PUBLISHED_STAGE)
        severities = severities_in_force(connection)
        marts = tuple(
            name
            for (name,) in connection.execute(
                "select table_name from duckdb_tables() where schema_name = 'marts' order by table_name"
            ).fetchall()
        )
    recorded_in = run_file(paths.runs, context.run_id)
    outcomes = judge().ask(Question(EXIT, paths.build_file, paths.data_docs, severities, marts, recorded_in))
    with build_connection(paths.build_file) as connection:
        record_outcomes(connection, context.run_id, outcomes)
        _require_sound(outcomes, shape_may_fail=False)
        with transaction(connection):
            changes = record_findings(connection, context, PUBLISHED_STAGE)
            landing.collect_source_rows(connection)
            landing.collect_finding_sources(connection)
            landing.collect_restatement_sources(connection, context.run_id)
            record_published_figures(connection, context)
            verdict = final_verdict(connection, context)
            close_run(connection, context.run_id, verdict.status, verdict.message)
    return GateResult(verdict, outcomes, changes)


def context_of(paths: WarehousePaths) -> RunContext:
    """The context of the run under way."""
    with build_connection(paths.build_file) as connection:
        return read_context(connection)
