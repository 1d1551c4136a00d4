"""Connections to the pipeline's own database.

DuckDB shares one database instance per file and process, and refuses a second connection with another configuration:
whoever opens the file closes it before the next step opens it in its own way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from orchestration.errors import RingfenceError
from orchestration.settings import memory_limit


class BuildFileError(RingfenceError):
    """The build file can't be opened."""


def configuration() -> dict[str, Any]:
    """DuckDB's options in this environment."""
    limit = memory_limit()
    return {"memory_limit": limit} if limit else {}


def connect(path: Path, *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    """Open the build file, creating it with its folder if need be. Raises BuildFileError, saying what to do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return duckdb.connect(str(path), read_only=read_only, config=configuration())
    except duckdb.Error as error:
        first_line = str(error).splitlines()[0]
        raise BuildFileError(
            f"build file {path} can't be opened ({first_line}); if another process uses it, wait for its end; if rights"
            " or room are wanting, give them; if it is damaged, the next run reads all from the landing zone again"
        ) from error


@contextmanager
def build_connection(path: Path, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the build file that is closed at the end of the block."""
    connection = connect(path, read_only=read_only)
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Commit what the block did, or nothing of it."""
    connection.execute("begin transaction")
    try:
        yield
    except BaseException:
        connection.execute("rollback")
        raise
    connection.execute("commit")
