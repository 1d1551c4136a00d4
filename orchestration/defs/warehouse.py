"""Assets of the dbt project: the integrity findings before the entry gate, everything else behind it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets

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


class WarehouseTranslator(DagsterDbtTranslator):
    """dbt nodes as assets: keys are schema and table, groups are domains."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Schema and table, as in the database."""
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The layer, or for intermediate models their domain, or for findings their kind."""
        folders = dbt_resource_props["fqn"][1:-1]
        if dbt_resource_props["resource_type"] != "model" or not folders:
            return "seeds"
        if folders[0] == "findings":
            return "_".join(folders)
        return str(folders[0] if folders[0] in _UNGROUPED_FOLDERS else folders[-1])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        """The owner of the node's dbt group; seeds, which have none, are data engineering's."""
        return super().get_owners(dbt_resource_props) or [DATA_ENGINEERING]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        """The model's description, without its SQL."""
        return str(dbt_resource_props.get("description") or "")

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """The spec, with integrity findings before the entry gate.

        They compare a delivery with rows accepted by earlier runs. The graph shows one run, in which ``raw`` comes
        after the gate, so only what was delivered is upstream of them.
        """
        spec = super().get_asset_spec(manifest, unique_id, project)
        if "/integrity/" not in self.get_resource_props(manifest, unique_id)["original_file_path"]:
            return spec
        return spec.replace_attributes(deps=_INCOMING_KEYS)


def _metadata(node: NodeResult, facts: TableFacts | None) -> dict[str, Any]:
    metadata: dict[str, Any] = {"seconds": node.seconds}
    if facts is not None:
        columns = [dg.TableColumn(name, type_, description=text) for name, type_, text in facts.columns]
        metadata["dagster/column_schema"] = dg.TableSchema(columns=columns)
        if facts.rows is not None:
            metadata["dagster/row_count"] = facts.rows
    return metadata


def _materializations(settings: Settings, nodes: Sequence[NodeResult]) -> Iterator[dg.MaterializeResult]:
    manifest, translator = manifest_as_json()["nodes"], WarehouseTranslator()
    built = [(node, manifest[node.unique_id]) for node in nodes if node.resource_type in ("model", "seed")]
    with build_connection(settings.paths.build_file) as connection:
        facts = table_facts(connection, {properties["schema"] for _, properties in built})
    for node, properties in built:
        key = translator.get_asset_key(properties)
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

    @dbt_assets(
        manifest=manifest_as_json(),
        name="integrity_findings",
        select=steps.INTEGRITY_MODELS,
        exclude="resource_type:test resource_type:unit_test",
        dagster_dbt_translator=WarehouseTranslator(),
        pool=WRITER_POOL,
    )
    def integrity_findings(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        yield from _build(context, workspace, steps.build_integrity_findings)

    # A failed dbt test fails the step, so tests are no asset checks of their own: those are the catalogue's.
    @dbt_assets(
        manifest=manifest_as_json(),
        name="warehouse",
        exclude=f"{steps.INTEGRITY_MODELS} resource_type:test resource_type:unit_test",
        dagster_dbt_translator=WarehouseTranslator(),
        pool=WRITER_POOL,
    )
    def warehouse(context: dg.AssetExecutionContext, workspace: Workspace) -> Iterator[dg.MaterializeResult]:
        yield from _build(context, workspace, steps.build_warehouse)

    return [integrity_findings, warehouse]
