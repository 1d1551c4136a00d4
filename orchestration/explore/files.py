"""Answers as files: CSV that no spreadsheet takes for formulas, Parquet with exact decimals.

What belongs here: the bytes of a file. What doesn't: what is on a page (``showing``).
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.explore.questions import ROWS_DOWNLOADED, Question, ask, ask_for_table
from orchestration.reading.formats import OutputFormat
from orchestration.reading.output import write_rows


def csv_file(cursor: duckdb.DuckDBPyConnection, question: Question) -> bytes:
    """The answer as CSV, written as ``ringfence query --format csv`` writes it."""
    stream = io.StringIO()
    write_rows(ask(cursor, question, ROWS_DOWNLOADED).rows, OutputFormat.CSV, stream)
    return stream.getvalue().encode("utf-8", errors="backslashreplace")


def parquet_file(cursor: duckdb.DuckDBPyConnection, question: Question) -> bytes:
    """The answer as Parquet, in the types of the database."""
    stream = io.BytesIO()
    pq.write_table(_storable(ask_for_table(cursor, question)), stream, compression="zstd")
    return stream.getvalue()


def _storable(table: pa.Table) -> pa.Table:
    """The table, a column without any value as text: Parquet readers differ about columns of no type."""
    columns = [column.cast(pa.string()) if pa.types.is_null(column.type) else column for column in table.columns]
    return pa.table(dict(zip(table.column_names, columns, strict=True)))


def fields_of(content: str) -> Iterable[tuple[str, Any]]:
    """Names and values of a landing row as it arrived; a content that is no object is one value."""
    try:
        values = json.loads(content)
    except ValueError:
        values = content
    return values.items() if isinstance(values, dict) else [("content", values)]
