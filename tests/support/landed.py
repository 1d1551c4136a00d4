"""A landing zone of Parquet files read straight into a build file, and the models built over it.

For testing what the models find in a simulated exchange without a whole run. The load must be sound: a repeated
delivery counts once, for the earliest day, as acceptance would have it; nothing else of ingestion happens here.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb

from orchestration.checks import CHECKS, Kind
from orchestration.contract import TABLES, Table, raw_columns
from orchestration.warehouse.compiled import DATABASE
from tests.support.warehouse import Warehouse, build_models, create_build_file

PUBLISHED_CHECKS = [check.name for check in CHECKS if check.kind is not Kind.INTEGRITY]
Finding = tuple[str, date, str, str | None]


def _rows(table: Table, landing: Path) -> str:
    """A query for the rows of a table in a landing zone, with the metadata columns of raw."""
    folder = landing / table.name
    files = folder / ("*/*.parquet" if table.dated else "*.parquet")
    values = {
        "partition_date": "min(date)" if table.dated else "null",
        "source_file": f"'{table.name}/part-0.parquet'",
        "source_row": "row_number() over ()",
    }
    columns = [values.get(name, name) + f"::{type_} as {name}" for name, type_ in raw_columns(table)]
    keys = ", ".join(table.column_names)
    read = f"read_parquet('{files}', hive_partitioning = {'true' if table.dated else 'false'})"
    return f"select {', '.join(columns)} from {read} group by {keys}"


def insert_delivered(
    connection: duckdb.DuckDBPyConnection, landing: Path, load_number: int, after: date | None, last: date
) -> None:
    """Add what a landing zone holds for the days after one (None: all before, reference tables too) up to another."""
    for table in TABLES:
        if not (landing / table.name).is_dir() or (after is not None and not table.dated):
            continue
        days = f"partition_date > '{after or date.min}' and partition_date <= '{last}'" if table.dated else "true"
        connection.execute(
            f"insert into raw.{table.name} by name select *, {load_number} as accepted_load_number"
            f" from ({_rows(table, landing)}) where {days}"
        )


def build_from_landing(folder: Path, landing: Path, last_date: date, select: str) -> Warehouse:
    """The models named in ``select`` with their parents, over the landing zone up to a date."""
    first_date = min(date.fromisoformat(path.name[5:]) for path in (landing / "ledger_entries").iterdir())
    path = folder / f"{DATABASE}.duckdb"
    create_build_file(path, {}, first_date=first_date, last_date=last_date)
    with duckdb.connect(str(path)) as connection:
        for table in TABLES:
            if (landing / table.name).is_dir():
                connection.execute(f"insert into raw.{table.name} by name {_rows(table, landing)}")
    return build_models(path, select)


def published_findings(warehouse: Warehouse) -> set[Finding]:
    """What the published checks found in a warehouse that holds them all."""
    union = " union all ".join(
        f"select '{check}' as check_name, as_of_date, subject_id, asset from findings.{check}"
        for check in PUBLISHED_CHECKS
    )
    rows = warehouse.query(union)
    return {(row["check_name"], row["as_of_date"], row["subject_id"], row["asset"]) for row in rows}
