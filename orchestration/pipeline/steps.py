"""The steps of a run in order, each a plain function of the settings; state passes through the build file.

prepare_run, load_incoming for every table, build_integrity_findings, entry gate, build_warehouse, exit gate, publish.
What fails in a step in an unforeseen way fails without the values that it met, since Dagster keeps what failed.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import date

import duckdb

from orchestration import landing, progress
from orchestration.connectors.delivery import finish_deliveries
from orchestration.contract import TABLES, Table
from orchestration.keyed_hashes import errors_without_values
from orchestration.landing import TableLoad
from orchestration.pipeline.build_plan import close_plan, open_plan, plan_whole
from orchestration.pipeline.gates import GateResult, context_of, entry_gate, exit_gate
from orchestration.pipeline.judge import settle
from orchestration.pipeline.mending import require_sound, set_damaged_aside
from orchestration.pipeline.record import (
    UnreadableRecordError,
    require_all_history,
    runs_published,
    take_over_record,
)
from orchestration.pipeline.run import ExitStatus, RunContext, close_run, open_run, read_context
from orchestration.pipeline.verdict import Verdict, final_verdict
from orchestration.policy import Policy, load_policy
from orchestration.publish.snapshot import Publication, Source, publish, remove_leftovers
from orchestration.settings import Settings, WarehousePaths
from orchestration.warehouse.build_file import BuildFileError, build_connection
from orchestration.warehouse.dbt import NodeResult, manifest_as_json, run_dbt
from orchestration.warehouse.keys import declared_keys, require_keys

INTEGRITY_MODELS = "fqn:ringfence.findings.integrity"
_NO_TESTS = "resource_type:test"
# Those of what a run publishes and of the reviewed seeds. The inner layers' are part of the project's own test suite.
_KEYS_OF = ("marts", "seeds")


@errors_without_values()
def prepare_run(settings: Settings, run_id: str, first_date: date, last_date: date) -> RunContext:
    """Open a run over those days: clear what a killed one left, write its policy and context.

    A build file that is damaged is set aside, and all is read again. Raises ConfigurationError if the landing folder or
    the policy is wrong, or if the build file is new and the run wouldn't take in all that was accepted before.
    """
    policy = load_policy(settings.policy_file)
    finish_deliveries(settings.landing)
    discovery = landing.discover(settings.landing, last_date)
    remove_leftovers(settings.paths)
    days = (first_date, last_date)
    try:
        return _open_build_file(settings, run_id, days, policy, discovery)
    except (duckdb.Error, BuildFileError) as error:
        notice = set_damaged_aside(settings, error)
    progress.report("build file set aside", notice)
    return _open_build_file(settings, run_id, days, policy, discovery, (notice,))


def _open_build_file(
    settings: Settings,
    run_id: str,
    days: tuple[date, date],
    policy: Policy,
    discovery: landing.Discovery,
    notices: tuple[str, ...] = (),
) -> RunContext:
    paths, (first_date, last_date) = settings.paths, days
    with build_connection(paths.build_file) as connection:
        landing.create_schemas(connection)
        published = _runs_published(connection, paths)
        require_sound(connection, published or ())
        if paths.published_file.exists():
            take_over_record(connection, paths.published_file)
        require_all_history(connection, last_date, discovery.first_date)
        landing.record_notices(connection, run_id, None, (*notices, *landing.unknown_folders(settings.landing)))
        context = open_run(
            connection,
            policy,
            run_id=run_id,
            first_date=first_date,
            last_date=last_date,
            landing_first_date=discovery.first_date,
            was_published=lambda earlier: published is None or earlier in published,
        )
        plan_whole(connection, "not decided before rows are accepted")
        return context


def _runs_published(connection: duckdb.DuckDBPyConnection, paths: WarehousePaths) -> frozenset[str] | None:
    """The runs that analysts can see; None if that can't be told, which the run that is opened mends."""
    if not paths.published_file.exists():
        return frozenset()
    try:
        return runs_published(connection, paths.published_file)
    except UnreadableRecordError as error:
        progress.report("published file", str(error))
        return None


def load_incoming(settings: Settings, tables: Sequence[Table]) -> Generator[TableLoad]:
    """Read the tables' new and changed partitions, up to the run's last day, one after the other.

    The build file stays open until the last one is asked for; close the generator if that may not come.
    """
    with errors_without_values(), build_connection(settings.paths.build_file) as connection:
        run = read_context(connection)
        for table in tables:
            progress.report("reading", table.name)
            yield landing.load_table(connection, settings.landing, table, run.last_date, run.run_id)


@errors_without_values()
def build_integrity_findings(settings: Settings) -> list[NodeResult]:
    """Build the integrity models over this run's delivery."""
    return run_dbt(
        settings.paths.build_file,
        "build",
        artefacts=settings.paths.dbt_artefacts,
        select=(f"+{INTEGRITY_MODELS}",),
        exclude=(_NO_TESTS,),
        on_node=lambda name: progress.report("checking the delivery", name),
    )


@errors_without_values()
def build_warehouse(settings: Settings) -> list[NodeResult]:
    """Build everything from staging to findings from the accepted rows, with dbt's tests and the declared keys.

    What is kept from run to run is continued by what is new, unless more than that changed.
    """
    with build_connection(settings.paths.build_file) as connection:
        context = read_context(connection)
        plan = open_plan(connection, context)
    results = run_dbt(
        settings.paths.build_file,
        "build",
        artefacts=settings.paths.dbt_artefacts,
        exclude=(INTEGRITY_MODELS,),
        full_refresh=plan.is_whole,
        on_node=lambda name: progress.report("building", name),
    )
    with build_connection(settings.paths.build_file) as connection:
        built = {result.unique_id for result in results}
        declared = declared_keys(manifest_as_json())
        require_keys(connection, [key for key in declared if key.schema in _KEYS_OF and key.node in built])
        close_plan(connection, context)
    return results


@errors_without_values()
def judge_delivery(settings: Settings) -> GateResult:
    """The entry gate. If it refuses the delivery, what was found is published at once, beside the last good marts."""
    progress.report("entry gate", "expectations on what was delivered")
    result = entry_gate(settings.paths)
    if result.verdict.status is ExitStatus.FAILED_INTEGRITY:
        publish_audit_only(settings)
        settle()
    return result


@errors_without_values()
def judge_warehouse(settings: Settings) -> GateResult:
    """The exit gate."""
    progress.report("exit gate", "expectations on what leaves")
    return exit_gate(settings.paths)


def _snapshot_name(paths: WarehousePaths) -> str:
    run = context_of(paths)
    return f"{run.calendar_last_date}_{run.run_id}"


@errors_without_values()
def publish_run(settings: Settings) -> Publication:
    """Publish marts and audit as they were just built and judged."""
    paths = settings.paths
    progress.report("publishing", paths.published_file.name)
    sources = [Source("marts", paths.build_file), Source("audit", paths.build_file)]
    return publish(paths, sources, name=_snapshot_name(paths), kept=settings.snapshots_kept)


def publish_audit_only(settings: Settings) -> Publication:
    """Publish the audit as it is now with the marts as they were last published, if they ever were."""
    paths = settings.paths
    progress.report("publishing", "audit only")
    sources = [Source("audit", paths.build_file)]
    if paths.published_file.exists():
        sources.insert(0, Source("marts", paths.published_file.resolve()))
    return publish(paths, sources, name=_snapshot_name(paths), kept=settings.snapshots_kept)


def record_failure(settings: Settings, run_id: str, message: str) -> None:
    """Record that a run ended by an error, whatever its gates had said."""
    with build_connection(settings.paths.build_file) as connection:
        close_run(connection, run_id, ExitStatus.ERROR, message)


@errors_without_values()
def accepted_row_counts(settings: Settings) -> dict[str, int]:
    """Rows accepted so far, by table of the contract."""
    with build_connection(settings.paths.build_file) as connection:
        counts = " union all ".join(f"select '{table.name}', count(*) from raw.{table.name}" for table in TABLES)
        return dict(connection.execute(counts).fetchall())


@errors_without_values()
def verdict_of_run(settings: Settings) -> Verdict:
    """What the standing findings say of the run under way, once all that shows them has been written."""
    settle()
    with build_connection(settings.paths.build_file) as connection:
        return final_verdict(connection, read_context(connection))
