"""Assets that read the landing zone: the run's context, and one asset for each table of the contract."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import dagster as dg

from orchestration.contract import TABLES, Table, raw_columns
from orchestration.defs.common import (
    DATA_ENGINEERING,
    FINANCIAL_CONTROL,
    RUN_CONTEXT,
    WRITER_POOL,
    Workspace,
    run_days,
)
from orchestration.landing import TableLoad
from orchestration.pipeline.steps import load_incoming, prepare_run

_POLICY_TABLES = {
    "setting": "Scalar settings of the policy in force.",
    "list_item": "Items of the policy's lists and maps.",
    "check_setting": "Severity of each check in force, and whether it is enabled.",
}
_PLAN_TABLES = {
    "build_plan": "Whether the marts of the run before are continued; decided when the delivery was accepted.",
    "built_asset_day": "What assets were worth when those marts were built.",
}


def landing_key(table: Table) -> dg.AssetKey:
    """Key of the files of a table, outside the warehouse."""
    return dg.AssetKey(["landing", table.name])


def incoming_key(table: Table) -> dg.AssetKey:
    """Key of the rows that a run read, before they are accepted."""
    return dg.AssetKey(["incoming", table.name])


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns with types and descriptions, from the contract."""
    descriptions = {column.name: column.description for column in table.columns}
    return dg.TableSchema(
        columns=[dg.TableColumn(name, type_, description=descriptions.get(name)) for name, type_ in raw_columns(table)]
    )


def landing_specs(delivered: Mapping[str, Sequence[dg.AssetKey]]) -> list[dg.AssetSpec]:
    """The landing zone's tables: made of what the configured sources ``delivered`` of them, or by others."""
    return [
        dg.AssetSpec(
            landing_key(table),
            deps=delivered.get(table.name, ()),
            group_name="landing",
            description=f"{table.description} As delivered.",
            kinds={"file"},
            owners=[DATA_ENGINEERING],
        )
        for table in TABLES
    ]


def context_asset(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The asset that opens a run."""
    context_spec = dg.AssetSpec(
        RUN_CONTEXT, group_name="run", description="Dates and knowledge time of the run.", owners=[DATA_ENGINEERING]
    )
    specs = [context_spec] + [
        dg.AssetSpec(dg.AssetKey(["policy", name]), group_name="run", description=description, owners=[owner])
        for tables, owner in ((_POLICY_TABLES, FINANCIAL_CONTROL), (_PLAN_TABLES, DATA_ENGINEERING))
        for name, description in tables.items()
    ]

    @dg.multi_asset(
        name="open_run",
        specs=specs,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool=WRITER_POOL,
    )
    def open_run(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        first_date, last_date = run_days(context)
        run = prepare_run(workspace.settings, context.run.run_id, first_date, last_date)
        metadata = {
            "first_date": str(run.first_date),
            "last_date": str(run.last_date),
            "knowledge_at": str(run.knowledge_at),
            "calendar": f"{run.landing_first_date} to {run.calendar_last_date}",
        }
        for spec in specs:
            yield dg.MaterializeResult(spec.key, metadata=metadata if spec.key == RUN_CONTEXT else None)

    return open_run


def _metadata_of(load: TableLoad) -> dict[str, int | str]:
    return {
        "dagster/row_count": load.rows,
        "bytes": load.bytes,
        "files": load.files,
        "partitions": load.partitions,
        "files_gone": load.gone_files,
        "problems": load.issues,
        "left_out": "; ".join(load.notices) or "nothing",
    }


def ingest_tables(
    name: str, tables: Sequence[Table], partitions: dg.PartitionsDefinition | None
) -> dg.AssetsDefinition:
    """The assets that read these tables' new and changed partitions.

    They share a step: one for each table would take longer than reading the tables of a small day.
    """

    @dg.multi_asset(
        name=name,
        specs=[
            dg.AssetSpec(
                incoming_key(table),
                deps=[landing_key(table), RUN_CONTEXT],
                group_name="ingest",
                description=f"{table.description} Rows of new and changed partitions, not yet accepted.",
                kinds={"python", "duckdb"},
                owners=[DATA_ENGINEERING],
                metadata={"dagster/column_schema": column_schema(table)},
            )
            for table in tables
        ],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
        # Files and object stores fail in passing; nothing after ingestion does.
        retry_policy=dg.RetryPolicy(
            max_retries=3, delay=1, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS
        ),
        pool=WRITER_POOL,
    )
    def ingest(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        with closing(load_incoming(workspace.settings, tables)) as loads:
            for table, load in zip(tables, loads, strict=True):
                for notice in load.notices:
                    context.log.warning(notice)
                yield dg.MaterializeResult(incoming_key(table), metadata=_metadata_of(load))

    return ingest


def ingest_assets(partitions: dg.PartitionsDefinition) -> Sequence[dg.AssetsDefinition]:
    """The run's context and all ingest assets."""
    dated = [table for table in TABLES if table.dated]
    reference = [table for table in TABLES if not table.dated]
    return [
        context_asset(partitions),
        # Reference tables have no day: each delivery holds all of them.
        ingest_tables("read_reference_tables", reference, None),
        ingest_tables("read_dated_tables", dated, partitions),
    ]
