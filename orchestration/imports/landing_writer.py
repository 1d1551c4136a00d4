"""Writes rows as a landing zone: Parquet files laid out and typed as the contract says.

What belongs here: folders, file names and Arrow types. What doesn't: what the rows mean.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.contract import DATED_TABLES, REFERENCE_TABLES, ColumnKind, Table
from orchestration.errors import ConfigurationError

_ARROW_TYPES: dict[ColumnKind, pa.DataType] = {
    ColumnKind.TEXT: pa.string(),
    ColumnKind.ENUM: pa.string(),
    ColumnKind.DECIMAL: pa.decimal128(38, 18),
    ColumnKind.PERCENT: pa.decimal128(38, 18),
    ColumnKind.INTEGER: pa.int64(),
    ColumnKind.TIMESTAMP: pa.timestamp("us"),
    ColumnKind.DATE: pa.date32(),
}
Columns = Mapping[str, Sequence[object]]
"""A table's values by column; columns that are left out are null in every row."""


def check_target(out: Path) -> None:
    """Raise ConfigurationError unless ``out`` doesn't exist or is an empty folder."""
    if out.exists() and not out.is_dir():
        raise ConfigurationError(f"{out} is a file; name a folder that doesn't exist yet")
    if out.is_dir() and any(out.iterdir()):
        raise ConfigurationError(f"the folder {out} isn't empty; name one that doesn't exist yet, or empty it first")


def write_landing(out: Path, day: date, tables: Mapping[str, Columns]) -> None:
    """Write the landing zone of one day: every reference table, and the dated tables required daily or given.

    Tables without rows are files with no rows. The folder appears whole or not at all; the same rows give the same
    bytes. Raises ConfigurationError if ``out`` holds anything already or can't be written.
    """
    check_target(out)
    unfinished = out.absolute().parent / f".{out.absolute().name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        _write_tables(unfinished, day, tables)
        if out.is_dir():
            out.rmdir()
        Path(unfinished).replace(out)
    except OSError as error:
        raise ConfigurationError(f"can't write {out}: {error.strerror or error}; choose another folder") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _write_tables(folder: Path, day: date, tables: Mapping[str, Columns]) -> None:
    for table in REFERENCE_TABLES:
        _write(folder / table.name / f"{table.name}.parquet", table, tables.get(table.name, {}))
    for table in DATED_TABLES:
        if table.required_daily or table.name in tables:
            partition = folder / table.name / f"date={day.isoformat()}"
            _write(partition / f"{table.name}.parquet", table, tables.get(table.name, {}))


def _write(path: Path, table: Table, columns: Columns) -> None:
    path.parent.mkdir(parents=True)
    rows = max((len(values) for values in columns.values()), default=0)
    arrays = [
        pa.array(columns.get(column.name, [None] * rows), type=_ARROW_TYPES[column.kind]) for column in table.columns
    ]
    pq.write_table(pa.table(arrays, names=list(table.column_names)), path, compression="zstd")
