"""A landing zone for tests, written by hand: what is delivered, in which file, in which format."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration.contract import TABLES, table
from orchestration.landing import TableLoad, accept, create_schemas, load_table

Row = Mapping[str, str | None]
DAY = "2026-01-05"
LAST_DAY = date(2026, 1, 9)


def entry(entry_id: str, amount: str = "1", day: str = DAY, **columns: str | None) -> dict[str, str | None]:
    """A ledger entry as text."""
    row: dict[str, str | None] = {
        "entry_id": entry_id,
        "transaction_id": f"t-{entry_id}",
        "account_id": "alice",
        "asset": "BTC",
        "amount": amount,
        "entry_type": "trade",
        "effective_at": f"{day}T10:00:00Z",
        "recorded_at": f"{day}T10:00:05Z",
        "reference": None,
        "memo": None,
    }
    return row | columns


def account(account_id: str, recorded_at: str = "2026-01-01T00:00:00Z", **columns: str | None) -> dict[str, str | None]:
    """An account as text."""
    row: dict[str, str | None] = {
        "account_id": account_id,
        "entity_id": "e-" + account_id,
        "account_class": "spot",
        "label": None,
        "opened_at": None,
        "closed_at": None,
        "recorded_at": recorded_at,
    }
    return row | columns


def csv_text(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows as CSV with that header."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(name) for name in columns] for row in rows)
    return stream.getvalue()


@dataclass(frozen=True)
class Zone:
    """A landing folder under construction."""

    path: Path

    def write(self, relative: str, content: str | bytes) -> Path:
        """Write a file, compressed if its name says so."""
        path = self.path / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(
            gzip.compress(data, mtime=0) if relative.endswith(".gz") and isinstance(content, str) else data
        )
        return path

    def rows(self, table_name: str, rows: Sequence[Row], day: str | None = DAY, file: str = "a.csv") -> str:
        """Write rows as text in the file's format; return the file's path in the landing zone."""
        contract = table(table_name)
        folder = f"{table_name}/date={day}" if contract.dated else table_name
        relative = f"{folder}/{file}"
        if file.endswith(".jsonl"):
            self.write(relative, "".join(json.dumps(dict(row)) + "\n" for row in rows))
        else:
            self.write(relative, csv_text(rows, contract.column_names))
        return relative

    def parquet(self, table_name: str, select: str, day: str | None = DAY, file: str = "a.parquet") -> str:
        """Write the rows of an SQL query as Parquet."""
        folder = f"{table_name}/date={day}" if table(table_name).dated else table_name
        (self.path / folder).mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute(f"copy ({select}) to '{self.path / folder / file}' (format parquet)")
        return f"{folder}/{file}"


def load(
    connection: duckdb.DuckDBPyConnection, zone: Zone, table_name: str, run_id: str = "run-1", up_to: date = LAST_DAY
) -> TableLoad:
    """Load one table."""
    return load_table(connection, zone.path, table(table_name), up_to, run_id)


def load_all(connection: duckdb.DuckDBPyConnection, zone: Zone, run_id: str, up_to: date = LAST_DAY) -> None:
    """Load every table, as a run does."""
    for each in TABLES:
        load_table(connection, zone.path, each, up_to, run_id)


def load_and_accept(
    connection: duckdb.DuckDBPyConnection, zone: Zone, run_id: str, up_to: date = LAST_DAY
) -> dict[str, int]:
    """A run of which every row is good."""
    create_schemas(connection)
    load_all(connection, zone, run_id, up_to)
    return accept(connection, run_id)


def query(connection: duckdb.DuckDBPyConnection, sql: str | duckdb.Statement) -> list[dict[str, Any]]:
    """Rows as dicts."""
    cursor = connection.execute(sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def issues(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, int | None, str | None, str | None, str]]:
    """File, line, column, value and problem of what was found wrong."""
    return connection.execute(
        "select source_file, line, column_name, value, problem from incoming.schema_issue"
        " order by source_file, line nulls first, column_name, problem"
    ).fetchall()
