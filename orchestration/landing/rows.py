"""Writing a list of Python rows into a table in one statement.

What belongs here: the one helper. What doesn't: what is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb


def insert_rows(
    connection: duckdb.DuckDBPyConnection, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert ``rows`` into ``table``; ``columns`` are names and DuckDB types. One statement however many the rows.

    Row by row would cost more than reading the files that the rows are about.
    """
    if not rows:
        return
    names = ", ".join(name for name, _ in columns)
    values = ", ".join(f"unnest(cast(${number} as {type_}[]))" for number, (_, type_) in enumerate(columns, 1))
    lists = [list(column) for column in zip(*rows, strict=True)]
    connection.execute(f"insert into {table} ({names}) select {values}", lists)
