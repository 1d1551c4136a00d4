"""Bringing tables of a lake to what a published file holds, by days: what is the same stays as it is.

What belongs here: definitions, contents and their differences. What doesn't: transactions, and which file is published.

A table is compared and replaced by its first column of type DATE, the day (or month) that its rows are about; a table
without one is compared and replaced as a whole. Contents are equal if, day by day, the rows' count and the sum of their
hashes are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import duckdb

from orchestration.errors import RingfenceError
from orchestration.sql import identifier, quoted


class LakeError(RingfenceError):
    """What was written isn't what was published; nothing of it was committed."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column as both databases describe it."""

    name: str
    data_type: str
    is_nullable: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A table's definition. A lake keeps neither keys nor checks: the published file was made under them."""

    schema: str
    name: str
    columns: tuple[Column, ...]

    @property
    def place(self) -> str:
        """Its name within a database."""
        return f"{identifier(self.schema)}.{identifier(self.name)}"

    @property
    def day(self) -> str:
        """The column that says which day a row is about, or a constant."""
        return next((identifier(c.name) for c in self.columns if c.data_type == "DATE"), "cast(null as date)")

    @property
    def definition(self) -> str:
        """Its columns, as CREATE TABLE takes them."""
        return ", ".join(
            f"{identifier(c.name)} {c.data_type}{'' if c.is_nullable else ' not null'}" for c in self.columns
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to a table: rows written, and whether it is there anew or gone."""

    table: str
    rows: int


def tables(connection: duckdb.DuckDBPyConnection, database: str, schemas: Iterable[str]) -> dict[str, Table]:
    """The tables of these schemas, and what views give, by their place, in its order."""
    rows = connection.execute(
        "select schema_name, table_name, column_name, data_type, is_nullable from duckdb_columns()"
        " where database_name = ? and schema_name in (select unnest(?)) order by schema_name, table_name, column_index",
        [database, list(schemas)],
    ).fetchall()
    columns: dict[tuple[str, str], list[Column]] = {}
    for schema, table, *column in rows:
        columns.setdefault((schema, table), []).append(Column(*column))
    found = [Table(schema, table, tuple(of_table)) for (schema, table), of_table in columns.items()]
    return {table.place: table for table in found}


def bring_up_to_date(connection: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> list[Change]:
    """Make the schemas' tables in ``lake`` what they are in ``source``; return what had to change.

    Call it in a transaction. Raises LakeError if a table's content differs after it was written.
    """
    published, kept = tables(connection, "source", schemas), tables(connection, "lake", schemas)
    changes = []
    for schema in schemas:
        connection.execute(f"create schema if not exists lake.{identifier(schema)}")
    for place in kept.keys() - published.keys():
        connection.execute(f"drop table lake.{place}")
        changes.append(Change(place, 0))
    for place, table in published.items():
        is_new = kept.get(place) != table
        if is_new:
            connection.execute(f"drop table if exists lake.{place}")
            connection.execute(f"create table lake.{place} ({table.definition})")
        days = _different_days(connection, table)
        if is_new or days:
            changes.append(Change(place, _replace(connection, table, days)))
    _describe(connection, schemas)
    return changes


def _different_days(connection: duckdb.DuckDBPyConnection, table: Table) -> list[date | None]:
    """Days whose rows differ between source and lake; null stands for rows without a day."""
    content = (
        f"select {table.day} as day, count(*) as rows, sum(cast(hash(content) as hugeint)) as digest"
        " from {database}." + table.place + " as content group by all"
    )
    source, lake = content.format(database="source"), content.format(database="lake")
    rows = connection.execute(
        f"with source_day as ({source}), lake_day as ({lake})"
        " select distinct day"
        " from ((from source_day except from lake_day) union (from lake_day except from source_day)) order by day"
    ).fetchall()
    return [row[0] for row in rows]


def _replace(connection: duckdb.DuckDBPyConnection, table: Table, days: list[date | None]) -> int:
    """Write these days of the table anew; return the rows written."""
    chosen = f"({table.day} in (select unnest(cast(? as date[])))" + (
        f" or {table.day} is null)" if None in days else ")"
    )
    parameters = [[day for day in days if day is not None]]
    connection.execute(f"delete from lake.{table.place} where {chosen}", parameters)
    written = connection.execute(
        f"insert into lake.{table.place} from source.{table.place} where {chosen} order by {table.day}", parameters
    ).fetchall()[0][0]
    if _different_days(connection, table):
        raise LakeError(f"{table.place}: what was written differs from what was published; the lake stays as it was")
    return int(written)


def _describe(connection: duckdb.DuckDBPyConnection, schemas: tuple[str, ...]) -> None:
    """Give tables and columns the comments that they have in ``source``."""
    comments = (
        "select schema_name, table_name, {column} as column_name, comment from {function}() where database_name = ?"
        " and schema_name in (select unnest(?)) and comment is not null"
    )
    both = " union all ".join(
        (
            comments.format(column="cast(null as varchar)", function="duckdb_tables"),
            comments.format(column="column_name", function="duckdb_columns"),
        )
    )
    differing = connection.execute(
        f"{both} except ({both}) order by all",
        [value for database in ("source", "lake") for value in (database, list(schemas)) * 2],
    ).fetchall()
    for schema, table, column, comment in differing:
        place = f"lake.{identifier(schema)}.{identifier(table)}"
        kind, subject = ("table", place) if column is None else ("column", f"{place}.{identifier(column)}")
        connection.execute(f"comment on {kind} {subject} is {quoted(comment)}")
