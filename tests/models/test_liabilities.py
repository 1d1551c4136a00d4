"""Balances, liabilities, negative balances and equity, rule by rule, on books small enough to check by eye.

What belongs here: DOMAIN.md section 3. What doesn't: the engine's snapshots and management's figures
(``test_liabilities_reconciled.py``).
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

ENTITIES = [
    {"entity_id": "op", "entity_type": "operator", "name": "Exchange Ltd"},
    {"entity_id": "aff", "entity_type": "company"},
    {"entity_id": "turncoat", "entity_type": "company"},
    *({"entity_id": name, "entity_type": "customer"} for name in ("c1", "c2")),
]
ACCOUNTS = {
    "c1-spot": ("c1", "spot"),
    "c2-spot": ("c2", "spot"),
    "turncoat-spot": ("turncoat", "spot"),
    "aff-spot": ("aff", "spot"),
    "aff-margin": ("aff", "margin"),
    "op-house": ("op", "house"),
    "op-suspense": ("op", "suspense"),
    "external": ("op", "external"),
    **{
        f"m-{name}": ("c1", "margin") for name in ("enough", "short", "unpriced", "collateral", "own", "loss", "profit")
    },
}
ASSETS = {
    "USD": ("fiat", None),
    "BTC": ("crypto", "40000"),
    "ETH": ("crypto", "40000"),
    "USDC": ("stablecoin", "1"),
    "XT": ("exchange_token", "20"),
    "NEW": ("other", None),
    "TINY": ("crypto", "0.000000123456789123"),
}


class Ledger:
    """Entries as a ledger reads: account, asset, amount, moment."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def book(self, account: str, asset: str, amount: str, when: str = "2022-01-01T00:00:00", **columns: str) -> None:
        number = len(self.rows)
        self.rows.append(
            {
                "entry_id": f"e{number}",
                "transaction_id": f"t{number}",
                "account_id": account,
                "asset": asset,
                "amount": amount,
                "entry_type": "trade",
                "effective_at": when,
                "partition_date": when[:10],
                **columns,
            }
        )


def books() -> list[Row]:
    ledger = Ledger()
    # Late delivery, before the calendar, at the last and the first microsecond of a day.
    ledger.book("c1-spot", "BTC", "1", "2021-12-30T12:00:00", partition_date="2022-01-01")
    ledger.book("c1-spot", "BTC", "0.5", "2022-01-02T23:59:59.999999")
    ledger.book("c1-spot", "BTC", "0.25", "2022-01-03T00:00:00")
    ledger.book("c1-spot", "BTC", "100", "2022-01-04T00:00:00", partition_date="2022-01-03")
    ledger.book("c1-spot", "BTC", "100", "2022-01-02T00:00:00", partition_date="2022-01-04")
    # To and fro within a day, and back to zero.
    ledger.book("c2-spot", "USDC", "10", "2022-01-01T10:00:00")
    ledger.book("c2-spot", "USDC", "-4", "2022-01-01T11:00:00")
    ledger.book("c2-spot", "USDC", "-6", "2022-01-03T11:00:00")
    ledger.book("c2-spot", "TINY", "123456789.123456789123456789")
    # A customer until 2 January, with and without movement.
    ledger.book("turncoat-spot", "BTC", "3")
    ledger.book("turncoat-spot", "USD", "-50", "2022-01-01T10:00:00")
    ledger.book("turncoat-spot", "USD", "20", "2022-01-02T10:00:00")
    ledger.book("op-house", "USDC", "7")
    ledger.book("op-suspense", "USDC", "1000", "2022-01-02T10:00:00")
    ledger.book("op-suspense", "USDC", "-1001.5", "2022-01-03T10:00:00")
    ledger.book("external", "USDC", "-99999")
    ledger.book("external", "BTC", "99999")
    # Below zero by less than a dollar, by exactly one, and in an asset without a price.
    ledger.book("c1-spot", "USD", "-0.99999999")
    ledger.book("c2-spot", "USD", "-1")
    ledger.book("c1-spot", "NEW", "-0.000000999999999999")
    ledger.book("c2-spot", "NEW", "-0.000001")
    # Margin accounts that borrow 10,000 USD against ETH at 10 % haircut: 10,500 is enough and no cent less.
    ledger.book("m-enough", "USD", "-10000")
    ledger.book("m-enough", "ETH", "0.2916666666666667")
    ledger.book("m-short", "USD", "-10000")
    ledger.book("m-short", "ETH", "0.2916666")
    ledger.book("m-unpriced", "USD", "1000000")
    ledger.book("m-unpriced", "NEW", "-5")
    ledger.book("m-collateral", "USD", "-100")
    ledger.book("m-collateral", "NEW", "1000000")
    ledger.book("m-own", "USD", "-100")
    ledger.book("m-own", "XT", "1000000")
    ledger.book("m-loss", "USD", "1000")
    ledger.book("m-profit", "USD", "-1000")
    ledger.book("aff-margin", "USD", "-1000")
    ledger.book("aff-spot", "USD", "10")
    return ledger.rows


def position(account: str, instrument: str, profit: str, as_of: str = "2022-01-01T23:59:00") -> Row:
    return {
        "account_id": account,
        "instrument": instrument,
        "quantity": "1",
        "unrealised_pnl_usd": profit,
        "as_of": as_of,
    }


POSITIONS = [
    position("m-loss", "BTC-PERP", "-5", "2022-01-01T10:00:00"),
    position("m-loss", "BTC-PERP", "-1001"),
    position("m-profit", "BTC-PERP", "1050"),
    position("aff-margin", "BTC-PERP", "5000"),
    position("aff-margin", "ETH-PERP", "-30"),
    position("aff-spot", "ETH-PERP", "-11", "2022-01-02T00:00:00") | {"partition_date": "2022-01-01"},
]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    folder: Path = tmp_path_factory.mktemp("liabilities")
    rows = {
        "entities": ENTITIES,
        "entity_links": [
            {"parent_entity_id": "op", "child_entity_id": "aff", "link_type": "control"},
            {
                "parent_entity_id": "op",
                "child_entity_id": "turncoat",
                "link_type": "control",
                "valid_from": "2022-01-02T18:00:00",
                "valid_to": "2022-01-03T00:00:00",
            },
        ],
        "accounts": [
            {"account_id": account, "entity_id": entity, "account_class": account_class}
            for account, (entity, account_class) in ACCOUNTS.items()
        ],
        "tokens": [
            {"asset": asset, "asset_class": asset_class, "issuer_entity_id": "op" if asset == "XT" else None}
            for asset, (asset_class, _) in ASSETS.items()
        ],
        "token_prices": [
            {"asset": asset, "price_usd": usd, "source": "a", "as_of": f"{day}T20:00:00"}
            for asset, (_, usd) in ASSETS.items()
            if usd
            for day in (FIRST, SECOND, THIRD)
        ],
        "ledger_entries": books(),
        "open_positions": POSITIONS,
    }
    select = "fct_customer_liability_daily dim_account no_negative_balance no_negative_equity"
    return build_warehouse(folder, rows, first_date=FIRST, last_date=THIRD, select=select)


def owed(warehouse: Warehouse, asset: str, relation: str, column: str = "liability") -> list[Decimal | int | None]:
    rows = warehouse.query(
        f"select {column} as amount from marts.fct_customer_liability_daily"
        " where asset = ? and relation = ? order by as_of_date",
        asset,
        relation,
    )
    return [row["amount"] for row in rows]


def test_entries_count_on_their_day_as_far_as_known(warehouse: Warehouse) -> None:
    # 1 BTC of c1 from before the calendar and 3 of a customer who is an affiliate on 2 January only.
    assert owed(warehouse, "BTC", "customer") == [4, Decimal("1.5"), Decimal("4.75")]
    assert owed(warehouse, "BTC", "customer", "accounts") == [2, 1, 2]


def test_an_account_moves_with_its_owners_relation(warehouse: Warehouse) -> None:
    assert owed(warehouse, "BTC", "affiliate") == [3, 0]
    assert owed(warehouse, "USD", "affiliate", "receivable") == [1000, 1030, 1000]
    assert owed(warehouse, "USD", "affiliate", "accounts") == [2, 3, 2]


def test_nothing_is_netted(warehouse: Warehouse) -> None:
    # USD of customers: m-unpriced and m-loss are owed, the others owe.
    assert owed(warehouse, "USD", "customer") == [1001000] * 3
    owing = Decimal("0.99999999") + 1 + 10000 + 10000 + 100 + 100 + 1000
    assert owed(warehouse, "USD", "customer", "receivable") == [owing + 50, owing, owing + 30]


def test_suspense_belongs_to_customers_and_its_hole_to_the_owner(warehouse: Warehouse) -> None:
    assert owed(warehouse, "USDC", "customer") == [6, 1006, 0]
    assert owed(warehouse, "USDC", "operator") == [7, 7, 7]
    assert owed(warehouse, "USDC", "operator", "receivable") == [0, 0, Decimal("1.5")]


def test_values_are_exact_to_the_last_place(warehouse: Warehouse) -> None:
    quantity, usd = Decimal("123456789.123456789123456789"), Decimal("0.000000123456789123")
    assert owed(warehouse, "TINY", "customer", "liability_usd") == [(quantity * usd).quantize(Decimal("1e-8"))] * 3
    assert owed(warehouse, "NEW", "customer", "liability_usd") == [None] * 3


def test_totals_conserve_the_ledger(warehouse: Warehouse) -> None:
    rows = warehouse.query(
        "select asset, sum(liability) - sum(receivable) as net from marts.fct_customer_liability_daily"
        " where as_of_date = ? group by asset",
        THIRD,
    )
    expected: dict[str, Decimal] = {}
    for row in books():
        is_counted = row["effective_at"] < "2022-01-04" and row["partition_date"] < "2022-01-04"
        if is_counted and row["account_id"] != "external":
            expected[row["asset"]] = expected.get(row["asset"], Decimal(0)) + Decimal(row["amount"])
    assert {row["asset"]: row["net"] for row in rows} == expected


def negative(warehouse: Warehouse, account: str, asset: str, day: date = FIRST) -> Row:
    rows = warehouse.query(
        "select * from marts.fct_negative_balance_daily where account_id = ? and asset = ? and as_of_date = ?",
        account,
        asset,
        day,
    )
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize(
    ("account", "asset", "is_permitted", "reason"),
    [
        ("c1-spot", "USD", False, "dust"),
        ("c2-spot", "USD", False, "not_margin_account"),
        ("c1-spot", "NEW", False, "dust"),
        ("c2-spot", "NEW", False, "not_margin_account"),
        ("m-enough", "USD", True, "margin_covered"),
        ("m-short", "USD", False, "below_maintenance_margin"),
        ("m-unpriced", "NEW", False, "borrowing_unpriced"),
        ("m-collateral", "USD", False, "below_maintenance_margin"),  # what has no price is no collateral
        ("m-own", "USD", False, "below_maintenance_margin"),  # nor an own token without an independent market
        ("m-profit", "USD", True, "margin_covered"),
        ("aff-margin", "USD", False, "below_maintenance_margin"),  # an affiliate's profit counts nothing
    ],
)
def test_which_negative_balances_are_permitted(
    warehouse: Warehouse, account: str, asset: str, is_permitted: bool, reason: str
) -> None:
    row = negative(warehouse, account, asset)
    assert (row["is_permitted"], row["reason"]) == (is_permitted, reason)


def test_a_negative_balance_carries_its_days_relation_and_value(warehouse: Warehouse) -> None:
    relations = [negative(warehouse, "turncoat-spot", "USD", day)["relation"] for day in (FIRST, SECOND, THIRD)]
    assert relations == ["customer", "affiliate", "customer"]
    assert negative(warehouse, "turncoat-spot", "USD", SECOND)["value_usd"] == -30
    assert negative(warehouse, "c2-spot", "NEW")["value_usd"] is None


def test_equity_is_exact(warehouse: Warehouse) -> None:
    rows = warehouse.query("select * from marts.fct_account_equity_daily where as_of_date = ?", FIRST)
    equities = {row["account_id"]: row["equity_usd"] for row in rows}
    assert equities["m-enough"] == 500
    assert equities["m-loss"] == -1
    assert equities["m-profit"] == 50
    assert equities["aff-margin"] == -1030
    assert equities["aff-spot"] == -1
    assert equities["m-collateral"] == equities["m-own"] == -100


def found(warehouse: Warehouse, check: str, day: date) -> set[tuple[str, str | None]]:
    rows = warehouse.query(f"select subject_id, asset from findings.{check} where as_of_date = ?", day)
    return {(row["subject_id"], row["asset"]) for row in rows}


def test_negative_balances_are_found(warehouse: Warehouse) -> None:
    always = {
        ("c2-spot", "USD"),
        ("c2-spot", "NEW"),
        ("m-short", "USD"),
        ("m-unpriced", "NEW"),
        ("m-collateral", "USD"),
        ("m-own", "USD"),
        ("aff-margin", "USD"),
        ("turncoat-spot", "USD"),
    }
    assert found(warehouse, "no_negative_balance", FIRST) == always
    # The next days the positions that carried or sank an account are gone; the suspense account is overdrawn.
    assert found(warehouse, "no_negative_balance", SECOND) == always | {("m-profit", "USD")}
    assert found(warehouse, "no_negative_balance", THIRD) == always | {("m-profit", "USD"), ("op-suspense", "USDC")}


def test_negative_equity_is_found_beyond_dust(warehouse: Warehouse) -> None:
    # The others who owe have more than they owe in other assets.
    broke = {"m-collateral", "m-own", "aff-margin"}
    assert found(warehouse, "no_negative_equity", FIRST) == {(a, None) for a in broke | {"m-loss", "aff-spot"}}
    assert found(warehouse, "no_negative_equity", THIRD) == {(a, None) for a in broke | {"m-profit", "op-suspense"}}


def test_findings_carry_a_query_that_runs_and_an_impact(warehouse: Warehouse) -> None:
    for check in ("no_negative_balance", "no_negative_equity"):
        for row in warehouse.query(f"select * from findings.{check}"):
            assert len(warehouse.query(row["evidence"])) == 1
            assert row["message"].endswith(".")
            assert row["asset"] == "NEW" or row["impact_usd"] >= 1


def test_external_accounts_belong_to_the_operator(warehouse: Warehouse) -> None:
    rows = warehouse.query("select relation from marts.dim_account where account_id = 'external'")
    assert [row["relation"] for row in rows] == ["operator"]
