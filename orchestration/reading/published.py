"""Read-only connections to the analysts' file.

What belongs here: opening it so that nothing can be changed or reached through it. What doesn't: queries.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from orchestration.errors import ConfigurationError
from orchestration.reading.query_errors import explained
from orchestration.settings import WarehousePaths

_Result = TypeVar("_Result")


class QueryError(ConfigurationError):
    """The SQL given can't be run."""


@dataclass(frozen=True, slots=True)
class Rows:
    """A result: column names, and values as Python objects; decimals stay Decimal."""

    columns: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]


_CONFINED = (
    "set autoinstall_known_extensions = false",
    "set autoload_known_extensions = false",
    "set allow_community_extensions = false",
    "set python_enable_replacements = false",
    "set enable_external_access = false",
    "set lock_configuration = true",
)
"""No other file, no network, no extension, no variable of the Python around it; and none of that can be undone."""


def open_published(warehouse: Path | str) -> duckdb.DuckDBPyConnection:
    """A connection for analysts, who close it: it reads what a warehouse has published, and nothing else.

    Raises ConfigurationError if nothing was published in the folder yet.
    """
    paths = WarehousePaths(Path(warehouse))
    require_published(paths)
    try:
        connection = duckdb.connect(str(paths.published_file), read_only=True)
    except duckdb.Error as error:
        raise ConfigurationError(f"{paths.published_file} can't be opened: {first_line(error)}") from error
    try:
        _confine(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _confine(connection: duckdb.DuckDBPyConnection) -> None:
    """Connections of one process to one file share their settings: another one, of another thread, may be faster."""
    for statement in _CONFINED:
        try:
            connection.execute(statement)
        except duckdb.InvalidInputException:
            if connection.execute("select current_setting('lock_configuration')").fetchall() != [(True,)]:
                raise


@contextmanager
def published_connection(paths: WarehousePaths) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that can read the published file and nothing else.

    Raises ConfigurationError if nothing was published in the folder yet.
    """
    connection = open_published(paths.root)
    try:
        yield connection
    finally:
        connection.close()


def require_published(paths: WarehousePaths) -> None:
    """Raise ConfigurationError if nothing was published in the folder yet."""
    if not paths.published_file.exists():
        raise ConfigurationError(
            f"no warehouse in {paths.root}: there is no {paths.published_file.name} yet; publish one with"
            f" 'ringfence run --landing DIR --warehouse {paths.root} --date YYYY-MM-DD'"
        )


def first_line(error: Exception) -> str:
    """The first line of an error's text."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


Parameters = Sequence[object] | Mapping[str, object]
"""Values of a statement's ``?``, or of its ``$name``."""


def fetch(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters = ()) -> Rows:
    """Run one statement and return its result. Raises QueryError, in one line, if it can't be run."""
    return fetch_some(connection, sql, None, parameters)[0]


def fetch_some(
    connection: duckdb.DuckDBPyConnection, sql: str, limit: int | None, parameters: Parameters = ()
) -> tuple[Rows, bool]:
    """Run one statement; return its first rows, or all of them, and whether there are more.

    Raises QueryError, in one line, if it can't be run. Ctrl-C stops it, and nothing else.
    """
    try:
        statement = one_statement(connection, sql)
        given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        cursor = interruptible(connection, lambda: connection.execute(statement, given))
        columns = tuple(column[0] for column in cursor.description or ())
        values = cursor.fetchall() if limit is None else cursor.fetchmany(limit + 1)
    except duckdb.Error as error:
        raise query_error(connection, error, sql) from error
    return Rows(columns, tuple(values[:limit])), limit is not None and len(values) > limit


def one_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """The statement that the text is; raise QueryError if it isn't one, and duckdb.Error if it is none."""
    statement = sql.lstrip()
    statements = len(connection.extract_statements(statement))
    if statements != 1:
        raise QueryError(f"the query can't be run: it holds {statements} SQL statements; give one")
    return statement


def query_error(connection: duckdb.DuckDBPyConnection, error: duckdb.Error, sql: str) -> QueryError:
    """What is wrong with a query, where, and what could be meant."""
    tables = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables order by 1"
    ).fetchall()
    return QueryError(f"the query can't be run: {explained(error, sql, [name for (name,) in tables])}")


def interruptible(connection: duckdb.DuckDBPyConnection, work: Callable[[], _Result]) -> _Result:
    """Do work of the connection such that Ctrl-C stops it at once: while DuckDB works, it hears of no signal."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    with ThreadPoolExecutor(1) as worker:
        result = worker.submit(work)
        try:
            while not result.done():
                wait([result], timeout=0.1)  # a signal that another thread was given is seen by one that wakes up
            return result.result()
        except KeyboardInterrupt:
            while not result.done():
                connection.interrupt()  # is forgotten by a query that is about to begin
                wait([result], timeout=0.05)
            raise
        finally:
            del result  # it holds an error that refers to this frame; a cycle would keep the file open


def fetch_rows(connection: duckdb.DuckDBPyConnection, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]:
    """Run one statement and return its rows by column name. Raises QueryError, in one line, if it can't be run."""
    result = fetch(connection, sql, parameters)
    return [dict(zip(result.columns, values, strict=True)) for values in result.values]


def has_table(connection: duckdb.DuckDBPyConnection, schema: str, table: str) -> bool:
    """Whether the published file holds that table."""
    return bool(
        connection.execute(
            "select count(*) from information_schema.tables where table_schema = ? and table_name = ?", [schema, table]
        ).fetchall()[0][0]
    )
