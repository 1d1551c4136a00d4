"""Daily prices and the three checks on them.

What belongs here: which source rows count, the volume-weighted lower median, age, spread, reviewed zeros. What doesn't:
own tokens and what they would fetch (``test_tokens.py``).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.warehouse import Warehouse, build_warehouse

Row = dict[str, Any]
FIRST, SECOND, THIRD = date(2022, 1, 1), date(2022, 1, 2), date(2022, 1, 3)


def price(asset: str, source: str, usd: str, volume: str | None = None, as_of: str = "2022-01-01T20:00:00") -> Row:
    return {"asset": asset, "source": source, "price_usd": usd, "volume_usd": volume, "as_of": as_of}


PRICES = [
    price("WEIGHTED", "a", "10", "1"),
    price("WEIGHTED", "b", "11", "1"),
    price("WEIGHTED", "c", "12", "2"),
    price("HEAVY", "a", "10", "1"),
    price("HEAVY", "b", "10.1", "7.000000000000000001"),
    price("HEAVY", "c", "10.2", "6"),
    price("NOVOLUME", "a", "4"),
    price("NOVOLUME", "b", "1", "0"),
    price("NOVOLUME", "c", "3"),
    price("NOVOLUME", "d", "2"),
    price("PARTLY", "a", "1.00"),
    price("PARTLY", "b", "1.01", "5"),
    price("LASTROW", "a", "7", as_of="2022-01-01T08:00:00"),
    price("LASTROW", "a", "8", as_of="2022-01-01T23:59:59.999999"),
    price("LASTROW", "a", "9", as_of="2022-01-02T00:00:00") | {"partition_date": "2022-01-01"},
    price("FUTURE", "a", "5", as_of="2022-01-01T08:00:00"),
    price("FUTURE", "a", "6", as_of="2022-01-01T09:00:00") | {"partition_date": "2022-01-04"},
    price("USD", "a", "0.97"),
    price("ZERO", "a", "0"),
    price("ZERO", "b", "-1"),
    price("OLD", "a", "1", as_of="2022-01-01T12:00:00"),
    price("OLDER", "a", "1", as_of="2022-01-01T11:59:59"),
    price("NEAR", "a", "100"),
    price("NEAR", "b", "105"),
    price("APART", "a", "100"),
    price("APART", "b", "105.000000000000000001"),
    price("OURS", "Exchange Ltd", "1"),
    price("OURS", "OP", "1"),
    price("BOTH", "op", "1"),
    price("BOTH", "a", "1"),
]
OWED = ["WEIGHTED", "OLD", "OLDER", "NEAR", "APART", "UNPRICED", "OWED_TO_AFFILIATE"]


def entry(number: int, account: str, asset: str, amount: str) -> Row:
    return {
        "entry_id": f"e{number}",
        "transaction_id": f"t{number}",
        "account_id": account,
        "asset": asset,
        "amount": amount,
        "entry_type": "opening",
        "effective_at": "2022-01-01T00:00:00",
    }


def wallet(name: str, purpose: str) -> Row:
    return {
        "wallet_id": name,
        "network": "ethereum",
        "address": f"address of {name}",
        "owner_entity_id": "op",
        "purpose": purpose,
        "custody": "cold",
        "encumbered_pct": "0",
        "ownership_proof": "signature",
        "proven_at": "2022-01-01",
    }


def held(wallet_id: str, asset: str) -> list[Row]:
    return [
        {"wallet_id": wallet_id, "asset": asset, "balance": "5", "as_of": f"{day}T23:00:00"}
        for day in (FIRST, SECOND, THIRD)
    ]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    accounts = {"OWED_TO_AFFILIATE": "a1"}
    entries = [entry(n, accounts.get(asset, "c1"), asset, "1000") for n, asset in enumerate(OWED)]
    entries += [entry(90, "c1", "UNPRICED_DUST", "0.000000999999999999"), entry(91, "o1", "OWED_TO_NOBODY", "1000")]
    entries += [entry(92, "c1", "BORROWED_UNPRICED", "-1"), entry(93, "c1", "ZERO", "0.000001")]
    assets = {row["asset"] for row in PRICES} | {row["asset"] for row in entries} | {"RESERVE_ONLY", "HOUSE_ONLY"}
    rows = {
        "entities": [
            {"entity_id": "op", "entity_type": "operator", "name": "Exchange Ltd"},
            {"entity_id": "aff", "entity_type": "company"},
            {"entity_id": "c", "entity_type": "customer"},
        ],
        "entity_links": [
            {"parent_entity_id": "op", "child_entity_id": "aff", "link_type": "control"},
        ],
        "accounts": [
            {"account_id": "c1", "entity_id": "c", "account_class": "spot"},
            {"account_id": "a1", "entity_id": "aff", "account_class": "spot"},
            {"account_id": "o1", "entity_id": "op", "account_class": "house"},
        ],
        "tokens": [{"asset": asset, "asset_class": "crypto"} for asset in sorted(assets)],
        "token_prices": PRICES,
        "ledger_entries": entries,
        "wallets": [wallet("w-customer", "customer"), wallet("w-house", "house")],
        "wallet_balances": held("w-customer", "RESERVE_ONLY") + held("w-house", "HOUSE_ONLY"),
    }
    folder: Path = tmp_path_factory.mktemp("prices")
    select = "fct_price_daily prices_complete prices_fresh prices_agree"
    return build_warehouse(folder, rows, first_date=FIRST, last_date=THIRD, select=select)


def quoted(warehouse: Warehouse, asset: str, day: date = FIRST) -> Row:
    rows = warehouse.query("select * from marts.fct_price_daily where asset = ? and as_of_date = ?", asset, day)
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize(
    ("asset", "day", "expected"),
    [
        ("WEIGHTED", FIRST, "11"),  # half of the volume is reached, not passed
        ("HEAVY", FIRST, "10.1"),
        ("NOVOLUME", FIRST, "2"),
        ("PARTLY", FIRST, "1.01"),
        ("LASTROW", FIRST, "8"),
        ("LASTROW", SECOND, "9"),  # midnight is the next day's
        ("WEIGHTED", THIRD, "11"),  # carried forward
        ("FUTURE", FIRST, "5"),  # delivered after the run's last date
        ("USD", FIRST, "1"),
    ],
)
def test_daily_price(warehouse: Warehouse, asset: str, day: date, expected: str) -> None:
    assert quoted(warehouse, asset, day)["price_usd"] == Decimal(expected)


def test_an_asset_without_a_price_is_null_and_not_missing(warehouse: Warehouse) -> None:
    for asset in ("UNPRICED", "ZERO"):
        row = quoted(warehouse, asset)
        assert (row["price_usd"], row["price_basis"], row["sources"]) == (None, None, 0)


def test_every_asset_has_a_row_on_every_day(warehouse: Warehouse) -> None:
    counts = warehouse.query("select count(*) as days from marts.fct_price_daily group by asset")
    assert {row["days"] for row in counts} == {3}


def test_the_operators_venue_is_known_by_id_and_name(warehouse: Warehouse) -> None:
    assert quoted(warehouse, "OURS")["only_own_venue"] is True
    assert quoted(warehouse, "BOTH")["only_own_venue"] is False


def test_spread_is_a_share_of_the_price(warehouse: Warehouse) -> None:
    assert quoted(warehouse, "NEAR")["spread_pct"] == Decimal(5)
    assert quoted(warehouse, "NOVOLUME")["spread_pct"] == Decimal(150)


def found(warehouse: Warehouse, check: str) -> set[tuple[str, date, str | None]]:
    rows = warehouse.query(f"select subject_id, as_of_date, severity, asset from findings.{check}")
    assert all(row["asset"] == row["subject_id"] for row in rows)
    return {(row["subject_id"], row["as_of_date"], row["severity"]) for row in rows}


def test_only_what_is_owed_or_reserved_needs_a_price(warehouse: Warehouse) -> None:
    days = (FIRST, SECOND, THIRD)
    critical = {(asset, day, None) for asset in ("UNPRICED", "OWED_TO_AFFILIATE", "BORROWED_UNPRICED") for day in days}
    # A balance of exactly the dust limit isn't dust; rows at or below zero are no prices.
    critical |= {("ZERO", day, None) for day in days}
    warnings = {("RESERVE_ONLY", day, "warning") for day in days}
    assert found(warehouse, "prices_complete") == critical | warnings


def test_a_price_is_fresh_for_36_hours(warehouse: Warehouse) -> None:
    stale = {("OLDER", SECOND, None)} | {
        (asset, THIRD, None) for asset in ("OLD", "OLDER", "WEIGHTED", "NEAR", "APART")
    }
    assert found(warehouse, "prices_fresh") == stale


def test_sources_may_be_five_percent_apart(warehouse: Warehouse) -> None:
    apart = {asset for asset, _, _ in found(warehouse, "prices_agree")}
    assert apart == {"APART", "WEIGHTED", "NOVOLUME"}


def test_findings_carry_a_query_that_runs_and_an_impact(warehouse: Warehouse) -> None:
    for check in ("prices_complete", "prices_fresh", "prices_agree"):
        for row in warehouse.query(f"select * from findings.{check}"):
            assert len(warehouse.query(row["evidence"])) == 1
            assert row["impact_usd"] is None or row["impact_usd"] >= 0
    impacts = warehouse.query("select impact_usd from findings.prices_fresh where subject_id = 'OLDER'")
    assert [row["impact_usd"] for row in impacts] == [Decimal(1000)] * 2
