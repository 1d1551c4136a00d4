"""Coverage in kind, the day's solvency, and the checks on them.

What belongs here: DOMAIN.md section 4's gaps and the headline. What doesn't: why a balance counts
(``test_reserves_eligibility.py``).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest

from tests.support.reserve_books import ReserveBooks, day, found, moment
from tests.support.warehouse import Warehouse

CHECKS = "reserves_cover_liabilities total_reserves_cover_liabilities liquidity_covers_withdrawals"
Row = dict[str, Any]


def solvency(warehouse: Warehouse, number: int = 1) -> Row:
    return warehouse.query("select * from marts.fct_solvency_daily where as_of_date = ?", day(number))[0]


def coverage(warehouse: Warehouse, number: int = 1) -> dict[str, Row]:
    rows = warehouse.query("select * from marts.fct_reserve_coverage_daily where as_of_date = ?", day(number))
    return {row["in_kind_group"]: row for row in rows}


def held(books: ReserveBooks, **amounts: str) -> None:
    """One good wallet for each asset."""
    for asset, amount in amounts.items():
        books.wallet(f"w-{asset}")
        books.balance(f"w-{asset}", asset, amount)


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """Ten bitcoin owed of which nine are there, a surplus of dollars, many own tokens, a borrowing affiliate."""
    books = ReserveBooks()
    books.owed("c1", "BTC", "6")
    books.owed("parked", "BTC", "4")
    books.owed("c2", "USD", "1000")
    books.owed("c1", "USDC", "500")
    books.owed("c1", "XT", "30")
    books.owed("aff", "BTC", "2")
    books.entries(moment(1), "trade", ("aff", "USD", "-700"), ("c2", "USD", "700"))
    books.entries(moment(1), "trade", ("c1", "USD", "-40"), ("c2", "USD", "40"))
    held(books, BTC="9", USD="5000", USDC="600", XT="25")
    books.wallet("vault", purpose="house")
    books.balance("vault", "XT", "100000")
    books.wallet("theirs", owner_entity_id="aff")
    books.balance("theirs", "BTC", "3")
    books.wallet("copy", owner_entity_id="aff", address="address of theirs")
    books.balance("copy", "BTC", "3")
    return books.build(tmp_path_factory.mktemp("short"), f"{CHECKS} fct_reserve_exclusion_daily")


def test_gaps_are_in_kind_and_count_all_liabilities(short: Warehouse) -> None:
    groups = coverage(short)
    assert set(groups) == {"BTC", "USD", "XT"}
    btc, usd, own = groups["BTC"], groups["USD"], groups["XT"]
    assert (btc["liability"], btc["affiliate_claims"], btc["eligible_reserves"]) == (10, 2, 9)
    assert (btc["excluded_reserves"], btc["gap"], btc["gap_all_claims"], btc["gap_usd"]) == (6, -1, -3, -40000)
    assert (btc["coverage_ratio"], btc["price_usd"]) == (Decimal("0.9"), 40000)
    # 1,740 USD and 500 USDC against 5,000 and 600; what c1 and the affiliate owe is netted nowhere.
    assert (usd["liability"], usd["eligible_reserves"], usd["gap"]) == (2240, 5600, 3360)
    assert (own["liability"], own["eligible_reserves"], own["gap"], own["is_own_token"]) == (30, 25, -5, True)


def test_the_headline_offsets_nothing_and_the_net_gap_no_own_tokens(short: Warehouse) -> None:
    row = solvency(short)
    assert row["customer_liabilities_usd"] == 400000 + 1740 + 500 + 600
    assert row["customer_receivables_usd"] == 40
    assert row["eligible_reserves_usd"] == 360000 + 5000 + 600 + 500
    assert row["excluded_reserves_usd"] == 100000 * 20 + 2 * 120000
    assert row["in_kind_shortfall_usd"] == 40000 + 100
    assert row["net_gap_usd"] == -40000 - 100 + 3360
    assert row["affiliate_borrowing_usd"] == 700
    assert row["affiliate_uncollateralised_usd"] == 0
    # The affiliate's wallet is listed twice and counts once.
    assert row["group_assets_usd"] == 366100 + 2000000 + 120000
    assert row["own_token_assets_usd"] == 2000500
    assert row["own_token_share"] == round(Decimal(2000500) / Decimal(2486100), 12)
    assert (row["unpriced_assets"], row["status"]) == (0, "short")


def test_short_groups_and_a_short_total_are_found_every_day(short: Warehouse) -> None:
    days = (1, 2, 3)
    assert found(short, "reserves_cover_liabilities") == {(n, group, group) for n in days for group in ("BTC", "XT")}
    assert found(short, "total_reserves_cover_liabilities") == {(n, "exchange", None) for n in days}
    impacts = short.query("select impact_usd from findings.reserves_cover_liabilities where asset = 'BTC'")
    assert {row["impact_usd"] for row in impacts} == {40000}


def test_own_tokens_cover_nothing_but_themselves(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.owed("c1", "BTC", "1")
    books.owed("c1", "XT", "10")
    held(books, XT="1000000")
    warehouse = books.build(tmp_path, CHECKS)
    assert solvency(warehouse)["net_gap_usd"] == -40000
    assert found(warehouse, "reserves_cover_liabilities") == {(1, "BTC", "BTC")}


def test_a_surplus_of_another_asset_hides_no_shortfall(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.owed("c1", "BTC", "1")
    held(books, BTC="0.999999999999999999", USD="1000000")
    warehouse = books.build(tmp_path, CHECKS)
    assert found(warehouse, "reserves_cover_liabilities") == {(1, "BTC", "BTC")}
    assert found(warehouse, "total_reserves_cover_liabilities") == set()
    assert coverage(warehouse)["BTC"]["gap"] == Decimal("-1e-18")
    assert solvency(warehouse)["status"] == "short"


def test_equal_is_enough(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.owed("c1", "BTC", "1.000000000000000001")
    held(books, BTC="1.000000000000000001")
    warehouse = books.build(tmp_path, CHECKS)
    assert found(warehouse, "reserves_cover_liabilities") == set()
    assert solvency(warehouse)["status"] == "covered"


@pytest.mark.parametrize(
    ("price", "eligible"),
    [("0.99", "300"), ("0.989999999999999999", "296.9999999999999997"), ("0.7", "210"), ("1.5", "300"), (None, "300")],
)
def test_a_reserve_below_parity_counts_at_the_ratio_of_the_prices(
    price: str | None, eligible: str, tmp_path: Path
) -> None:
    books = ReserveBooks(days=1)
    books.prices = {"BTC": "40000", "XT": "20"} | ({"USDC": price} if price else {})
    books.owed("c1", "USDC", "200")
    books.owed("c1", "USD", "50")
    held(books, USDC="300")
    group = coverage(books.build(tmp_path, CHECKS))["USD"]
    assert (group["liability"], group["eligible_reserves"]) == (250, Decimal(eligible))
    assert group["gap"] == Decimal(eligible) - 250


def test_a_ratio_that_does_not_end_is_rounded_once(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.prices = {"BTC": "0.97", "XT": "20"}
    books.owed("c1", "BTC", "1")
    held(books, BTC="123456789.123456789123456789")
    # The same coin under a name that stands for one worth three times as much.
    books.prices["WRAPPED"] = "0.32"
    books.wallet("w-WRAPPED")
    books.balance("w-WRAPPED", "WRAPPED", "987654321.987654321987654321")
    books.tokens["WRAPPED"] = {"asset_class": "crypto", "in_kind_group": "BTC"}
    group = coverage(books.build(tmp_path, CHECKS))["BTC"]
    with localcontext() as context:
        context.prec = 80
        stands_for = Decimal("987654321.987654321987654321") * Decimal("0.32") / Decimal("0.97")
        expected = Decimal("123456789.123456789123456789") + stands_for.quantize(Decimal("1e-18"), ROUND_HALF_UP)
    assert group["eligible_reserves"] == expected


def test_policy_may_ask_for_more_and_for_other_groups(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.owed("c1", "BTC", "10")
    books.owed("aff", "BTC", "1")
    books.owed("c1", "USD", "100")
    books.owed("c1", "USDC", "100")
    books.owed("c1", "XT", "100")
    held(books, BTC="11", USD="101", USDC="150", XT="100")
    policy = """
coverage: {min_coverage: 1.05, min_coverage_by_group: {BTC: 1.2, XT: 0.5}, not_redeemable: [USDC]}
"""
    warehouse = books.build(tmp_path, CHECKS, policy)
    groups = coverage(warehouse)
    assert {name: row["gap"] for name, row in groups.items()} == {"BTC": -1, "USD": -4, "USDC": 45, "XT": 50}
    assert groups["BTC"]["gap_all_claims"] == Decimal("-2.2")
    # The own token's surplus, which only exists because policy asks for half, offsets nothing.
    assert solvency(warehouse)["net_gap_usd"] == -40000 - 4 + 45
    assert found(warehouse, "reserves_cover_liabilities") == {(1, "BTC", "BTC"), (1, "USD", "USD")}


def test_a_balance_without_a_price_is_in_kind_and_in_no_total(tmp_path: Path) -> None:
    books = ReserveBooks(days=2)
    books.owed("c1", "NOP", "5")
    books.owed("c1", "USD", "5")
    held(books, NOP="3", USD="10")
    warehouse = books.build(tmp_path, CHECKS)
    group = coverage(warehouse)["NOP"]
    assert (group["gap"], group["price_usd"], group["gap_usd"]) == (-2, None, None)
    row = solvency(warehouse)
    assert (row["customer_liabilities_usd"], row["eligible_reserves_usd"], row["in_kind_shortfall_usd"]) == (5, 10, 0)
    assert (row["unpriced_assets"], row["status"], row["coverage_ratio"]) == (1, "incomplete", 2)
    assert found(warehouse, "reserves_cover_liabilities") == {(1, "NOP", "NOP"), (2, "NOP", "NOP")}
    assert warehouse.query("select distinct impact_usd from findings.reserves_cover_liabilities") == [
        {"impact_usd": None}
    ]


def test_every_day_of_the_calendar_has_a_row(tmp_path: Path) -> None:
    warehouse = ReserveBooks(days=3).build(tmp_path, CHECKS)
    rows = warehouse.query("select * from marts.fct_solvency_daily order by as_of_date")
    assert [row["as_of_date"] for row in rows] == [day(1), day(2), day(3)]
    for row in rows:
        assert (row["customer_liabilities_usd"], row["coverage_ratio"], row["status"]) == (0, None, "covered")
        assert (row["own_token_share"], row["unpriced_assets"]) == (None, 0)


def test_values_are_rounded_half_up_per_wallet_and_huge_ones_do_not_overflow(tmp_path: Path) -> None:
    books = ReserveBooks(days=1)
    books.prices = {"BTC": "0.5", "XT": "1000000"}
    for name in ("a", "b"):
        books.wallet(name)
        books.balance(name, "BTC", "0.00000001")
    books.wallet("whale")
    books.balance("whale", "USD", "1000000000000000.123456789")
    row = solvency(books.build(tmp_path, CHECKS))
    assert row["eligible_reserves_usd"] == Decimal("1000000000000000.12345681")


def liquid_books() -> ReserveBooks:
    """Day 2: customers withdraw 3 + 1 bitcoin, the affiliate 50; a hot wallet of four remains."""
    books = ReserveBooks(days=10)
    for name, custody in {"hot": "hot", "cold": "cold", "unproven": "hot"}.items():
        books.wallet(name, custody=custody, **({"ownership_proof": "none"} if name == "unproven" else {}))
        books.balance(name, "BTC", "4" if name == "hot" else "100")
    books.deposit(moment(2), "c1", "BTC", "-3", "t1")
    books.deposit(moment(2), "c2", "BTC", "-1", "t2")
    books.deposit(moment(2), "aff", "BTC", "-50", "t3")
    books.deposit(moment(4), "c1", "BTC", "-0.5", "t4")
    books.deposit(moment(2), "c1", "BTC", "900", "t5")
    return books


def test_liquid_reserves_that_equal_the_largest_day_are_enough(tmp_path: Path) -> None:
    warehouse = liquid_books().build(tmp_path, CHECKS)
    assert found(warehouse, "liquidity_covers_withdrawals") == set()
    rows = warehouse.query("select * from marts.fct_liquidity_daily order by as_of_date")
    assert [(row["as_of_date"], row["largest_withdrawals"], row["withdrawn_on"]) for row in rows] == [
        *((day(number), 4, day(2)) for number in range(2, 9)),
        *((day(number), Decimal("0.5"), day(4)) for number in (9, 10)),
    ]


def test_too_little_at_hand_is_found_while_the_day_is_in_the_window(tmp_path: Path) -> None:
    books = liquid_books()
    books.deposit(moment(3), "parked", "BTC", "-4.000000000000000001", "t6")
    warehouse = books.build(tmp_path, CHECKS)
    assert found(warehouse, "liquidity_covers_withdrawals") == {(number, "BTC", "BTC") for number in range(3, 10)}
