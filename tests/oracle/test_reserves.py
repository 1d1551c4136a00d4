"""Eligibility in order, caps, deductions, parity and gaps, by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from tests.oracle.exchange import Exchange
from tests.oracle.findings import wallet_rolls_forward, wallets_counted_once
from tests.oracle.marts import solvency_row
from tests.oracle.small_books import DAY, entry, exchange

SECOND = date(2026, 1, 2)


def world(
    wallets: list[dict[str, Any]], balances: list[dict[str, Any]], *entries: dict[str, Any], **tables: Any
) -> Exchange:
    tables.setdefault("token_prices", [{"asset": "BTC", "price_usd": "100"}, {"asset": "USDC", "price_usd": "0.98"}])
    return exchange(
        last=SECOND,
        entities=[{"entity_id": "alpha"}, {"entity_id": "customer", "entity_type": "customer"}],
        entity_links=[{"parent_entity_id": "operator", "child_entity_id": "alpha", "link_type": "control"}],
        accounts=[
            {"account_id": "spot", "entity_id": "customer"},
            {"account_id": "affiliate", "entity_id": "alpha"},
        ],
        tokens=[
            {"asset": "BTC"},
            {"asset": "USD", "asset_class": "fiat"},
            {"asset": "USDC", "asset_class": "stablecoin", "in_kind_group": "USD"},
            {"asset": "ONE", "issuer_entity_id": "operator"},
        ],
        wallets=wallets,
        wallet_balances=balances,
        ledger_entries=list(entries),
        **tables,
    )


def wallet(name: str, **values: Any) -> dict[str, Any]:
    return {"wallet_id": name, "address": name, **values}


def holds(name: str, balance: str, asset: str = "BTC", **values: Any) -> dict[str, Any]:
    return {"wallet_id": name, "asset": asset, "balance": balance, **values}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, None),
        ({"owner_entity_id": "alpha", "purpose": "house"}, "not_operator"),
        ({"purpose": "house", "custody": "venue"}, "not_customer_purpose"),
        ({"custody": "staked", "ownership_proof": "none"}, "custody"),
        ({"ownership_proof": "none"}, "unproven"),
        ({"proven_at": None}, "unproven"),
        ({"proven_at": "2025-10-02"}, None),  # 92 days before 2026-01-02 00:00
        ({"proven_at": "2025-10-01 23:59:59"}, "unproven"),
        ({"encumbered_pct": "12.5"}, "encumbered"),
    ],
)
def test_the_first_rule_that_fails_is_the_reason(values: dict[str, Any], reason: str | None) -> None:
    rows = world([wallet("w", **values)], [holds("w", "8")]).reserves.exclusion_rows(DAY)
    assert [row["reason"] for row in rows] == ([] if reason is None else [reason])


def test_the_encumbered_share_is_deducted() -> None:
    exchange_ = world([wallet("w", encumbered_pct="12.5")], [holds("w", "8")])
    assert exchange_.reserves.coverage(DAY)["BTC"].eligible == 7
    assert exchange_.reserves.exclusion_rows(DAY)[0]["quantity"] == 1


def test_an_address_under_two_wallets_counts_for_neither() -> None:
    listed_twice = [
        wallet("a", network="Ethereum", address="0xABC", purpose="house"),
        wallet("b", network="ethereum", address=" 0xabc"),
    ]
    exchange_ = world(listed_twice, [holds("a", "1"), holds("b", "1")])
    assert {row["reason"] for row in exchange_.reserves.exclusion_rows(DAY)} == {"duplicate_address"}
    assert set(wallets_counted_once(exchange_, DAY)) == {("a", ""), ("b", "")}


def test_a_rule_must_hold_all_day() -> None:
    versions = [
        wallet("w", owner_entity_id="alpha", valid_to="2026-01-01 08:00"),
        wallet("w", valid_from="2026-01-01 08:00"),
    ]
    exchange_ = world(versions, [holds("w", "1"), holds("w", "1", as_of="2026-01-03", partition="2026-01-02")])
    assert [row["reason"] for row in exchange_.reserves.exclusion_rows(DAY)] == ["not_operator"]
    assert exchange_.reserves.exclusion_rows(SECOND) == []


def test_a_wallet_that_left_the_register_during_the_day_is_not_the_operators_all_day() -> None:
    exchange_ = world([wallet("w", valid_to="2026-01-01 18:00")], [holds("w", "1")])
    assert [row["reason"] for row in exchange_.reserves.exclusion_rows(DAY)] == ["not_operator"]


def test_a_wallet_that_left_at_midnight_was_there_all_day() -> None:
    exchange_ = world([wallet("w", valid_to="2026-01-02")], [holds("w", "1")])
    assert exchange_.reserves.exclusion_rows(DAY) == []
    assert exchange_.reserves.exclusion_rows(SECOND) == []


def test_a_silent_wallet_is_kept_with_what_it_last_held() -> None:
    rows = world([wallet("w")], [holds("w", "1")]).reserves.exclusion_rows(SECOND)
    assert [(row["reason"], row["quantity"]) for row in rows] == [("no_balance", 1)]


def test_own_tokens_count_up_to_what_is_owed_in_them() -> None:
    exchange_ = world([wallet("w")], [holds("w", "500", "ONE")], entry("spot", "ONE", "120"))
    line = exchange_.reserves.coverage(DAY)["ONE"]
    assert (line.eligible, line.excluded, exchange_.reserves.gap("ONE", DAY)) == (120, 380, 0)


def test_own_tokens_at_hand_count_before_those_in_a_vault() -> None:
    wallets = [wallet("a vault", address="a"), wallet("hot", address="h", custody="hot")]
    exchange_ = world(wallets, [holds("a vault", "500", "ONE"), holds("hot", "60", "ONE")], entry("spot", "ONE", "100"))
    assert {held.wallet_id: held.eligible for held in exchange_.reserves.holdings(DAY)} == {"a vault": 40, "hot": 60}


def test_a_dollar_of_own_token_does_not_cover_a_bitcoin() -> None:
    # 2 BTC owed, 1 held: short by 1 x 100; the USD surplus of 30 offsets only in net_gap_usd: 30 - 100
    exchange_ = world(
        [wallet("w"), wallet("u"), wallet("o")],
        [holds("w", "1"), holds("u", "30", "USD"), holds("o", "1000", "ONE")],
        entry("spot", "BTC", "2"),
        entry("affiliate", "BTC", "5"),
    )
    row = solvency_row(exchange_, DAY)
    assert (row["in_kind_shortfall_usd"], row["net_gap_usd"]) == (100, -70)
    coverage = {line["in_kind_group"]: line for line in exchange_.reserves.coverage_rows(DAY)}["BTC"]
    assert (coverage["gap"], coverage["gap_all_claims"], coverage["coverage_ratio"]) == (-1, -6, Decimal("0.5"))


@pytest.mark.parametrize(("price", "counted"), [("0.99", "100"), ("0.989999", "98.9999"), ("1.02", "100")])
def test_an_asset_off_parity_counts_at_the_ratio_of_the_prices(price: str, counted: str) -> None:
    prices = [{"asset": "USDC", "price_usd": price}]
    exchange_ = world([wallet("w")], [holds("w", "100", "USDC")], entry("spot", "USDC", "100"), token_prices=prices)
    line = exchange_.reserves.coverage(DAY)["USD"]
    assert (line.eligible, line.liability) == (Decimal(counted), 100)


def test_balances_roll_forward_with_the_transfers_between_them() -> None:
    # 10, then +5 at midnight (counts for the second day) and -2: 13 is right, 14.02 is 1.02 x 100 USD too many
    moves = [
        {"transfer_id": "x1", "wallet_id": "w", "asset": "BTC", "amount": "5", "block_time": "2026-01-02"},
        {"transfer_id": "x2", "wallet_id": "w", "asset": "BTC", "amount": "-2", "block_time": "2026-01-02 23:59:59"},
    ]
    next_day = {"as_of": "2026-01-03", "partition": "2026-01-02"}
    for balance, expected in (("13", set()), ("13.01", set()), ("13.0101", {("w", "BTC")})):
        balances = [holds("w", "10"), holds("w", balance, **next_day)]
        assert set(wallet_rolls_forward(world([wallet("w")], balances, wallet_transfers=moves), SECOND)) == expected


def test_a_first_balance_after_the_first_day_needs_its_transfers() -> None:
    balances = [holds("w", "10", as_of="2026-01-03", partition="2026-01-02")]
    assert set(wallet_rolls_forward(world([wallet("w")], balances), SECOND)) == {("w", "BTC")}
