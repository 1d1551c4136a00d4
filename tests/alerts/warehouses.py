"""A published warehouse in which a test says what stands, a watch over it, and what a receiver was told."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.watching import Watch
from orchestration.audit import create_audit_schema, table_named
from orchestration.connectors.base import Clock
from orchestration.settings import WarehousePaths
from tests.connectors import web

SECRET = "a shared secret"
DAY = date(2026, 3, 4)
MORNING = datetime(2026, 3, 5, 7, 0)
BREACH = ("no_negative_balance", "breach", "critical", "account", "a1", "USD", "1000")
SHORT = ("reserves_cover_liabilities", "breach", "critical", "in_kind_group", "BTC", "BTC", "500")


class Warehouse:
    """A published warehouse in which a test says what stands."""

    def __init__(self, folder: Path) -> None:
        self.paths, self.runs = WarehousePaths(folder), 0
        self.loads: list[tuple[str, date, int]] = []

    def publish(self, *findings: tuple[str, ...], day: date = DAY, status: str = "passed", error: str = "") -> None:
        self.runs += 1
        source, run_id = self.paths.root / "source.duckdb", f"run-{self.runs}"
        source.write_bytes(_empty())
        columns = ", ".join(table_named("finding").column_names)
        with duckdb.connect(str(source)) as connection:
            connection.execute(
                "insert into audit.run values"
                " (?, '2026-03-05', '2026-03-05', null, ?, 0, ?, ?, ?, null, ?, 'h', true, ?)",
                [run_id, status, day, day, day + timedelta(days=1), day, "it broke"],
            )
            for check, kind, severity, subject_type, subject, asset, impact in findings:
                connection.execute(
                    f"insert into audit.finding ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, '-1', '0', ?, 'It fails.',"
                    " 'select 1', ?, ?)",
                    [run_id, day, check, kind, severity, subject_type, subject, asset, impact, day, day],
                )
            for number, (table, on, rows) in enumerate(self.loads):
                connection.execute(
                    "insert into audit.load values (?, ?, ?, ?, 'x', ?, 1, 1, 'accepted', ?)",
                    [run_id, table, on, f"{table}/{on}", rows, number],
                )
            if error:
                connection.execute(
                    "insert into audit.check_result values (?, 'exit', ?, 'x', 'breach', 'critical', false, true, null,"
                    " null, 'no such column')",
                    [run_id, error],
                )
        source.replace(self.paths.published_file)


@cache
def _empty() -> bytes:
    """A published file in which nothing stands; made once, since making its tables takes longer than all the rest."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with duckdb.connect(str(path)) as connection:
            create_audit_schema(connection, is_described=False)
            connection.execute("create schema marts")
        return path.read_bytes()


def watch(alerts_file: Path, warehouse: Warehouse, at: datetime = MORNING) -> Watch:
    clock = Clock(now=lambda: at, monotonic=lambda: 0.0, sleep=lambda _: None)
    return Watch(load_alerts(alerts_file), warehouse.paths, clock)


def said(receiver: web.Web) -> list[tuple[str, str]]:
    """Occasion and check of every incident in every message that arrived."""
    bodies = [request.json for request in receiver.requests]
    return [(body["occasion"], told["check_name"]) for body in bodies for told in body["told"]]
