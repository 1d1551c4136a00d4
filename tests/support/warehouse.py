"""A build file filled straight from Python rows, and dbt run over it: for testing models without ingestion.

Rows are dicts of contract columns; what a test leaves out is null, except the metadata columns and ``recorded_at``
(a minute after the row's own time). Times and dates may be ISO text.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from orchestration.contract import TABLES, Table, raw_columns, table
from orchestration.policy import load_policy, write_policy

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
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


def _complete(table_: Table, row: Mapping[str, Any], number: int) -> tuple[Any, ...]:
    unknown = set(row) - {name for name, _ in raw_columns(table_)}
    if unknown:
        raise KeyError(f"{table_.name}: not columns of the contract: {sorted(unknown)}")
    full: dict[str, Any] = {name: None for name, _ in raw_columns(table_)} | dict(row)
    if "recorded_at" in full and full["recorded_at"] is None:
        full["recorded_at"] = _own_time(row) + timedelta(minutes=1) if table_.dated else datetime(2000, 1, 1)
    if "valid_from" in full and full["valid_from"] is None:
        full["valid_from"] = datetime(2000, 1, 1)
    if table_.dated and full["partition_date"] is None:
        full["partition_date"] = _own_time(row).date()
    full["source_file"] = full["source_file"] or f"{table_.name}/rows.csv"
    full["source_row"] = full["source_row"] or number
    return tuple(str(value) if isinstance(value, Decimal) else value for value in full.values())


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
    with duckdb.connect(str(path)) as connection:
        for target in ("raw", "incoming"):
            connection.execute(f"create schema if not exists {target}")
            for table_ in TABLES:
                columns = ", ".join(f"{name} {type_}" for name, type_ in raw_columns(table_))
                connection.execute(f"create or replace table {target}.{table_.name} ({columns})")
        for name, table_rows in rows.items():
            if table_rows:
                complete = [_complete(table(name), row, number) for number, row in enumerate(table_rows, 1)]
                marks = ", ".join("?" for _ in complete[0])
                connection.executemany(f"insert into {schema}.{name} values ({marks})", complete)
        write_policy(connection, load_policy(policy_file))
        connection.execute(
            "create or replace table policy.run_context as select 'test' as run_id, ?::date as first_date,"
            " ?::date as last_date, (?::date + 1)::timestamp as knowledge_at, ?::date as landing_first_date,"
            " ?::date as calendar_last_date, null::timestamp as previous_knowledge_at",
            [first, last, last, first, last],
        )


@contextmanager
def build_file_environment(path: Path) -> Iterator[None]:
    """Point dbt's profile at this build file."""
    before = os.environ.get("RINGFENCE_BUILD_FILE")
    os.environ["RINGFENCE_BUILD_FILE"] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ["RINGFENCE_BUILD_FILE"]
        else:
            os.environ["RINGFENCE_BUILD_FILE"] = before


@cache
def _manifest() -> Any:
    """The parsed project, once per process: parsing costs more than building a small warehouse."""
    from dbt.cli.main import dbtRunner

    folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    with TemporaryDirectory() as folder:
        result = dbtRunner().invoke(["parse", *folders, "--target-path", folder, "--log-path", folder, "--quiet"])
    assert result.success, result.exception
    return result.result


def run_dbt(path: Path, *arguments: str) -> None:
    """Run ``dbt <arguments>`` in this process on the build file; raise AssertionError with dbt's messages if it fails.

    Artefacts go beside the build file, so that tests in parallel don't share a target folder.
    """
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.factory import cleanup_connections, reset_adapters
    from dbt.cli.main import dbtRunner

    with build_file_environment(path):
        result = dbtRunner(manifest=_manifest()).invoke(
            [
                *arguments,
                "--project-dir",
                str(DBT_PROJECT),
                "--profiles-dir",
                str(DBT_PROJECT),
                "--target-path",
                str(path.parent / f"{path.stem}_target"),
                "--log-path",
                str(path.parent / f"{path.stem}_logs"),
                "--no-send-anonymous-usage-stats",
                "--quiet",
            ]
        )
    # dbt keeps its connection, and with it the file's lock, for the life of the process unless told otherwise.
    cleanup_connections()
    DuckDBConnectionManager.close_all_connections()
    reset_adapters()
    if not result.success:
        failed = [
            f"{item.node.name}: {item.message}" for item in getattr(result.result, "results", []) if item.failures or
            str(item.status) in ("error", "fail")
        ]
        raise AssertionError(f"dbt {' '.join(arguments)} failed: {result.exception or ''} {failed}")


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
    folder: Path, rows: Rows, *, first_date: str | date, last_date: str | date, select: str, policy_file: Path | None = None
) -> Warehouse:
    """Create the build file and run the selected models with all their parents: ``select`` is a dbt selector."""
    path = folder / "books.duckdb"
    create_build_file(path, rows, first_date=first_date, last_date=last_date, policy_file=policy_file)
    selectors = [f"+{name}" for name in select.split()]
    run_dbt(path, "build", "--resource-type", "model", "--resource-type", "seed", "--select", *selectors)
    return Warehouse(path)
