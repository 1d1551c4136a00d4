"""Balances, what is owed, equity and permitted negatives, by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.oracle.exchange import Exchange
from tests.oracle.findings import ledger_balances, no_negative_balance, no_negative_equity
from tests.oracle.marts import liability_rows
from tests.oracle.small_books import DAY, entry, exchange

ACCOUNTS: list[dict[str, Any]] = [
    {"account_id": "spot", "entity_id": "customer"},
    {"account_id": "margin", "entity_id": "customer", "account_class": "margin"},
    {"account_id": "affiliate", "entity_id": "alpha", "account_class": "margin"},
    {"account_id": "suspense", "entity_id": "alpha", "account_class": "suspense"},
    {"account_id": "external", "entity_id": "operator", "account_class": "external"},
]


def book(*entries: dict[str, Any], **tables: list[dict[str, Any]]) -> Exchange:
    return exchange(
        last=date(2026, 1, 2),
        entities=[{"entity_id": "customer", "entity_type": "customer"}, {"entity_id": "alpha"}],
        entity_links=[{"parent_entity_id": "operator", "child_entity_id": "alpha", "link_type": "control"}],
        accounts=ACCOUNTS,
        tokens=[
            {"asset": "USD", "asset_class": "fiat"},
            {"asset": "BTC"},
            {"asset": "USDC", "asset_class": "stablecoin", "in_kind_group": "USD"},
            {"asset": "DEAD"},
        ],
        token_prices=[{"asset": "BTC", "price_usd": "100"}, {"asset": "USDC", "price_usd": "1"}],
        ledger_entries=list(entries),
        **tables,
    )


def test_nothing_is_netted_between_accounts() -> None:
    world = book(entry("spot", "BTC", "3"), entry("margin", "BTC", "-1"), entry("external", "BTC", "-2"))
    owed = world.ledger.owed(DAY)["BTC", "customer"]
    assert (owed.liability, owed.receivable, owed.accounts) == (3, 1, 2)


def test_a_day_is_half_open() -> None:
    world = book(
        entry("spot", "BTC", "1", effective_at="2026-01-01 23:59:59.999999"),
        entry("spot", "BTC", "2", effective_at="2026-01-02 00:00"),
    )
    assert world.ledger.balances(DAY) == {("spot", "BTC"): Decimal(1)}
    assert world.ledger.balances(date(2026, 1, 2)) == {("spot", "BTC"): Decimal(3)}


def test_money_in_suspense_is_owed_to_customers_whoever_holds_the_account() -> None:
    world = book(entry("suspense", "USD", "8"), entry("affiliate", "USD", "2"))
    assert world.ledger.liability("USD", DAY) == 8
    assert world.ledger.liability("USD", DAY, "affiliate") == 2


def test_a_suspense_account_below_zero_is_its_holders_debt() -> None:
    world = book(entry("suspense", "USD", "-8"))
    assert world.ledger.owed(DAY)["USD", "affiliate"].receivable == 8


def test_value_is_rounded_half_up_at_eight_places() -> None:
    # 0.000000005 x 1 USD
    rows = liability_rows(book(entry("spot", "USD", "0.000000005")), DAY)
    assert rows[0]["liability_usd"] == Decimal("0.00000001")


def test_a_balance_without_a_price_has_no_value() -> None:
    rows = liability_rows(book(entry("spot", "DEAD", "5")), DAY)
    assert rows[0]["liability"] == 5
    assert rows[0]["liability_usd"] is None


def test_equity_takes_haircuts_from_collateral_and_none_from_debt() -> None:
    # 1 BTC x 100 x 0.90 + 10 USDC x 0.98 - 60 USD = 90 + 9.8 - 60 = 39.8
    world = book(entry("margin", "BTC", "1"), entry("margin", "USDC", "10"), entry("margin", "USD", "-60"))
    equity = world.equities.of_account("margin", DAY)
    assert equity.equity_usd == Decimal("39.8")
    assert equity.borrowing_usd == 60
    assert not set(no_negative_balance(world, DAY))


def test_maintenance_margin_is_five_percent_of_the_borrowing() -> None:
    # 90 after haircut; 85.714285 x 1.05 = 89.99999925 is enough, 85.72 x 1.05 = 90.006 isn't
    enough = book(entry("margin", "BTC", "1"), entry("margin", "USD", "-85.714285"))
    too_much = book(entry("margin", "BTC", "1"), entry("margin", "USD", "-85.72"))
    assert not set(no_negative_balance(enough, DAY))
    assert set(no_negative_balance(too_much, DAY)) == {("margin", "USD")}
    assert not set(no_negative_equity(too_much, DAY))


def test_a_spot_account_may_never_be_negative_beyond_dust() -> None:
    world = book(entry("spot", "BTC", "5"), entry("spot", "USD", "-1"), entry("spot", "USDC", "-0.99"))
    assert set(no_negative_balance(world, DAY)) == {("spot", "USD")}


def test_dust_without_a_price_is_counted_in_units() -> None:
    world = book(entry("spot", "DEAD", "-0.000001"), entry("margin", "DEAD", "-0.0000009"))
    assert set(no_negative_balance(world, DAY)) == {("spot", "DEAD")}


def test_a_customers_profit_counts_and_an_affiliates_does_not() -> None:
    positions = [
        {"account_id": "margin", "unrealised_pnl_usd": "20"},
        {"account_id": "affiliate", "unrealised_pnl_usd": "20"},
        {"account_id": "affiliate", "unrealised_pnl_usd": "-7", "instrument": "OTHER"},
    ]
    world = book(entry("margin", "USD", "-10"), entry("affiliate", "USD", "-10"), open_positions=positions)
    assert world.equities.of_account("margin", DAY).equity_usd == 10
    assert world.equities.of_account("affiliate", DAY).equity_usd == -17
    assert set(no_negative_equity(world, DAY)) == {("affiliate", "")}


def test_a_position_is_not_carried_to_a_day_without_one() -> None:
    world = book(open_positions=[{"account_id": "margin", "unrealised_pnl_usd": "-20"}])
    assert set(no_negative_equity(world, DAY)) == {("margin", "")}
    assert not set(no_negative_equity(world, date(2026, 1, 2)))


def test_a_transaction_sums_to_zero_in_each_asset() -> None:
    world = book(
        entry("spot", "BTC", "1", transaction_id="good"),
        entry("margin", "BTC", "-1", transaction_id="good"),
        entry("spot", "BTC", "1", transaction_id="bad"),
        entry("margin", "USDC", "-1", transaction_id="bad"),
    )
    assert ledger_balances(world) == {"bad"}
