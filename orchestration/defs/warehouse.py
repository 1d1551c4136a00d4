"""Assets of the dbt project: the integrity findings before the entry gate, everything else behind it.

The few attributes that an asset takes from a dbt node are read from the manifest here; the package that does it in
general takes longer to import than the whole graph to build.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from orchestration.contract import TABLES
from orchestration.defs.common import DATA_ENGINEERING, WRITER_POOL, Workspace
from orchestration.defs.ingest import incoming_key
from orchestration.pipeline import steps
from orchestration.settings import Settings
from orchestration.warehouse.build_file import build_connection
from orchestration.warehouse.catalog import TableFacts, table_facts
from orchestration.warehouse.dbt import NodeResult, manifest_as_json

_INCOMING_KEYS = [incoming_key(table) for table in TABLES]
_UNGROUPED_FOLDERS = ("staging", "marts")

Node = Mapping[str, Any]
"""A node or source of dbt's manifest."""


def _key(node: Node) -> dg.AssetKey:
    """Schema and table, as in the database."""
    return dg.AssetKey([node["schema"], node["name"]])


def _group(node: Node) -> str:
    """The layer, or for intermediate models their domain, or for findings their kind."""
    folders = node["fqn"][1:-1]
    if node["resource_type"] != "model" or not folders:
        return "seeds"
    if folders[0] == "findings":
        return "_".join(folders)
    return str(folders[0] if folders[0] in _UNGROUPED_FOLDERS else folders[-1])


def _owners(node: Node, manifest: Node) -> list[str]:
    """The owner of the node's dbt group; seeds without one are data engineering's."""
    group = manifest["groups"].get(f"group.{node['package_name']}.{node.get('group')}")
    return [group["owner"]["email"]] if group is not None else [DATA_ENGINEERING]


def _column_schema(node: Node) -> dg.TableSchema:
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name, column.get("data_type") or "?", description=column.get("description"))
            for name, column in node["columns"].items()
        ]
    )


def _is_integrity_finding(node: Node) -> bool:
    return "/integrity/" in node["original_file_path"]


def _deps(node: Node, manifest: Node) -> Sequence[dg.AssetKey]:
    """What the node reads; for integrity findings, what was delivered.

    They compare a delivery with rows accepted by earlier runs. The graph shows one run, in which ``raw`` comes after
    the gate, so only what was delivered is upstream of them. Nor does it show what earlier runs said, which
    restatements are compared with.
    """
    if _is_integrity_finding(node):
        return _INCOMING_KEYS
    names = node["depends_on"].get("nodes", [])
    parents = (manifest["nodes"].get(name) or manifest["sources"][name] for name in names)
    return [_key(parent) for parent in parents if parent["schema"] != "audit"]


def _spec(node: Node, manifest: Node) -> dg.AssetSpec:
    return dg.AssetSpec(
        _key(node),
        deps=_deps(node, manifest),
        description=node["description"],
        group_name=_group(node),
        owners=_owners(node, manifest),
        kinds={"dbt", "duckdb"},
        skippable=True,
        code_version=hashlib.sha256(node.get("raw_code", "").encode()).hexdigest(),
        metadata={"dagster/column_schema": _column_schema(node), "materialization": node["config"]["materialized"]},
    )


def _built_nodes() -> list[Node]:
    return [node for node in manifest_as_json()["nodes"].values() if node["resource_type"] in ("model", "seed")]


def _metadata(node: NodeResult, facts: TableFacts | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"seconds": node.seconds}
    if facts is not None:
        columns = [dg.TableColumn(name, type_, description=text) for name, type_, text in facts.columns]
        metadata["dagster/column_schema"] = dg.TableSchema(columns=columns)
        if facts.rows is not None:
            metadata["dagster/row_count"] = facts.rows
    return metadata


def _materializations(settings: Settings, nodes: Sequence[NodeResult]) -> Iterator[dg.MaterializeResult]:
    manifest = manifest_as_json()["nodes"]
    built = [(node, manifest[node.unique_id]) for node in nodes if node.resource_type in ("model", "seed")]
    with build_connection(settings.paths.build_file) as connection:
        facts = table_facts(connection, {properties["schema"] for _, properties in built})
    for node, properties in built:
        key = _key(properties)
        yield dg.MaterializeResult(key, metadata=_metadata(node, facts.get((key.path[0], key.path[1]))))


def _build(
    context: dg.AssetExecutionContext, workspace: Workspace, build: Callable[[Settings], list[NodeResult]]
) -> Iterator[dg.MaterializeResult]:
    nodes = build(workspace.settings)
    tests = [node for node in nodes if node.resource_type == "test"]
    context.log.info(f"{len(nodes) - len(tests)} models built, {len(tests)} tests passed")
    selected = context.selected_asset_keys
    yield from (result for result in _materializations(workspace.settings, nodes) if result.asset_key in selected)


def warehouse_assets() -> list[dg.AssetsDefinition]:
    """The two multi-assets of the dbt project."""
    manifest = manifest_as_json()
    integrity = [_spec(node, manifest) for node in _built_nodes() if _is_integrity_finding(node)]
    others = [_spec(node, manifest) for node in _built_nodes() if not _is_integrity_finding(node)]

    @dg.multi_asset(name="integrity_findings", specs=integrity, can_subset=True, pool=WRITER_POOL)
    def integrity_findings(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        yield from _build(context, workspace, steps.build_integrity_findings)

    # A failed dbt test fails the step, so tests are no asset checks of their own: those are the catalogue's.
    @dg.multi_asset(name="warehouse", specs=others, can_subset=True, pool=WRITER_POOL)
    def warehouse(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        yield from _build(context, workspace, steps.build_warehouse)

    return [integrity_findings, warehouse]
