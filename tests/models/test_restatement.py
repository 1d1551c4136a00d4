"""What was said and is said differently: figures before and after, and the rows that moved them, run by run."""

from __future__ import annotations

import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import Runs
from tests.support.warehouse import Warehouse

FIRST = date(2022, 1, 1)
Row = dict[str, Any]


def day(number: int) -> date:
    """Day 1 is the first of the calendar."""
    return FIRST + timedelta(days=number - 1)


def pays(name: str, number: int, payer: str, payee: str, amount: str, kind: str = "trade", **columns: Any) -> list[Row]:
    """Two legs at noon of a numbered day."""
    return [
        {
            "entry_id": f"{name}-{account}",
            "transaction_id": name,
            "account_id": account,
            "asset": "USD",
            "amount": f"{sign}{amount}",
            "entry_type": kind,
            "effective_at": f"{day(number)}T12:00:00",
        }
        | columns
        for account, sign in ((payer, "-"), (payee, ""))
    ]


def known_on(number: int) -> Row:
    """Columns of a row that was recorded and delivered late, on a numbered day."""
    return {"recorded_at": f"{day(number)}T13:00:00", "partition_date": day(number)}


def balance(number: int, amount: str, **columns: Any) -> Row:
    return {"wallet_id": "bank", "asset": "USD", "balance": amount, "as_of": f"{day(number)}T23:00:00"} | columns


def price(number: int, amount: str, **columns: Any) -> Row:
    row = {"asset": "BTC", "price_usd": amount, "volume_usd": "1", "source": "x"}
    return row | {"as_of": f"{day(number)}T12:00:00"} | columns


def opening() -> dict[str, list[Row]]:
    owners = {"c1": "customer", "c2": "customer", "mm": "company", "op": "operator"}
    return {
        "entities": [{"entity_id": name, "entity_type": kind} for name, kind in owners.items()],
        "accounts": [
            {"account_id": name, "entity_id": name, "account_class": "fee" if name == "op" else "spot"}
            for name in owners
        ]
        + [{"account_id": "out", "entity_id": "op", "account_class": "external"}],
        "tokens": [{"asset": "USD", "asset_class": "fiat"}, {"asset": "BTC", "asset_class": "crypto"}],
        "wallets": [
            {
                "wallet_id": "bank",
                "network": "bank",
                "address": "1",
                "owner_entity_id": "op",
                "purpose": "customer",
                "custody": "bank",
                "encumbered_pct": "0",
                "ownership_proof": "bank_confirmation",
                "proven_at": "2021-12-15T00:00:00",
            }
        ],
        "ledger_entries": [
            *pays("open1", 1, "out", "c1", "1000", "opening"),
            *pays("open2", 1, "out", "mm", "100", "opening"),
            *pays("open3", 1, "out", "c2", "2", "opening", asset="BTC"),
        ],
        "wallet_balances": [balance(1, "1500")],
        "token_prices": [price(1, "40000")],
    }


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """A warehouse to which days 1 to 3 have been published."""
    told = Runs(tmp_path, FIRST)
    told.run("day 1", day(1), opening())
    for number in (2, 3):
        told.run(f"day {number}", day(number), {"wallet_balances": [balance(number, "1500")]})
    return told


def moved(warehouse: Warehouse, figure: str, subject: str = "exchange") -> list[tuple[Any, ...]]:
    rows = warehouse.query(
        "select as_of_date, run_id, amount_before, amount_after, difference, reason, entry_ids, entries, other_rows,"
        " others from marts.fct_restatement where figure = ? and subject = ? order by as_of_date, run_id",
        figure,
        subject,
    )
    return [tuple(row.values()) for row in rows]


def test_time(runs: Runs) -> None:
    started = time.process_time()
    warehouse = runs.run("day 4", day(4), {"wallet_balances": [balance(4, "1500")]})
    print("a run", time.process_time() - started)
    assert warehouse.query("from marts.fct_restatement") == []
    late = pays("late", 2, "c1", "c2", "30", **known_on(5))
    warehouse = runs.run("day 5", day(5), {"ledger_entries": late, "wallet_balances": [balance(5, "1500")]})
    for row in warehouse.query("from marts.fct_restatement order by all"):
        print(row)
