"""Warehouses to compare with the oracle: the models alone over the rows, or the published file of a real run.

What belongs here: reading marts and findings from both. What doesn't: comparing (compare) or computing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from orchestration import cli
from orchestration.checks import CHECKS, Kind
from orchestration.contract import table
from tests.end_to_end.random_exchange import RandomExchange
from tests.oracle.compare import KEYS, compare_findings, compare_mart
from tests.oracle.exchange import read_exchange
from tests.oracle.findings import Finding, findings
from tests.oracle.marts import marts
from tests.oracle.policy import Policy, policy_file_text
from tests.support.warehouse import build_warehouse

PUBLISHED = (0, 3)
PUBLISHED_CHECKS = [check.name for check in CHECKS if check.kind in (Kind.RECONCILIATION, Kind.BREACH)]
Rows = list[dict[str, Any]]
Query = Callable[[str], Rows]


@dataclass(frozen=True)
class Results:
    """What a warehouse says: its marts by name, and its findings of reconciliation and breach."""

    marts: dict[str, Rows]
    findings: set[Finding]


def _finding(row: dict[str, Any]) -> Finding:
    return Finding(row["check_name"], row["as_of_date"], row["subject_id"], row["asset"] or "")


def raw_rows(exchange: RandomExchange) -> dict[str, Rows]:
    """The exchange's rows as ingestion stores them: once each, with the earliest day they were delivered for."""
    stored: dict[str, Rows] = {}
    for name, delivered in exchange.rows.items():
        by_identity: dict[tuple[Any, ...], dict[str, Any]] = {}
        for partition, row in delivered:
            identity = tuple(row[column] for column in table(name).identity)
            known = by_identity.get(identity)
            if known is None or (partition is not None and partition < known["partition_date"]):
                by_identity[identity] = row | ({} if partition is None else {"partition_date": partition})
        stored[name] = list(by_identity.values())
    return stored


def results_of_models(exchange: RandomExchange, folder: Path, policy: Policy | None = None) -> Results:
    """Build the models, and nothing else of the pipeline, over the exchange's rows."""
    policy_file = None
    if policy is not None:
        policy_file = folder / "policy.yaml"
        policy_file.write_text(policy_file_text(policy), encoding="utf-8")
    warehouse = build_warehouse(
        folder,
        raw_rows(exchange),
        first_date=exchange.first,
        last_date=exchange.last,
        select=" ".join([*KEYS, *PUBLISHED_CHECKS]),
        policy_file=policy_file,
    )
    tables = {name: warehouse.query(f"select * from marts.{name}") for name in KEYS}
    union = " union all ".join(
        f"select '{check}' as check_name, as_of_date, subject_id, asset from findings.{check}"
        for check in PUBLISHED_CHECKS
    )
    return Results(tables, {_finding(row) for row in warehouse.query(union)})


@dataclass(frozen=True)
class Published:
    """A warehouse folder that a run has published."""

    path: Path

    def query(self, sql: str) -> Rows:
        """Rows of a query as dicts; decimals stay Decimal."""
        with duckdb.connect(str(self.path / "ringfence.duckdb"), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def results(self) -> Results:
        """Marts and findings as analysts see them."""
        published = "select * from audit.finding where kind in ('reconciliation', 'breach')"
        tables = {name: self.query(f"select * from marts.{name}") for name in KEYS}
        return Results(tables, {_finding(row) for row in self.query(published)})


def run(landing: Path, warehouse: Path, first: date, last: date) -> Published:
    """Run the command as a user would, in this process; raise AssertionError unless it publishes."""
    arguments = ["--landing", str(landing), "--warehouse", str(warehouse)]
    dates = ["--from", first.isoformat(), "--to", last.isoformat()]
    status = cli._invoke(["run", *arguments, *dates])
    assert status in PUBLISHED, f"exit {status}"
    return Published(warehouse)


def differences(landing: Path, last: date, results: Results, policy: Policy | None = None) -> list[str]:
    """Everything that a warehouse and the oracle say differently about a landing zone."""
    exchange = read_exchange(landing, last, policy)
    expected = marts(exchange)
    lines = [line for name in KEYS for line in compare_mart(name, expected[name], results.marts[name])]
    return lines + compare_findings(findings(exchange), results.findings)
