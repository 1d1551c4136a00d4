"""The dbt project as plain SQL: every model as dbt compiled it, for building a warehouse a statement a model.

What belongs here: compiling once per state of the project, and building models on an open connection. It is some ten
times faster than dbt on small books, which benchmarks and tests build by the hundred. What only dbt does (contracts,
comments, its tests) is left out, so the job itself never builds this way.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from orchestration.settings import BUILD_FILE_NAME, DBT_PROJECT
from orchestration.sql import quoted
from orchestration.warehouse.dbt import compile_nodes, prepare_project

DATABASE = Path(BUILD_FILE_NAME).stem
"""Name of the database that the compiled SQL speaks of: that of a build file."""

_COMPILED_FILE = "compiled_models.json"


@dataclass(frozen=True, slots=True)
class CompiledModel:
    """One model or seed. ``kind`` is table or view; ``sql`` of a seed reads its file.

    A model that is kept from run to run has two statements more: ``continued_sql`` gives the rows that are added, and
    ``forgets`` is the condition on rows built before that they take the place of (``added`` being the new rows).
    """

    name: str
    schema: str
    kind: str
    sql: str
    parents: tuple[str, ...]
    continued_sql: str | None = None
    forgets: str | None = None

    @property
    def place(self) -> str:
        """The relation's name with its schema."""
        return f"{self.schema}.{self.name}"


@cache
def compiled_project() -> dict[str, CompiledModel]:
    """All models and seeds by name, parents before children; compiled once per state of the project's files."""
    file = prepare_project() / _COMPILED_FILE
    if file.exists():
        rows = json.loads(file.read_text("utf-8"))
        models = [CompiledModel(**{**row, "parents": tuple(row["parents"])}) for row in rows]
    else:
        models = _compile()
        with suppress(PermissionError):  # who installed the project is somebody else: it is compiled each time
            _keep(file, json.dumps([asdict(model) for model in models]))
    return {model.name: model for model in models}


def _keep(file: Path, content: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".tmp", delete=False, encoding="utf-8") as scratch:
        scratch.write(content)
    Path(scratch.name).replace(file)


def _compile() -> list[CompiledModel]:
    # Compiling again changes the nodes that were compiled before, so what is wanted of them is taken in between.
    continued = {key: node.compiled_code for key, node in compile_nodes(is_continued=True).items()}
    nodes = compile_nodes()
    order = TopologicalSorter(
        {key: [parent for parent in node.depends_on_nodes if parent in nodes] for key, node in nodes.items()}
    )
    return [_compiled(nodes[key], nodes, continued[key]) for key in order.static_order()]


def _compiled(node: Any, nodes: Mapping[str, Any], continued_sql: str) -> CompiledModel:
    if str(node.resource_type) == "seed":
        types = ", ".join(f"'{name}': '{type_}'" for name, type_ in node.config.column_types.items())
        file = DBT_PROJECT / node.original_file_path
        sql = f"select * from read_csv({quoted(str(file))}, types = {{{types}}})"
        return CompiledModel(node.name, node.schema, "table", sql, ())
    parents = tuple(nodes[key].name for key in node.depends_on_nodes if key in nodes)
    kind = "view" if node.config.materialized == "view" else "table"
    model = CompiledModel(node.name, node.schema, kind, node.compiled_code, parents)
    if node.config.materialized != "incremental":
        return model
    return replace(model, continued_sql=continued_sql, forgets=_forgets(node, nodes))


def _forgets(node: Any, nodes: Mapping[str, Any]) -> str:
    """What the node's incremental strategy deletes: see ``dbt_project/macros/continued.sql``."""
    if node.config.incremental_strategy == "recompute_from":
        limit = node.config.meta["recomputed_from"]
        scope = next(parent for parent in nodes.values() if parent.name == limit["scope"])
        return f"{limit['key']} >= (select {limit['column']} from {scope.schema}.{scope.name})"
    if node.config.incremental_strategy == "recompute_touched":
        limit = node.config.meta["recomputed_for"]
        touched = next(parent for parent in nodes.values() if parent.name == limit["model"])
        return f"{limit['key']} in (select {limit['column']} from {touched.schema}.{touched.name})"
    keys = [node.config.unique_key] if isinstance(node.config.unique_key, str) else node.config.unique_key
    columns = ", ".join(keys)
    return f"({columns}) in (select ({columns}) from added)"


def with_parents(names: Sequence[str]) -> list[CompiledModel]:
    """These models and all they are built from, parents first."""
    project = compiled_project()
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(project[name].parents)
    return [model for name, model in project.items() if name in wanted]


@cache
def _parsed(sql: str) -> duckdb.Statement:
    """The statement, parsed once per process: on small books parsing takes a third of the time of building."""
    return duckdb.extract_statements(sql)[0]


def build_models(
    connection: duckdb.DuckDBPyConnection,
    names: Sequence[str],
    *,
    is_whole: bool = True,
    only: Collection[str] | None = None,
) -> None:
    """Build these models and all they are built from (of those ``only`` some, if given), in place of what was built.

    Unless ``is_whole``, what is kept from run to run is continued (``policy.build_plan`` must say so too).
    """
    models = [model for model in with_parents(names) if only is None or model.name in only]

    def execute(sql: str) -> None:
        connection.execute(_parsed(sql))

    for schema in sorted({model.schema for model in models}):
        connection.execute(f"create schema if not exists {schema}")
    for model in models:
        if is_whole or model.continued_sql is None:
            execute(f"create or replace {model.kind} {model.place} as {model.sql}")
        else:
            execute(f"create or replace temp table added as {model.continued_sql}")
            execute(f"delete from {model.place} where {model.forgets}")
            execute(f"insert into {model.place} by name from added")
