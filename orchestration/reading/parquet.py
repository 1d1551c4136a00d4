"""Rows as Parquet: exact decimals, and the same bytes whenever the rows and the library are the same.

What belongs here: types, and writing one file. What doesn't: which rows, and where files lie (``export``).

Written by pyarrow out of DuckDB's Arrow stream, for the connection that reads can write nothing. Row groups are of a
fixed size, so bytes don't depend on how DuckDB cut its stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.reading.published import QueryError, interruptible, one_statement, query_error

ROW_GROUP_ROWS = 100_000
_NO_PARQUET_TYPE = (pa.types.is_interval, pa.types.is_null)


def write_query(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, limit: int | None = None) -> int:
    """Write the first rows of a query's result, or all; return how many. Raises QueryError if it can't be done."""
    try:
        statement = one_statement(connection, sql)
        return interruptible(connection, lambda: _write_query(connection, statement, path, limit))
    except duckdb.Error as error:
        raise query_error(connection, error, sql) from error


def _write_query(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, limit: int | None) -> int:
    with _reader(connection, sql, limit) as reader:
        require_types(reader.schema)
        return write_batches(reader.schema, reader, path)


def _reader(connection: duckdb.DuckDBPyConnection, sql: str, limit: int | None) -> pa.RecordBatchReader:
    relation = connection.sql(sql)
    if relation is None:
        raise QueryError("the query can't be run: it has no result that could be written to a file")
    return (relation if limit is None else relation.limit(limit)).to_arrow_reader(ROW_GROUP_ROWS)


def require_types(schema: pa.Schema) -> None:
    """Raise QueryError if a column has a type that Parquet lacks."""
    for field in schema:
        if any(is_lacking(field.type) for is_lacking in _NO_PARQUET_TYPE):
            raise QueryError(
                f"column {field.name!r} is of type {field.type}, which Parquet lacks; cast it, to text say"
            )


def write_batches(schema: pa.Schema, batches: Iterator[pa.RecordBatch], path: Path) -> int:
    """Write record batches into one file; return the number of rows."""
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for table in _cut(schema, batches):
            writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
            rows += table.num_rows
    return rows


def _cut(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Tables of the size of a row group, however the batches were cut."""
    waiting: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= ROW_GROUP_ROWS:
            table = pa.Table.from_batches(waiting, schema)
            yield table.slice(0, ROW_GROUP_ROWS).combine_chunks()
            waiting = table.slice(ROW_GROUP_ROWS).to_batches()
            count -= ROW_GROUP_ROWS
    if count:
        yield pa.Table.from_batches(waiting, schema).combine_chunks()
