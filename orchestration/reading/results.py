"""Results of queries, printed or written to a file.

What belongs here: which format a result takes, and files that are whole or not there. What doesn't: how a format looks
(``output``), Parquet (``parquet``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import duckdb

from orchestration.errors import ConfigurationError
from orchestration.reading.formats import OutputFormat, QueryFormat
from orchestration.reading.output import write_rows
from orchestration.reading.parquet import write_query
from orchestration.reading.published import fetch_some

NULL = "null"
"""What stands for null in a table, where an empty text would look the same otherwise."""

_ENDINGS = {
    ".parquet": QueryFormat.PARQUET,
    ".csv": QueryFormat.CSV,
    ".json": QueryFormat.JSON,
    ".md": QueryFormat.MARKDOWN,
    ".txt": QueryFormat.TABLE,
}


def format_of(asked: QueryFormat | None, out: Path | None) -> QueryFormat:
    """The format asked for, else that of the file's ending, else a table; raise ConfigurationError if none fits."""
    if asked is QueryFormat.PARQUET and out is None:
        raise ConfigurationError("Parquet isn't for terminals; name a file for it with --out FILE.parquet")
    if asked is not None:
        return asked
    if out is None:
        return QueryFormat.TABLE
    if out.suffix.lower() not in _ENDINGS:
        raise ConfigurationError(f"{out} doesn't say its format: let it end in {', '.join(_ENDINGS)}, or give --format")
    return _ENDINGS[out.suffix.lower()]


def print_result(connection: duckdb.DuckDBPyConnection, sql: str, format_: QueryFormat, limit: int | None) -> bool:
    """Print the first rows of a query's result, or all; say whether there are more."""
    rows, is_cut = fetch_some(connection, sql, limit)
    write_rows(rows, OutputFormat(format_.value), null=NULL)
    return is_cut


def write_result(
    connection: duckdb.DuckDBPyConnection, sql: str, out: Path, format_: QueryFormat, limit: int | None
) -> int:
    """Write a query's result to a file, whole or not at all; return the number of rows."""
    with _replaced(out) as temporary:
        if format_ is QueryFormat.PARQUET:
            return write_query(connection, sql, temporary, limit)
        rows, _ = fetch_some(connection, sql, limit)
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            write_rows(rows, OutputFormat(format_.value), stream, null=NULL)
        return len(rows.values)


@contextmanager
def _replaced(path: Path) -> Iterator[Path]:
    """A file beside the one meant, which takes its place if all went well."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise ConfigurationError(f"{path} can't be written: {error.strerror or error}; choose another --out") from error
    finally:
        temporary.unlink(missing_ok=True)
