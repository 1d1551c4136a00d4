"""What can be named in a query, read from the published file itself.

What belongs here: tables, columns, functions, keywords. What doesn't: which of them fit where (``completing``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import duckdb

from orchestration.reading.published import Rows, fetch

SCHEMAS = ("marts", "audit")


@dataclass(frozen=True, slots=True)
class Column:
    """A column and what it means."""

    name: str
    type_name: str
    comment: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view."""

    schema: str
    name: str
    is_view: bool
    comment: str
    columns: tuple[Column, ...]

    @property
    def full_name(self) -> str:
        """The name that a query needs."""
        return f"{self.schema}.{self.name}"

    @property
    def first_sentence(self) -> str:
        """What it is, in short."""
        end = self.comment.find(". ")
        return self.comment if end < 0 else self.comment[: end + 1]


@dataclass(frozen=True)
class Names:
    """All that can be named."""

    relations: tuple[Relation, ...]
    functions: tuple[str, ...]
    keywords: tuple[str, ...]

    @cached_property
    def by_name(self) -> dict[str, Relation]:
        """Relations by their full name and by the short one."""
        return {name: relation for relation in self.relations for name in (relation.name, relation.full_name)}

    @property
    def answers(self) -> tuple[Relation, ...]:
        """Ready-made answers: what in the marts is neither a fact nor a dimension."""
        return tuple(
            relation
            for relation in self.relations
            if relation.schema == "marts" and not relation.name.startswith(("fct_", "dim_"))
        )


def read_names(connection: duckdb.DuckDBPyConnection) -> Names:
    """Read the names of the file that the connection has open."""
    columns: dict[tuple[str, str], list[Column]] = {}
    for schema, table, name, type_name, comment in _columns(connection).values:
        columns.setdefault((schema, table), []).append(Column(name, type_name, (comment or "").strip()))
    relations = tuple(
        Relation(schema, name, is_view, (comment or "").strip(), tuple(columns.get((schema, name), ())))
        for schema, name, is_view, comment in _relations(connection).values
    )
    functions = fetch(
        connection,
        "select distinct function_name from duckdb_functions()"
        " where function_type not in ('pragma') and regexp_full_match(function_name, '[a-z][a-z0-9_]*') order by all",
    )
    keywords = fetch(connection, "select distinct keyword_name from duckdb_keywords() order by all")
    return Names(relations, tuple(name for (name,) in functions.values), tuple(name for (name,) in keywords.values))


def _relations(connection: duckdb.DuckDBPyConnection) -> Rows:
    return fetch(
        connection,
        """
        select schema_name, table_name as name, false as is_view, comment from duckdb_tables()
        where list_contains($1, schema_name)
        union all
        select schema_name, view_name, true, comment from duckdb_views()
        where list_contains($1, schema_name) and not internal
        order by 1 desc, 2
        """,
        [list(SCHEMAS)],
    )


def _columns(connection: duckdb.DuckDBPyConnection) -> Rows:
    return fetch(
        connection,
        "select schema_name, table_name, column_name, data_type, comment from duckdb_columns()"
        " where list_contains($1, schema_name) order by schema_name, table_name, column_index",
        [list(SCHEMAS)],
    )
