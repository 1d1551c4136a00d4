"""The two gates as Dagster sees them: a blocking check on what arrives, an asset and its checks on what leaves."""

from collections.abc import Collection, Iterable, Iterator, Sequence

import dagster as dg

from expectations.rules import RuleOutcome
from orchestration.checks import CHECKS, Check, Kind, Severity
from orchestration.contract import TABLES, Table
from orchestration.defs.common import DATA_ENGINEERING, FINANCIAL_CONTROL, WRITER_POOL, Workspace
from orchestration.defs.ingest import column_schema, incoming_key
from orchestration.pipeline import steps
from orchestration.pipeline.outcomes import recorded_outcomes
from orchestration.pipeline.run import ExitStatus

FINDINGS = dg.AssetKey(["audit", "finding"])


def finding_key(check: Check) -> dg.AssetKey:
    """Key of the check's finding model."""
    return dg.AssetKey(["findings", check.name])


def raw_key(table: Table) -> dg.AssetKey:
    """Key of a table's accepted rows."""
    return dg.AssetKey(["raw", table.name])


def _check_specs(
    checks: Iterable[Check], built: Collection[dg.AssetKey], *, blocking: bool, after: Sequence[dg.AssetKey] = ()
) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            name=check.name,
            asset=finding_key(check),
            blocking=blocking,
            additional_deps=list(after),
            description=f"{check.kind.value.capitalize()}: no subject fails {check.name}.",
            metadata={"kind": check.kind.value, "severity": check.severity.value},
        )
        for check in checks
        if finding_key(check) in built
    ]


def _check_results(
    specs: Sequence[dg.AssetCheckSpec], outcomes: Iterable[RuleOutcome]
) -> Iterator[dg.AssetCheckResult]:
    """One result for each spec; a check that policy disables passes and says so (its finding is a warning)."""
    by_name = {outcome.check_name: outcome for outcome in outcomes}
    for spec in specs:
        outcome = by_name.get(spec.name)
        is_critical = outcome is not None and outcome.severity == Severity.CRITICAL.value
        yield dg.AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=outcome is None or outcome.success,
            severity=dg.AssetCheckSeverity.ERROR if is_critical else dg.AssetCheckSeverity.WARN,
            description=None if outcome is not None else "Disabled by policy.",
            metadata={
                "failing_subjects": (outcome.unexpected or 0) if outcome is not None else 0,
                "observed": (outcome.observed or "nothing") if outcome is not None else "not evaluated",
            },
        )


def entry_checks(built: Collection[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """The entry gate: blocks everything behind it if the delivery can't be trusted."""
    specs = _check_specs((check for check in CHECKS if check.kind is Kind.INTEGRITY), built, blocking=True)

    @dg.multi_asset_check(name="entry_gate", specs=specs, can_subset=False, pool=WRITER_POOL)
    def entry_gate(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> Iterator[dg.AssetCheckResult]:
        result = steps.judge_delivery(workspace.settings)
        yield from _check_results(specs, result.outcomes)
        if result.verdict.status is not ExitStatus.PASSED:
            raise dg.Failure(result.verdict.message, allow_retries=False)

    return entry_gate


def accepted_rows(built: Collection[dg.AssetKey]) -> dg.AssetsDefinition:
    """Raw tables: what the entry gate let in."""
    gate = [finding_key(check) for check in CHECKS if check.kind is Kind.INTEGRITY and finding_key(check) in built]
    specs = [
        dg.AssetSpec(
            raw_key(table),
            deps=[incoming_key(table), *gate],
            group_name="raw",
            description=f"{table.description} Accepted rows, append-only.",
            kinds={"duckdb"},
            owners=[DATA_ENGINEERING],
            metadata={"dagster/column_schema": column_schema(table)},
        )
        for table in TABLES
    ]

    @dg.multi_asset(name="accepted_rows", specs=specs, pool=WRITER_POOL)
    def accepted(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        rows = steps.accepted_row_counts(workspace.settings)
        for spec in specs:
            yield dg.MaterializeResult(spec.key, metadata={"dagster/row_count": rows[spec.key.path[-1]]})

    return accepted


def exit_asset(built: Collection[dg.AssetKey]) -> dg.AssetsDefinition:
    """The exit gate: the standing findings, recorded once marts and findings have been judged."""
    upstream = sorted(key for key in built if key.path[0] in ("marts", "findings", "evidence"))

    @dg.asset(
        key=FINDINGS,
        deps=upstream,
        group_name="quality",
        kinds={"python", "duckdb"},
        owners=[FINANCIAL_CONTROL],
        description="Findings that stand after this run, and the results of everything that was checked.",
        pool=WRITER_POOL,
    )
    def finding(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
        result = steps.judge_warehouse(workspace.settings)
        failed = [outcome.check_name for outcome in result.outcomes if not outcome.success]
        return dg.MaterializeResult(
            metadata={
                "raised": result.findings.raised,
                "changed": result.findings.changed,
                "withdrawn": result.findings.withdrawn,
                "rules": len(result.outcomes),
                "failed": ", ".join(failed) or "none",
                "verdict": result.verdict.message,
            }
        )

    return finding


def published_checks(built: Collection[dg.AssetKey]) -> dg.AssetChecksDefinition:
    """What the exit gate found, as checks on the finding models. They don't block: analysts must see the hole."""
    published = (check for check in CHECKS if check.kind is not Kind.INTEGRITY)
    specs = _check_specs(published, built, blocking=False, after=[FINDINGS])

    @dg.multi_asset_check(name="exit_gate", specs=specs, can_subset=False, pool=WRITER_POOL)
    def exit_gate(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> Iterator[dg.AssetCheckResult]:
        yield from _check_results(specs, recorded_outcomes(workspace.settings.paths, stage="exit"))

    return exit_gate
