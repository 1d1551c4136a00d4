"""What dbt's documentation page reads: a manifest and a catalog, of this project and a published file.

What belongs here: choosing of the parsed project what readers need, naming databases as readers find them, and adding
the tables that dbt doesn't build. What doesn't: the page (``page``). Nothing here depends on a clock, a machine's paths
or rows of a table, so the same project and the same published tables give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb

from orchestration import audit
from orchestration.sql import identifier
from orchestration.warehouse.catalog import table_facts
from orchestration.warehouse.compiled import CompiledModel

Json = dict[str, Any]

PUBLISHED_SCHEMAS = ("marts", "audit")
PUBLISHED = "ringfence"
"""The published file as a database: what SQL may call it that has opened it."""

_OF_THE_MACHINE = {"build_path", "compiled_path", "created_at", "root_path"}
_SHOWN = ("exposures", "metrics", "semantic_models", "saved_queries", "unit_tests", "functions", "groups")
_OVERVIEW = "doc.ringfence.__overview__"


def shown_manifest(manifest: Mapping[str, Any], compiled: Mapping[str, CompiledModel]) -> Json:
    """The parsed project for readers, with the SQL that its models are built by."""
    shown: Json = {part: _cleaned(manifest.get(part, {})) for part in _SHOWN}
    shown["metadata"] = {
        key: manifest["metadata"][key] for key in ("adapter_type", "dbt_schema_version", "dbt_version")
    }
    shown["metadata"] |= {"project_name": "ringfence", "send_anonymous_usage_stats": False}
    shown["macros"] = _cleaned(_of_the_project(manifest["macros"]))
    shown["nodes"] = {key: _placed(node) for key, node in _cleaned(manifest["nodes"]).items()}
    for node in shown["nodes"].values():
        if node["resource_type"] == "model":
            node["compiled_code"] = compiled[node["name"]].sql
    shown["sources"] = {key: _placed(node) for key, node in _cleaned(manifest["sources"]).items()}
    added = _sources_of_audit(shown["sources"])
    shown["sources"] |= added
    for neighbours in ("parent_map", "child_map"):
        shown[neighbours] = {**manifest[neighbours], **{key: [] for key in added}}
    shown["docs"] = {}
    return shown


def beginning(text: str) -> Json:
    """The page's first text, in Markdown, as the manifest holds it."""
    return {_OVERVIEW: {"name": "__overview__", "package_name": "ringfence", "block_contents": text}}


def shown_catalog(manifest: Mapping[str, Any], connection: duckdb.DuckDBPyConnection) -> Json:
    """Columns of the published tables and views with types and comments, as the published file has them."""
    facts = table_facts(connection, PUBLISHED_SCHEMAS)
    comments = dict(
        connection.execute(
            "select schema_name || '.' || table_name, comment from duckdb_tables()"
            " union all select schema_name || '.' || view_name, comment from duckdb_views()"
        ).fetchall()
    )
    catalog: Json = {"metadata": {}, "nodes": {}, "sources": {}, "errors": None}
    for part, kinds in (("nodes", ("model",)), ("sources", ("source",))):
        for key, node in manifest[part].items():
            table = facts.get((node["schema"], node["name"]))
            if table is None or node["resource_type"] not in kinds:
                continue
            catalog[part][key] = {
                "unique_id": key,
                "metadata": {
                    "type": "view" if table.rows is None else "table",
                    "database": PUBLISHED,
                    "schema": node["schema"],
                    "name": node["name"],
                    "comment": comments.get(f"{node['schema']}.{node['name']}"),
                    "owner": None,
                },
                "columns": {
                    name: {"type": type_, "index": index, "name": name, "comment": comment}
                    for index, (name, type_, comment) in enumerate(table.columns, start=1)
                },
                "stats": {"has_stats": {"id": "has_stats", "label": "", "value": False, "include": False}},
            }
    return catalog


def _of_the_project(macros: Mapping[str, Any]) -> Json:
    return {key: macro for key, macro in macros.items() if macro["package_name"] == "ringfence"}


def _cleaned(nodes: Mapping[str, Any]) -> Json:
    """Without what differs from machine to machine and from one parsing to the next."""
    return {
        key: {name: value for name, value in node.items() if name not in _OF_THE_MACHINE} for key, node in nodes.items()
    }


def _placed(node: Json) -> Json:
    """The node under the name of the database in which readers find it; what isn't published keeps the build file's."""
    if node.get("schema") not in PUBLISHED_SCHEMAS or node["resource_type"] == "test":
        return node
    place = ".".join(identifier(part) for part in (PUBLISHED, node["schema"], node.get("identifier") or node["alias"]))
    return node | {"database": PUBLISHED, "relation_name": place}


def _sources_of_audit(sources: Mapping[str, Any]) -> Json:
    """Tables of schema audit that no model reads, which dbt hence doesn't know."""
    known = {node["name"]: node for node in sources.values() if node["source_name"] == "audit"}
    like = next(iter(known.values()))
    added: Json = {}
    for table in audit.TABLES:
        if table.name in known:
            continue
        key = f"source.ringfence.audit.{table.name}"
        columns = {
            column.name: {"name": column.name, "description": column.description, "data_type": column.type_name}
            for column in table.columns
        }
        added[key] = like | {
            "unique_id": key,
            "name": table.name,
            "identifier": table.name,
            "fqn": [*like["fqn"][:-1], table.name],
            "description": table.description,
            "columns": columns,
            "relation_name": f"{identifier(PUBLISHED)}.{identifier('audit')}.{identifier(table.name)}",
        }
    return added
