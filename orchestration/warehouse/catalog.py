"""What the build file holds: rows and columns of its tables, read in one query each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from orchestration.sql import identifier, quoted


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Size and columns of a relation; views have no row count. Columns are name, type and description."""

    rows: int | None
    columns: tuple[tuple[str, str, str | None], ...]


def table_facts(connection: duckdb.DuckDBPyConnection, schemas: Iterable[str]) -> dict[tuple[str, str], TableFacts]:
    """Facts of every table and view of the schemas, by schema and name."""
    names = ", ".join(quoted(schema) for schema in schemas)
    columns: dict[tuple[str, str], list[tuple[str, str, str | None]]] = {}
    for schema, table, name, type_, comment in connection.execute(
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()"
        f" where schema_name in ({names}) and not internal order by schema_name, table_name, column_index"
    ).fetchall():
        columns.setdefault((schema, table), []).append((name, type_, comment))
    tables = connection.execute(
        f"select schema_name, table_name from duckdb_tables() where schema_name in ({names})"
    ).fetchall()
    counts = [
        f"select {quoted(schema)}, {quoted(table)}, count(*) from {identifier(schema)}.{identifier(table)}"
        for schema, table in tables
    ]
    rows: dict[tuple[str, str], int] = {}
    if counts:
        for schema, table, number in connection.execute(" union all ".join(counts)).fetchall():
            rows[schema, table] = number
    return {key: TableFacts(rows.get(key), tuple(found)) for key, found in columns.items()}
