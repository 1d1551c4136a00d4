"""A connector's rows as a Parquet file of the contract, by the casts of the landing zone's reader; doubt stops them.

What belongs here: casting, refusing, writing. What doesn't: where files lie (``delivery``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.connectors.errors import AnswerError, SourceError
from orchestration.contract import Column, Table
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.keyed_hashes import process_hashing
from orchestration.landing.casts import Cast, cast_for, create_cast_macros
from orchestration.sql import identifier, quoted

_PARQUET = "(format parquet, compression zstd)"
_LONGEST_LINE = 600
_MARKED = re.compile("⟦([0-9A-F]*)⟧")
_AMOUNT = re.compile(r"[+-]?[0-9]{1,3}([0-9,]*\.[0-9]+([eE][+-]?[0-9]+)?|[eE][+-]?[0-9]+)")


_idle: list[duckdb.DuckDBPyConnection] = []
"""Databases that nobody works in: to open one and teach it the casts takes longer than most tables of a day."""


@contextmanager
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty in-memory database with the casts, in UTC, that keeps rows in order; nobody else's for this while."""
    database = _idle.pop() if _idle else _opened()
    try:
        yield database
    except BaseException:
        database.close()  # whatever was under way in it
        raise
    _empty(database)
    _idle.append(database)


def _opened() -> duckdb.DuckDBPyConnection:
    opened = duckdb.connect()
    # Arrow hands its batches to several threads as they come, and rows would be written in another order each time.
    opened.execute("set threads = 1")
    opened.execute("set TimeZone = 'UTC'")
    opened.execute("set preserve_insertion_order = true")
    opened.execute("set enable_progress_bar = false")  # it would be printed among what a command says
    create_cast_macros(opened)
    return opened


def _empty(database: duckdb.DuckDBPyConnection) -> None:
    """Drop what was created or registered in it; the casts stay."""
    kinds = (("view", "duckdb_views() where not internal"), ("table", "duckdb_tables()"))
    for kind, catalogue in kinds:
        for (name,) in database.execute(f"select {kind}_name from {catalogue}").fetchall():
            database.execute(f"drop {kind} if exists {identifier(name)}")


def write_rows(table: Table, rows: pa.Table | pa.RecordBatchReader, path: Path) -> int:
    """Write rows as the contract's columns and types; return how many.

    Raises AnswerError, naming row, column and value, for a value that the contract can't hold exactly, for a column it
    doesn't know, and for one that it requires and that is missing; ConfigurationError if the file can't be written; and
    the SourceError that reading ``rows`` raised. The file is then incomplete and must not be used.
    """
    failure: list[SourceError] = []
    with connection() as database:
        database.register("delivered", _guarded(rows, failure) if isinstance(rows, pa.RecordBatchReader) else rows)
        types = {name: str(type_) for name, type_, *_ in database.execute("describe delivered").fetchall()}
        if unknown := sorted(set(types) - set(table.column_names)):
            raise AnswerError(f"{table.name} has no column {unknown[0]}", "mend the mapping of this source")
        names = [f"coalesce(cast({identifier(name)} as varchar), '')" for name in table.key if name in types]
        row = "'row ' || " + marked(" || '|' || ".join(names) or quoted("?"))
        delivered = {name: (identifier(name), type_) for name, type_ in types.items()}
        query = strict_query(table, delivered, row, "delivered")
        try:
            database.execute(f"copy ({query}) to {quoted(str(path))} {_PARQUET}")
        except duckdb.Error as error:
            raise failure[0] if failure else _refused(table, error) from error
    return int(pq.read_metadata(path).num_rows)


def _guarded(rows: pa.RecordBatchReader, failure: list[SourceError]) -> pa.RecordBatchReader:
    """The same batches; what the source raises while they are read is kept in ``failure``, since DuckDB rewords it."""

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except SourceError as error:
            failure.append(error)
            raise

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def strict_query(table: Table, delivered: Mapping[str, tuple[str, str]], row: str, relation: str) -> str:
    """A query of the contract's columns that stops at a value that it can't hold, or that is missing.

    ``delivered`` gives SQL and DuckDB type of the columns that ``relation`` has, ``row`` the SQL of a row's name for
    people. Each value is read once and cast once: the engine plans an expression anew wherever it is written.
    """
    known = [column for column in table.columns if column.name in delivered]
    read = "".join(f", {delivered[column.name][0]} as {_read(column)}" for column in known)
    casts = [cast_for(column, _read(column), delivered[column.name][1]) for column in known]
    values = "".join(
        f", {cast.value} as {_value(cast.column)}, {cast.delivered} as {_delivered(cast.column)}" for cast in casts
    )
    by_name = {cast.column.name: cast for cast in casts}
    columns = ", ".join(
        f"{_strict(column, by_name.get(column.name), row)} as {identifier(column.name)}" for column in table.columns
    )
    return f"select {columns} from (select *{values} from (select *{read} from {relation}))"


def _read(column: Column) -> str:
    return identifier(f"source of {column.name}")


def _value(column: Column) -> str:
    return identifier(f"value of {column.name}")


def _delivered(column: Column) -> str:
    return identifier(f"delivered as {column.name}")


def _strict(column: Column, cast: Cast | None, row: str) -> str:
    place = f"{row} || ', {column.name}: '"
    nothing = f"error({place} || 'nothing, and it is required')" if column.required else "null"
    if cast is None:
        return f"cast({nothing} as {column.duckdb_type})"
    value = marked(f"left({cast.shown}, 60)")
    problem = f"error({place} || coalesce({cast.problem}, 'unusable') || ' (' || {value} || ')')"
    return (
        f"cast(case when {_value(column)} is not null then {_value(column)}"
        f" when {_delivered(column)} is not null then {problem} else {nothing} end as {column.duckdb_type})"
    )


def marked(sql: str) -> str:
    """SQL of a value that an error will quote, in a form that ``refusal_of`` finds again whatever the value holds."""
    return f"'⟦' || hex(cast({sql} as varchar)) || '⟧'"


def refusal_of(error: Exception) -> str:
    """What a cast that stopped a statement said in one line: row, column, problem and value.

    A value stands there as a keyed hash, since it may be a customer's, unless it is plainly an amount.
    """
    lines = str(error).strip().splitlines() or [type(error).__name__]
    said = _MARKED.sub(_unnamed, lines[0].removeprefix("Invalid Input Error: "))
    return said[:_LONGEST_LINE]


def _unnamed(found: re.Match[str]) -> str:
    value = bytes.fromhex(found[1]).decode(errors="replace")
    return value if _AMOUNT.fullmatch(value) else f"#{process_hashing().of(value)}"


def _refused(table: Table, error: duckdb.Error) -> RingfenceError:
    line = refusal_of(error)
    if isinstance(error, duckdb.IOException):
        return ConfigurationError(f"{table.name}: {line}; make room or mend the rights there, and pull again")
    return AnswerError(f"{table.name}, {line}", "correct it at the source or in the mapping")


def merge_parts(parts: list[Path], path: Path) -> None:
    """Write the rows of several files into one, in order."""
    with connection() as database:
        listed = "[" + ", ".join(quoted(str(part)) for part in parts) + "]"
        database.execute(f"copy (select * from read_parquet({listed})) to {quoted(str(path))} {_PARQUET}")


def write_news(table: Table, part: Path, delivered: list[Path], path: Path, alike: Sequence[str]) -> int:
    """Write the rows of ``part`` that none of the files ``delivered`` holds, in order of key; return how many.

    A file holds a row if it has one with the same values in the columns ``alike``.
    """
    # A join keeps the few new rows in memory; EXCEPT would keep all that was delivered.
    same = " and ".join(f"part.{identifier(name)} is not distinct from held.{identifier(name)}" for name in alike)
    held = "[" + ", ".join(quoted(str(file)) for file in delivered) + "]"
    known = f" anti join read_parquet({held}) as held on {same}" if delivered else ""
    order = ", ".join(f"part.{identifier(name)}" for name in table.identity)
    with connection() as database:
        database.execute(
            f"copy (select distinct part.* from read_parquet({quoted(str(part))}) as part{known} order by {order})"
            f" to {quoted(str(path))} {_PARQUET}"
        )
    return int(pq.read_metadata(path).num_rows)
