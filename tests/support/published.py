"""A published warehouse in which a test says what stands, without a run: marts as their contracts have them, and audit.

What a test leaves out is null, or what a row needs to be one.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from orchestration.audit import create_audit_schema
from orchestration.settings import DBT_PROJECT, WarehousePaths
from orchestration.timetable import CLOSE

Row = Mapping[str, Any]

MARTS = ("fct_solvency_daily", "fct_reserve_coverage_daily", "fct_affiliate_exposure_daily")
DAY = date(2026, 3, 4)
STARTED = datetime(2026, 3, 5, 0, 10)

SOLVENCY: Row = {
    "customer_liabilities_usd": "1000.5",
    "customer_receivables_usd": "10",
    "eligible_reserves_usd": "900.25",
    "excluded_reserves_usd": "50",
    "coverage_ratio": "0.899800099950",
    "in_kind_shortfall_usd": "140",
    "net_gap_usd": "-100.25",
    "affiliate_borrowing_usd": "70",
    "affiliate_uncollateralised_usd": "60",
    "own_token_assets_usd": "30",
    "own_token_share": "0.03",
    "unpriced_assets": 0,
    "status": "short",
    "group_assets_usd": "1000",
}
BTC: Row = {
    "in_kind_group": "BTC",
    "liability": "0.01",
    "affiliate_claims": "0",
    "eligible_reserves": "0.0065",
    "excluded_reserves": "0",
    "gap": "-0.0035",
    "gap_all_claims": "-0.0035",
    "coverage_ratio": "0.65",
    "price_usd": "40000",
    "gap_usd": "-140",
    "is_own_token": False,
    "min_coverage": "1",
}
USD: Row = BTC | {
    "in_kind_group": "USD",
    "liability": "600.5",
    "eligible_reserves": "640.25",
    "gap": "39.75",
    "gap_all_claims": "39.75",
    "coverage_ratio": "1.066194837635",
    "price_usd": "1",
    "gap_usd": "39.75",
}
AFFILIATE: Row = {
    "entity_id": "affiliate-secret-name",
    "gross_claims_usd": "25",
    "gross_borrowing_usd": "70",
    "uncollateralised_usd": "60",
    "share_of_customer_liabilities": "0.059970014993",
    "active_privileges": "credit_line",
    "has_borrowing_beyond_dust": True,
    "accounts": 1,
    "unpriced_balances": 0,
}
FINDING: Row = {
    "check_name": "no_negative_balance",
    "kind": "breach",
    "severity": "critical",
    "subject_type": "account",
    "subject_id": "account-secret-name",
    "asset": "USD",
    "impact_usd": "70",
    "message": "Account account-secret-name owes.",
}
PASSED: Row = {"check_name": "no_negative_balance", "kind": "breach", "severity": "critical", "stage": "exit"}
LOAD: Row = {
    "table_name": "ledger_entries",
    "partition_date": DAY,
    "source_file": f"ledger_entries/date={DAY}/bank-secret-name.parquet",
    "rows": 12,
    "bytes": 3456,
    "modified_ns": 1_772_670_000_500_000_000,
    "outcome": "accepted",
}


@cache
def mart_columns(name: str) -> dict[str, str]:
    """Columns and types of a mart, from its contract."""
    path = DBT_PROJECT / "models" / "marts" / f"{name}.yml"
    columns = yaml.safe_load(path.read_text(encoding="utf-8"))["models"][0]["columns"]
    return {column["name"]: column["data_type"] for column in columns}


@cache
def _empty_warehouse() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with duckdb.connect(str(path)) as connection:
            create_audit_schema(connection, is_described=False)
            connection.execute("create schema marts")
            for name in MARTS:
                columns = ", ".join(f"{column} {kind}" for column, kind in mart_columns(name).items())
                connection.execute(f"create table marts.{name} ({columns})")
        return path.read_bytes()


def insert(connection: duckdb.DuckDBPyConnection, table: str, row: Row) -> None:
    """Insert a row; columns that it doesn't name are null."""
    names, marks = ", ".join(row), ", ".join("?" * len(row))
    connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))


class PublishedWarehouse:
    """Publishes into a folder what a test says; every publication is another run's, which has seen those before."""

    def __init__(self, folder: Path) -> None:
        self.paths = WarehousePaths(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._source = folder / "source.duckdb"
        self.runs = 0
        self._source.write_bytes(_empty_warehouse())

    def publish(
        self,
        *,
        day: date = DAY,
        solvency: Row | None = SOLVENCY,
        groups: Sequence[Row] = (BTC, USD),
        affiliates: Sequence[Row] = (AFFILIATE,),
        findings: Sequence[Row] = (FINDING,),
        results: Sequence[Row] = (PASSED,),
        loads: Sequence[Row] = (LOAD,),
        notices: int = 0,
        run: Row | None = None,
    ) -> None:
        """Publish another run's marts and audit. ``solvency`` of None: no marts, as if the first run was refused."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        begun = STARTED + timedelta(days=self.runs - 1)
        with duckdb.connect(str(self._source)) as connection:
            connection.execute("begin")
            for name, rows in zip(MARTS, ([solvency or {}], groups, affiliates), strict=True):
                connection.execute(f"delete from marts.{name}")
                for row in rows:
                    insert(connection, f"marts.{name}", {"as_of_date": day, **row})
            connection.execute("delete from audit.finding")
            known: Row = {
                "run_id": run_id,
                "started_at": begun,
                "finished_at": begun + timedelta(seconds=30.5),
                "published_at": begun + timedelta(seconds=30),
                "status": "failed_checks",
                "exit_status": 3,
                "first_date": day,
                "last_date": day,
                "knowledge_at": day + timedelta(days=1),
                "policy_hash": "h",
                "is_accepted": True,
            }
            insert(connection, "audit.run", known | (run or {}))
            self._write_audit(connection, run_id, day, findings, results, loads, notices)
            connection.execute("commit")
            if solvency is None:
                connection.execute("drop schema marts cascade")
        new = self.paths.root / ".new"
        shutil.copyfile(self._source, new)
        new.chmod(0o444)
        new.replace(self.paths.published_file)

    def attempt(self, status: str, begun: datetime) -> None:
        """Let Dagster's records know of a run, with Dagster's word for how it stands."""
        history = self.paths.dagster_home / "history"
        history.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(history / "runs.db")) as records, records:
            columns = (
                "run_id text, pipeline_name text, status text, create_timestamp text, start_time real, end_time real"
            )
            records.execute(f"create table if not exists runs (id integer primary key, {columns})")
            records.execute("create table if not exists run_tags (run_id text, key text, value text)")
            moment = begun.replace(tzinfo=UTC).timestamp()
            records.execute(
                "insert into runs (run_id, pipeline_name, status, create_timestamp, start_time) values (?, ?, ?, ?, ?)",
                [f"attempt-{moment}", CLOSE.job, status, begun.isoformat(), moment],
            )

    def _write_audit(
        self,
        connection: duckdb.DuckDBPyConnection,
        run_id: str,
        day: date,
        findings: Sequence[Row],
        results: Sequence[Row],
        loads: Sequence[Row],
        notices: int,
    ) -> None:
        for finding in findings:
            whose = {"run_id": run_id, "as_of_date": day, "first_seen_on": day}
            insert(connection, "audit.finding", whose | FINDING | finding)
        for result in results:
            judged = {"run_id": run_id, "subject": "findings", "success": True, "is_error": False}
            insert(connection, "audit.check_result", judged | PASSED | result)
        for number, load in enumerate(loads):
            read = {"run_id": run_id, "sha256": "0", "load_number": self.runs * 1000 + number}
            insert(connection, "audit.load", read | LOAD | load)
        for number in range(notices):
            insert(connection, "audit.notice", {"run_id": run_id, "notice": f"an unknown column {number}"})
