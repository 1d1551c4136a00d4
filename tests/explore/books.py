"""A published warehouse of two days, all marts as their contracts have them, filled with a story of a few rows.

An affiliate with a hostile name owes dollars, a wallet of it holds what customers paid in; the second day is short.
What a test leaves out is null or empty.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml

from orchestration.audit import create_audit_schema
from orchestration.settings import DBT_PROJECT, WarehousePaths

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]

FIRST, LAST = date(2026, 3, 4), date(2026, 3, 5)
HOSTILE = "<script>alert(1)</script> **bold** $x^2$ [a](http://example.org) :red[x] `code`"
DEBTOR = '=HYPERLINK("http://example.org")<img src=x onerror=alert(1)>'
TINY = "0.000000000000000001"
DEBT = "-98765432109876543.210000000000000001"
FILE = f"ledger_entries/date={LAST}/rows.csv"
ENTRY = {
    "entry_id": "entry-1",
    "transaction_id": "transaction-1",
    "account_id": DEBTOR,
    "asset": "USD",
    "amount": DEBT,
    "entry_type": "transfer",
    "effective_at": f"{LAST} 10:00:00",
    "memo": HOSTILE,
}


@cache
def _empty() -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with duckdb.connect(str(path)) as connection:
            create_audit_schema(connection, is_described=False)
            connection.execute("create schema marts")
            for contract in sorted((DBT_PROJECT / "models" / "marts").glob("*_*.yml")):
                for model in yaml.safe_load(contract.read_text(encoding="utf-8")).get("models", []):
                    if all("data_type" in column for column in model.get("columns", [])) and model.get("columns"):
                        columns = ", ".join(f"{column['name']} {column['data_type']}" for column in model["columns"])
                        connection.execute(f"create table marts.{model['name']} ({columns})")
        return path.read_bytes()


def empty_file(path: Path) -> Path:
    """A file with every mart and table of audit, and no rows."""
    path.write_bytes(_empty())
    return path


def publish(folder: Path, tables: Tables, *, has_marts: bool = True) -> WarehousePaths:
    """Publish those rows, in place of what was published before."""
    folder.mkdir(parents=True, exist_ok=True)
    new = empty_file(folder / ".new")
    with duckdb.connect(str(new)) as connection:
        connection.execute("begin")
        for table, rows in tables.items():
            for row in rows:
                names, marks = ", ".join(row), ", ".join("?" * len(row))
                connection.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))
        connection.execute("commit")
        if not has_marts:
            connection.execute("drop schema marts cascade")
    paths = WarehousePaths(folder)
    new.chmod(0o444)
    new.replace(paths.published_file)
    return paths


def _solvency(day: date, status: str, reserves: str, shortfall: str) -> Row:
    return {
        "as_of_date": day,
        "customer_liabilities_usd": "1000.5",
        "eligible_reserves_usd": reserves,
        "coverage_ratio": "0.9",
        "in_kind_shortfall_usd": shortfall,
        "affiliate_borrowing_usd": "98765432109876543.21",
        "affiliate_uncollateralised_usd": "60",
        "unpriced_assets": 0,
        "status": status,
    }


def _group(day: date, gap: str) -> Row:
    return {
        "as_of_date": day,
        "in_kind_group": "USD",
        "liability": "600.5",
        "eligible_reserves": "640.25",
        "gap": gap,
        "gap_usd": gap,
        "coverage_ratio": "0.9",
        "price_usd": "1",
    }


def finding(day: date, check: str, subject_type: str, subject: str, **columns: Any) -> Row:
    """A finding that stands."""
    return {
        "run_id": "run-1",
        "as_of_date": day,
        "check_name": check,
        "kind": "breach",
        "severity": "critical",
        "subject_type": subject_type,
        "subject_id": subject,
        "message": f"{subject} fails {check}.",
        "first_seen_on": day,
        "known_since": datetime(2026, 3, 6),
        **columns,
    }


OWES = finding(
    LAST,
    "no_negative_balance",
    "account",
    DEBTOR,
    asset="USD",
    impact_usd="98765432109876543.21",
    evidence="select * from marts.fct_negative_balance_daily where balance < 0 -- the largest",
)


def _run(status: str = "failed_checks", **columns: Any) -> Row:
    return {
        "run_id": "run-1",
        "started_at": datetime(2026, 3, 6),
        "status": status,
        "first_date": FIRST,
        "last_date": LAST,
        "knowledge_at": datetime(2026, 3, 6),
        "policy_hash": "abc",
        "is_accepted": True,
        **columns,
    }


def story() -> dict[str, list[Row]]:
    """The rows of the story, table by table; a test may change its own."""
    whose = {"entity_id": HOSTILE, "relation": "affiliate"}
    entry = {"source_table": "ledger_entries", "row_key": "entry-1", "source_file": FILE, "source_row": 7}
    held = {"wallet_id": "w-1", "asset": "USD", "in_kind_group": "USD"}
    return {
        "marts.fct_solvency_daily": [
            _solvency(FIRST, "covered", "1100", "0"),
            _solvency(LAST, "short", "900.25", "140.00000001"),
        ],
        "marts.fct_reserve_coverage_daily": [_group(FIRST, "39.75"), _group(LAST, "-140.00000001")],
        "marts.dim_asset": [{"asset": "USD", "asset_class": "fiat", "in_kind_group": "USD"}],
        "marts.dim_account": [
            {"account_id": DEBTOR, "account_class": "margin", "label": HOSTILE, **whose},
            {"account_id": "customer-1", "account_class": "spot", "entity_id": "c-1", "relation": "customer"},
        ],
        "marts.dim_entity": [{"name": "A & B <b>Ltd</b>", "entity_type": "company", **whose}],
        "marts.dim_entity_relation": [
            {**whose, "from_date": FIRST, "to_date": date(2026, 3, 6), "reason": "control", "evidence_path": "a -> b"}
        ],
        "marts.dim_wallet": [
            {"wallet_id": "w-1", "network": "bank", "purpose": "customer", "owner_entity_id": HOSTILE}
        ],
        "marts.fct_negative_balance_daily": [
            {
                "as_of_date": LAST,
                "account_id": DEBTOR,
                "account_class": "margin",
                "asset": "USD",
                "balance": DEBT,
                "value_usd": "-98765432109876543.21",
                "is_permitted": False,
                "reason": "below_maintenance_margin",
                **whose,
            }
        ],
        "marts.fct_account_equity_daily": [
            {
                "as_of_date": day,
                "account_id": DEBTOR,
                "equity_usd": "-60",
                "borrowing_usd": "70",
                "collateral_usd": "10",
            }
            for day in (FIRST, LAST)
        ],
        "marts.fct_account_privilege_daily": [
            {"as_of_date": day, "account_id": DEBTOR, "privileges": "credit_line", "credit_line_usd": "70"}
            for day in (FIRST, LAST)
        ],
        "marts.fct_affiliate_exposure_daily": [
            {"as_of_date": LAST, "entity_id": HOSTILE, "gross_borrowing_usd": "70", "uncollateralised_usd": "60"}
        ],
        "marts.fct_customer_liability_daily": [
            {
                "as_of_date": LAST,
                "asset": "USD",
                "relation": "customer",
                "liability": "600.5",
                "liability_usd": "600.5",
            },
            {"as_of_date": LAST, "asset": "USD", "relation": "affiliate", "liability": TINY, "liability_usd": "0"},
        ],
        "marts.fct_reserve_balance_daily": [
            {**held, "as_of_date": FIRST, "balance": "5", "balance_usd": "5", "eligible_usd": "5"},
            {**held, "as_of_date": FIRST, "asset": "BTC", "balance": "1", "eligible_usd": "0"},
            {**held, "as_of_date": LAST, "balance": "9", "balance_usd": "9", "eligible_usd": "0"}
            | {"eligible_quantity": "0", "reason": "not_operator"},
        ],
        "marts.fct_reserve_exclusion_daily": [
            {**held, "as_of_date": LAST, "quantity": "9", "value_usd": "9", "reason": "not_operator"}
        ],
        "audit.run": [_run()],
        "audit.finding": [
            OWES,
            finding(FIRST, "affiliate_privileges", "account", DEBTOR, impact_usd="70"),
            finding(LAST, "affiliate_privileges", "account", DEBTOR, impact_usd="70"),
            finding(LAST, "customer_funds_segregated", "wallet", "w-1", severity="warning"),
        ],
        "audit.finding_source": [
            {name: OWES[name] for name in ("as_of_date", "check_name", "subject_type", "subject_id", "asset")}
            | entry
            | {"position": 1, "rows_in_all": 3}
        ],
        "audit.source_row": [{**entry, "partition_date": LAST, "content": json.dumps(ENTRY)}],
        "audit.load": [
            {
                "run_id": "run-1",
                "table_name": "ledger_entries",
                "partition_date": LAST,
                "source_file": FILE,
                "sha256": "f00d" * 16,
                "rows": 12,
                "bytes": 3456,
                "modified_ns": 1,
                "outcome": "accepted",
                "load_number": 1,
            }
        ],
    }


def refused(message: str = "the load was refused") -> dict[str, list[Row]]:
    """A first run that was refused: findings of the load, no marts."""
    return {
        "audit.run": [_run("failed_integrity", is_accepted=False, message=message)],
        "audit.finding": [finding(LAST, "keys_unique", "key", HOSTILE, kind="integrity")],
    }
