"""The same records for every rival: the landing zone as daily totals, in floats, as such tools hold them.

What belongs here: reading. What doesn't: any formula of a rival. A repeated delivery counts once; a value that can't be
read is null; Parquet and CSV files are read alike, since a rival's user would load both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.contract import TABLES, ColumnKind, Table

_TYPES = {ColumnKind.DECIMAL: "double", ColumnKind.PERCENT: "double"}


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """Something looks wrong on a day; ``asset`` is empty if the tool names none, ``what`` is its measure."""

    day: date
    asset: str
    what: str


@dataclass(frozen=True)
class DailyBooks:
    """Tables of the landing zone in a connection of their own, and the build file if marts were built."""

    connection: duckdb.DuckDBPyConnection
    first_date: date
    last_date: date
    build_file: Path | None

    @classmethod
    def read(cls, landing: Path, first_date: date, last_date: date, build_file: Path | None) -> DailyBooks:
        """Read the landing zone; ``build_file`` is None if a load was refused, so that no mart is whole."""
        connection = duckdb.connect()
        for table in TABLES:
            connection.execute(f"create table {table.name} as {_rows(table, landing)}")
        return cls(connection, first_date, last_date, build_file)


def _rows(table: Table, landing: Path) -> str:
    columns = ", ".join(
        f"try_cast({column.name} as {_TYPES.get(column.kind, column.duckdb_type)}) as {column.name}"
        for column in table.columns
    )
    if table.dated:
        columns += ", try_cast(regexp_extract(filename, 'date=([0-9-]{10})', 1) as date) as day"
    texts = ", ".join(f"cast({name} as varchar) as {name}" for name in table.column_names)
    folder = landing / table.name
    parts = []
    for ending, reader in (("parquet", "read_parquet"), ("csv", "read_csv")):
        files = sorted(path for path in folder.rglob(f"*.{ending}") if path.is_file())
        names = ", ".join(f"'{path}'" for path in files)
        options = "union_by_name = true, filename = true"
        options += ", all_varchar = true, ignore_errors = true" if ending == "csv" else ""
        if files and not _lacks_columns(table, reader, names, options):
            parts.append(f"select {texts}, filename from {reader}([{names}], {options})")
    if not parts:
        empty = ", ".join(f"null::varchar as {name}" for name in table.column_names)
        parts = [f"select {empty}, '' as filename where false"]
    return f"select distinct {columns} from ({' union all '.join(parts)})"


def _lacks_columns(table: Table, reader: str, names: str, options: str) -> bool:
    described = duckdb.execute(f"describe select * from {reader}([{names}], {options})").fetchall()
    return not set(table.column_names) <= {row[0] for row in described}
