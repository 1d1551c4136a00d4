"""The keys that models declare, looked at without dbt.

What belongs here: reading the declarations and asking whether they hold. What doesn't: the declarations themselves,
dbt's tests ``unique`` and ``unique_combination`` beside the models. dbt takes some fifty milliseconds for each of them,
DuckDB one; on small books that is a sixth of a build.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from orchestration.sql import identifier
from orchestration.warehouse.dbt import KEY_TESTS, DbtError


@dataclass(frozen=True, slots=True)
class Key:
    """Columns that no two rows of a relation share the values of, rows with nulls included if ``counts_nulls``.

    ``node`` is dbt's name of the relation.
    """

    node: str
    schema: str
    relation: str
    columns: tuple[str, ...]
    counts_nulls: bool

    def __str__(self) -> str:
        return f"{self.schema}.{self.relation} ({', '.join(self.columns)})"

    def repeated(self) -> str:
        """A query that counts the values which occur more than once."""
        place = f"{identifier(self.schema)}.{identifier(self.relation)}"
        columns = ", ".join(identifier(column) for column in self.columns)
        rows = place if self.counts_nulls else f"{place} where {columns} is not null"
        return f"select count(*) from (select 1 from {rows} group by {columns} having count(*) > 1)"


def declared_keys(manifest: Mapping[str, Any]) -> list[Key]:
    """All keys that the parsed project declares, in order of their names."""
    nodes = manifest["nodes"]
    tests = [node for node in nodes.values() if (node.get("test_metadata") or {}).get("name") in KEY_TESTS]
    return sorted((_key(test["test_metadata"], nodes[test["attached_node"]]) for test in tests), key=str)


def _key(declaration: Mapping[str, Any], of: Mapping[str, Any]) -> Key:
    values = declaration["kwargs"]
    if declaration["name"] == "unique":
        return Key(of["unique_id"], of["schema"], of["name"], (values["column_name"],), counts_nulls=False)
    return Key(of["unique_id"], of["schema"], of["name"], tuple(values["columns"]), counts_nulls=True)


def require_keys(connection: duckdb.DuckDBPyConnection, keys: Sequence[Key]) -> None:
    """Raise DbtError, naming tables and columns, if a key doesn't hold."""
    counted = [(key, connection.execute(key.repeated()).fetchall()[0][0]) for key in keys]
    broken = [f"{key}: {repeated} values occur more than once" for key, repeated in counted if repeated]
    if broken:
        raise DbtError(f"{len(broken)} of {len(keys)} keys don't hold: {'; '.join(broken[:5])}")
