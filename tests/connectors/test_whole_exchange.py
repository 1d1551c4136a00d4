"""A whole exchange pulled from a database and from files lands as the same accepted rows as if it had been delivered.

Everything after acceptance is computed from these rows and the day on which each came, so nothing after it can tell
where a table came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration.bench.speed.contenders.postgresql_tools import Server
from orchestration.connectors.configuration import load_sources
from orchestration.connectors.pulling import pull_days
from orchestration.contract import TABLES, ColumnKind, Table
from orchestration.landing import create_schemas, load_table
from orchestration.simulate import SimulationSummary
from tests.connectors.conformance import SECRET
from tests.connectors.postgresql_server import USER, exchange_server
from tests.simulate.landings import landing

IN_FILES = {"wallet_balances", "wallet_transfers", "token_prices", "market_depth", "token_supply"}
IN_DATABASE = [table for table in TABLES if table.name not in IN_FILES]
POSTGRESQL_TYPES = {
    ColumnKind.TEXT: "text",
    ColumnKind.ENUM: "text",
    ColumnKind.DECIMAL: "numeric",
    ColumnKind.PERCENT: "numeric",
    ColumnKind.INTEGER: "bigint",
    ColumnKind.TIMESTAMP: "timestamptz",
}


@pytest.fixture(scope="module")
def delivered() -> SimulationSummary:
    return landing("healthy", 3, 24, 3)


@pytest.fixture(scope="module")
def server(delivered: SimulationSummary) -> Iterator[Server]:
    """The exchange's database: its tables, and when each row of a dated one was entered."""
    with exchange_server() as running:
        running.run("create schema exchange", "exchange")
        for table in IN_DATABASE:
            _fill(running, table, delivered.folder)
        rights = f"grant usage on schema exchange to {USER}; grant select on all tables in schema exchange to {USER}"
        running.run(rights, "exchange")
        yield running


def _fill(server: Server, table: Table, folder: Path) -> None:
    types = {column.name: POSTGRESQL_TYPES[column.kind] for column in table.columns}
    if table.dated:
        types["entered_at"] = "timestamptz"
    columns = ", ".join(f'"{name}" {type_}' for name, type_ in types.items())
    server.run(f"set timezone = 'UTC'; create table exchange.{table.name} ({columns})", "exchange")
    rows = _rows(table, folder)
    for start in range(0, len(rows), 500):
        values = ", ".join(f"({', '.join(_literal(value) for value in row)})" for row in rows[start : start + 500])
        server.run(f"set timezone = 'UTC'; insert into exchange.{table.name} values {values}", "exchange")


def _rows(table: Table, folder: Path) -> list[tuple[Any, ...]]:
    """The rows as text, each once, of a dated table with noon of the day on which it first came."""
    pattern = folder / table.name / ("*/*.parquet" if table.dated else "*.parquet")
    columns = ", ".join(f"cast({name} as varchar)" for name in table.column_names)
    came = ", min(date)::varchar || ' 12:00:00'" if table.dated else ""
    with duckdb.connect() as connection:
        return connection.execute(
            f"select {columns}{came} from read_parquet('{pattern}', hive_partitioning = {table.dated}) group by"
            f" {', '.join(table.column_names)}"
        ).fetchall()


def _literal(value: str | None) -> str:
    return "null" if value is None else "'" + value.replace("'", "''") + "'"


def _configuration(server: Server, delivered: SimulationSummary) -> dict[str, Any]:
    tables = {}
    for table in IN_DATABASE:
        mapping: dict[str, Any] = {
            "from": f"exchange.{table.name}",
            "columns": {name: name for name in table.column_names},
            "may_be_empty": True,
        }
        tables[table.name] = mapping | ({"cursor": "entered_at"} if table.dated else {})
    address = f"postgresql://{USER}:${{EXCHANGE_DB_PASSWORD}}@/exchange?host={server.folder}"
    files = {"kind": "files", "location": str(delivered.folder), "layout": "landing"}
    return {
        "database": {"kind": "postgresql", "connection": address, "tables": tables},
        "exports": files | {"tables": {name: {} for name in sorted(IN_FILES)}},
    }


def accepted(folder: Path, table: Table, last_date: date) -> tuple[list[Any], list[Any]]:
    """The distinct rows of a table with the day on which each first came, and what is wrong with its files."""
    columns = ", ".join(table.column_names)
    with duckdb.connect() as connection:
        create_schemas(connection)
        load_table(connection, folder, table, last_date, "run")
        rows = connection.execute(
            f"select {columns}, min(partition_date) from incoming.{table.name} group by {columns} order by all"
        ).fetchall()
        return rows, connection.execute("select * from incoming.schema_issue").fetchall()


def test_what_is_pulled_is_accepted_as_what_is_delivered(
    server: Server, delivered: SimulationSummary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EXCHANGE_DB_PASSWORD", SECRET)
    file = tmp_path / "sources.yaml"
    file.write_text(yaml.safe_dump({"sources": _configuration(server, delivered)}, sort_keys=False), encoding="utf-8")
    pulled = tmp_path / "pulled"
    results = list(pull_days(load_sources(file), pulled, delivered.first_date, delivered.last_date))
    assert [result.error for result in results if result.error] == []
    assert len(results) == 2 * ((delivered.last_date - delivered.first_date) // timedelta(days=1) + 1)
    for table in TABLES:
        expected, _ = accepted(delivered.folder, table, delivered.last_date)
        found, issues = accepted(pulled, table, delivered.last_date)
        assert issues == [], table.name
        assert found == expected, table.name
    assert accepted(pulled, TABLES[0], delivered.last_date)[0], "nothing was compared"
