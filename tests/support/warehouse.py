"""A build file filled straight from Python rows, and the models built over it: for testing models without ingestion.

Rows are dicts of contract columns; what a test leaves out is null, except the metadata columns and ``recorded_at``
(a minute after the row's own time). Times and dates may be ISO text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.audit import create_audit_schema
from orchestration.contract import TABLES, Table, table
from orchestration.landing.schemas import stored_columns
from orchestration.pipeline.build_plan import plan_whole
from orchestration.pipeline.run import RunContext, write_context
from orchestration.policy import load_policy, write_policy
from orchestration.warehouse import compiled
from orchestration.warehouse.build_file import transaction
from orchestration.warehouse.compiled import DATABASE

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day)
    return datetime.fromisoformat(str(value))


def _own_time(row: Mapping[str, Any]) -> datetime:
    for name in ("effective_at", "block_time", "as_of", "published_at", "valid_from", "opened_at"):
        if row.get(name) is not None:
            return _moment(row[name])
    return datetime(2000, 1, 1)


def _complete(table_: Table, names: Sequence[str], row: Mapping[str, Any], number: int) -> tuple[Any, ...]:
    unknown = set(row) - set(names)
    if unknown:
        raise KeyError(f"{table_.name}: not columns of the contract: {sorted(unknown)}")
    full: dict[str, Any] = dict.fromkeys(names) | dict(row)
    if "recorded_at" in full and full["recorded_at"] is None:
        full["recorded_at"] = _own_time(row) + timedelta(minutes=1) if table_.dated else datetime(2000, 1, 1)
    if "valid_from" in full and full["valid_from"] is None:
        full["valid_from"] = datetime(2000, 1, 1)
    if table_.dated and full["partition_date"] is None:
        full["partition_date"] = _own_time(row).date()
    full["source_file"] = full["source_file"] or f"{table_.name}/rows.csv"
    full["source_row"] = full["source_row"] or number
    return tuple(full.values())


def insert_rows(
    connection: duckdb.DuckDBPyConnection, target: str, table_: Table, rows: Sequence[Mapping[str, Any]]
) -> None:
    """Insert rows as text that DuckDB casts: exact, and a statement for all of them."""
    stored = stored_columns(table_, target.partition(".")[0])
    names = [name for name, _ in stored]
    complete = [_complete(table_, names, row, number) for number, row in enumerate(rows, 1)]
    columns = [[None if value is None else str(value) for value in column] for column in zip(*complete, strict=True)]
    texts = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    casts = ", ".join(f"cast({name} as {type_})" for name, type_ in stored)
    connection.register("texts", texts)
    connection.execute(f"insert into {target} select {casts} from texts")
    connection.unregister("texts")


@cache
def _without_rows() -> bytes:
    """A build file with the tables of ``raw``, ``incoming`` and ``audit``, and the default policy; made once."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with duckdb.connect(str(path)) as connection:
            create_audit_schema(connection, is_described=False)
            for target in ("raw", "incoming"):
                connection.execute(f"create schema if not exists {target}")
                for table_ in TABLES:
                    columns = ", ".join(f"{name} {type_}" for name, type_ in stored_columns(table_, target))
                    connection.execute(f"create or replace table {target}.{table_.name} ({columns})")
            write_policy(connection, load_policy())
        return path.read_bytes()


def create_build_file(
    path: Path,
    rows: Rows,
    *,
    first_date: str | date,
    last_date: str | date,
    policy_file: Path | None = None,
    schema: str = "raw",
) -> None:
    """Write a build file whose ``schema`` tables hold ``rows``, with policy and a run context for those dates."""
    first, last = _moment(first_date).date(), _moment(last_date).date()
    unknown = set(rows) - {table_.name for table_ in TABLES}
    if unknown:
        raise KeyError(f"no tables of the contract: {sorted(unknown)}")
    path.write_bytes(_without_rows())
    with duckdb.connect(str(path)) as connection:
        for name, table_rows in rows.items():
            if table_rows:
                insert_rows(connection, f"{schema}.{name}", table(name), table_rows)
        if policy_file is not None:
            write_policy(connection, load_policy(policy_file))
        plan_whole(connection, "a test builds everything anew")
        knowledge_at = datetime.combine(last + timedelta(days=1), time.min)
        write_context(connection, RunContext("test", first, last, knowledge_at, None, first))


@dataclass(frozen=True)
class Warehouse:
    """A built build file that a test queries."""

    path: Path

    def query(self, sql: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows of a query as dicts; decimals stay Decimal."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            cursor = connection.execute(sql, list(parameters))
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def build_warehouse(
    folder: Path,
    rows: Rows,
    *,
    first_date: str | date,
    last_date: str | date,
    select: str,
    policy_file: Path | None = None,
) -> Warehouse:
    """Create the build file and the models named in ``select`` (separated by spaces) with all their parents."""
    path = folder / f"{DATABASE}.duckdb"
    create_build_file(path, rows, first_date=first_date, last_date=last_date, policy_file=policy_file)
    return build_models(path, select)


def build_models(path: Path, select: str) -> Warehouse:
    """Build the models named in ``select`` (separated by spaces) with all their parents in a filled build file."""
    _build(path, select.split())
    return Warehouse(path)


def rebuild_changed(path: Path, before: Rows, after: Rows, select: str) -> Warehouse:
    """Replace the rows that ``raw`` was built from by ``after``, and build of ``select`` what rests on other rows now.

    Contract tables are replaced whole; a model that descends from none that changed stays as it was built.
    """
    changed = {name for name in after if after[name] != before.get(name, [])}
    assert set(before) <= set(after)
    with duckdb.connect(str(path)) as connection:
        for name in sorted(changed):
            connection.execute(f"delete from raw.{name}")
            if after[name]:
                insert_rows(connection, f"raw.{name}", table(name), after[name])
    stale: set[str] = set()
    for model in compiled.with_parents(select.split()):
        if changed & set(_READS_RAW.findall(model.sql)) or stale & set(model.parents):
            stale.add(model.name)
    _build(path, sorted(stale), below=stale)
    return Warehouse(path)


_READS_RAW = re.compile(r'"raw"\."(\w+)"')


def _build(path: Path, names: Sequence[str], below: Collection[str] | None = None) -> None:
    # One thread and one transaction: on small books the rest costs more than the work.
    with duckdb.connect(str(path), config={"threads": 1}) as connection, transaction(connection):
        compiled.build_models(connection, names, only=below)
