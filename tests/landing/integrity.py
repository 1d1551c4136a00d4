"""The integrity models over a hand-written landing zone, run as plain SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb

from orchestration.checks import CHECKS, Kind
from orchestration.contract import DATED_TABLES
from orchestration.landing import accept, discard, discover
from orchestration.pipeline import run
from tests.landing.zone import Row, Zone, account, entry, load_all, query

INTEGRITY = [check.name for check in CHECKS if check.kind is Kind.INTEGRITY]
DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
Finding = tuple[str, str, str, str | None]


def write_context(
    connection: duckdb.DuckDBPyConnection, first: date | None, last: str, previous_knowledge: str | None = None
) -> None:
    """The run context of a run for one day."""
    day = date.fromisoformat(last)
    knowledge_at = datetime.combine(day + timedelta(days=1), time.min)
    previous = datetime.fromisoformat(previous_knowledge) if previous_knowledge else None
    run.write_context(connection, run.RunContext("run", day, day, knowledge_at, previous, first or day))


@dataclass
class Books:
    """A build file, its landing zone, and runs over it."""

    zone: Zone
    connection: duckdb.DuckDBPyConnection
    models: dict[str, duckdb.Statement]
    runs: int = 0
    known_until: str | None = None
    found: list[dict[str, Any]] = field(default_factory=list)

    def run(self, last: str = DAYS[-1]) -> set[Finding]:
        """Load, look, and accept if nothing was found, else discard; return check, day, subject and asset."""
        self.runs += 1
        run_id = f"run-{self.runs}"
        self.look(run_id, last)
        if self.found:
            discard(self.connection, run_id)
        else:
            accept(self.connection, run_id)
            self.known_until = str(
                self.connection.execute("select knowledge_at from policy.run_context").fetchall()[0][0]
            )
        return {(row["check_name"], str(row["as_of_date"]), row["subject_id"], row["asset"]) for row in self.found}

    def look(self, run_id: str, last: str) -> None:
        """Load everything up to ``last`` and run the models."""
        last_date = date.fromisoformat(last)
        write_context(self.connection, discover(self.zone.path, last_date).first_date, last, self.known_until)
        load_all(self.connection, self.zone, run_id, last_date)
        self.found = [
            {"check_name": name} | row for name, sql in self.models.items() for row in query(self.connection, sql)
        ]

    def raw(self, table_name: str) -> list[dict[str, Any]]:
        """Accepted rows of a table."""
        return query(self.connection, f"select * exclude (accepted_load_number) from raw.{table_name} order by all")


def pair(name: str, day: str, amount: str = "1", **columns: str | None) -> list[dict[str, str | None]]:
    """A transaction of two legs."""
    return [
        entry(f"{name}-a", amount, day, transaction_id=name, account_id="alice", **columns),
        entry(f"{name}-b", f"-{amount}", day, transaction_id=name, account_id="bob", **columns),
    ]


def snapshot(name: str, day: str, balance: str = "1") -> Row:
    """A balance snapshot."""
    return {"account_id": name, "asset": "BTC", "balance": balance, "as_of": f"{day}T23:59:59Z"}


def price(day: str, price_usd: str = "100", source: str = "market") -> Row:
    """A price."""
    return {"asset": "BTC", "price_usd": price_usd, "volume_usd": "1", "as_of": f"{day}T12:00:00Z", "source": source}


def write_healthy(zone: Zone) -> None:
    """Three days of two customers with nothing wrong."""
    since = "2026-01-01T00:00:00Z"
    people: list[Row] = [
        {"entity_id": f"e-{name}", "entity_type": "customer", "name": name, "country": "XX", "recorded_at": since}
        for name in ("alice", "bob")
    ]
    zone.rows("entities", people, file="a.jsonl")
    zone.rows("accounts", [account("alice"), account("bob")])
    zone.rows("tokens", [{"asset": "BTC", "asset_class": "crypto"}])
    wallet: Row = {
        "wallet_id": "w",
        "network": "bitcoin",
        "address": "bc1",
        "owner_entity_id": "e-alice",
        "purpose": "customer",
        "custody": "cold",
        "encumbered_pct": "0",
        "ownership_proof": "none",
        "valid_from": since,
        "recorded_at": since,
    }
    zone.rows("wallets", [wallet])
    for number, day in enumerate(DAYS):
        zone.rows("ledger_entries", pair(f"t{number}", day), day)
        zone.rows("balance_snapshots", [snapshot("alice", day), snapshot("bob", day)], day)
        balance: Row = {"wallet_id": "w", "asset": "BTC", "balance": "1", "as_of": f"{day}T23:59:59Z"}
        zone.rows("wallet_balances", [balance], day)
        zone.rows("token_prices", [price(day)], day)
    assert all((zone.path / name).is_dir() for name in (t.name for t in DATED_TABLES if t.required_daily))
