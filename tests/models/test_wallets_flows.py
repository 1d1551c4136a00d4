"""Transfers against balances, against the ledger, and around snapshots; wallets that fall empty or silent.

What belongs here: ``wallet_rolls_forward``, ``deposits_withdrawals_match``, ``reserves_not_window_dressed``,
``reserve_not_drained``, ``reported_reserves_match``. What doesn't: eligibility and coverage.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.reserve_books import ReserveBooks, day, found, moment
from tests.support.warehouse import Warehouse

ROLLS = "wallet_rolls_forward"
MATCH = "deposits_withdrawals_match"
DRESSED = "reserves_not_window_dressed"
DRAINED = "reserve_not_drained"
REPORTED = "reported_reserves_match"


def rolling_books() -> ReserveBooks:
    books = ReserveBooks(days=4)
    books.wallet("w")
    return books


def test_balances_that_transfers_explain_are_quiet(tmp_path: Path) -> None:
    books = rolling_books()
    books.balance("w", "BTC", "10", 1)
    books.transfer("in", moment(2), "w", "BTC", "5", "deposit")
    books.transfer("fee", moment(2), "w", "BTC", "-0.1", "network_fee")
    books.balance("w", "BTC", "14.9", 2)
    books.transfer("out", moment(3), "w", "BTC", "-14.9", "withdrawal")
    books.balance("w", "BTC", "0", 4)
    books.transfer("new", moment(3), "w", "USD", "7", "other")
    books.balance("w", "USD", "7", 3, 4)
    # A difference of exactly one dollar, and of less than a millionth of something unpriced.
    books.balance("w", "USDC", "1", 1)
    books.balance("w", "USDC", "2", 2)
    books.balance("w", "NOP", "1", 1)
    books.balance("w", "NOP", "1.000000999999999999", 2)
    # Known three days late, but it moved in time.
    books.transfer("late", moment(2), "w", "XT", "-1", "other", partition_date=day(4))
    books.balance("w", "XT", "5", 1)
    books.balance("w", "XT", "4", 2)
    assert found(books.build(tmp_path, ROLLS), ROLLS) == set()


@pytest.mark.parametrize("inclusive", [False, True])
def test_a_transfer_at_the_moment_of_a_balance_is_on_one_side_of_it(inclusive: bool, tmp_path: Path) -> None:
    books = rolling_books()
    books.balance("w", "BTC", "10", 1)
    books.transfer("edge", moment(2, "23:59:59"), "w", "BTC", "5", "other")
    books.balance("w", "BTC", "15" if inclusive else "10", 2)
    books.balance("w", "BTC", "15", 3)
    assert found(books.build(tmp_path, ROLLS), ROLLS) == set()


def test_balances_that_move_by_themselves_are_found_once(tmp_path: Path) -> None:
    books = rolling_books()
    books.balance("w", "BTC", "10", 1, 2)
    books.balance("w", "BTC", "10.0000250000003", 3, 4)
    books.balance("w", "USD", "10", 3, 4)
    books.transfer("lost", moment(3), "w", "USDC", "-5", "other")
    books.balance("w", "USDC", "100")
    books.balance("w", "NOP", "1", 1)
    books.balance("w", "NOP", "1.000001", 2)
    books.balance("w", "XT", "1", 1, time="01:00:00")
    books.balance("w", "XT", "9", 1)
    warehouse = books.build(tmp_path, ROLLS)
    assert found(warehouse, ROLLS) == {
        (3, "w", "BTC"),
        (3, "w", "USD"),
        (3, "w", "USDC"),
        (2, "w", "NOP"),
        (1, "w", "XT"),
    }
    by_asset = {row["asset"]: row for row in warehouse.query(f"select * from findings.{ROLLS}")}
    assert (by_asset["USD"]["observed"], by_asset["USD"]["expected"]) == ("10 USD", "0 USD")
    assert by_asset["USDC"]["expected"] == "95 USDC"
    assert by_asset["NOP"]["impact_usd"] is None
    assert by_asset["XT"]["impact_usd"] == 160


def test_a_balance_that_arrives_late_is_known_late(tmp_path: Path) -> None:
    books = rolling_books()
    books.balance("w", "USD", "10", 1)
    row = {"wallet_id": "w", "asset": "USD", "balance": "99", "as_of": moment(2), "partition_date": day(4)}
    books.rows["wallet_balances"].append(row)
    rows = books.build(tmp_path, ROLLS).query(f"select as_of_date, known_since::varchar as known from findings.{ROLLS}")
    assert rows == [{"as_of_date": day(2), "known": moment(4, "00:00:00").replace("T", " ")}]


def test_deposits_and_withdrawals_with_their_transfers_are_quiet(tmp_path: Path) -> None:
    books = ReserveBooks(days=6)
    books.wallet("w")
    books.owed("c1", "USD", "100")
    books.deposit(moment(2), "c1", "USD", "10", "t1")
    books.transfer("t1", moment(2, "10:00:00"), "w", "USD", "10", "deposit")
    # Two customers in one transfer, which follows two days later.
    books.deposit(moment(2), "c1", "BTC", "-1", "t2")
    books.deposit(moment(2), "c2", "BTC", "-2", "t2")
    books.transfer("t2", moment(4, "23:00:00"), "w", "BTC", "-3", "withdrawal")
    # Credited two days after it came in, by a row that arrives later still.
    books.transfer("t3", moment(2), "w", "USD", "5", "deposit")
    books.deposit(moment(4), "aff", "USD", "5", "t3", partition_date=day(6))
    # The exchange keeps a fee back, with and without a reference of its own.
    for name, fee_reference in (("t4", "t4"), ("t5", None)):
        books.entries(
            moment(2), "withdrawal", ("c1", "USD", "-10"), ("external", "USD", "9"), name=name, reference=name
        )
        row = {"entry_id": f"{name}-fee", "transaction_id": name, "account_id": "fees", "asset": "USD", "amount": "1"}
        row |= {"entry_type": "fee", "effective_at": moment(2), "reference": fee_reference}
        books.rows["ledger_entries"].append(row)
        books.transfer(name, moment(2), "w", "USD", "-9", "withdrawal")
    # The network's fee of a withdrawal is charged in another asset, in the same transaction.
    books.deposit(moment(2), "c1", "BTC", "-1", "t9", name="t9")
    for number, (account, amount) in enumerate((("c1", "-2"), ("fees", "2")), 3):
        row = {"entry_id": f"t9-{number}", "transaction_id": "t9", "account_id": account, "asset": "USD"}
        row |= {"amount": amount, "entry_type": "fee", "effective_at": moment(2), "reference": "t9"}
        books.rows["ledger_entries"].append(row)
    books.transfer("t9", moment(2), "w", "BTC", "-1", "withdrawal")
    # A withdrawal that was never sent and is booked back on its last day.
    books.deposit(moment(2), "c1", "USD", "-50", "t10")
    books.deposit(moment(4), "c1", "USD", "50", "t10")
    # The affiliate's wallet calls a deposit what it withdrew from the exchange.
    books.wallet("theirs", owner_entity_id="aff")
    books.deposit(moment(2), "aff", "USD", "-30", "t11")
    books.transfer("t11", moment(2), "w", "USD", "-30", "withdrawal", counterparty_wallet_id="theirs")
    books.transfer("t12", moment(2), "theirs", "USD", "30", "deposit", counterparty_wallet_id="w")
    # Still within two days at the end of the calendar.
    books.deposit(moment(5), "c1", "USD", "10", "t6")
    books.transfer("t7", moment(5), "w", "USD", "10", "deposit")
    books.transfer("t8", moment(2), "w", "USD", "10", "internal")
    books.entries(moment(2), "trade", ("c1", "USD", "-1"), ("c2", "USD", "1"), reference="order 7")
    # An opening entry that arrived a day late.
    books.entries(moment(1), "opening", ("c2", "USD", "1"), ("external", "USD", "-1"), partition_date=day(2))
    assert found(books.build(tmp_path, MATCH), MATCH) == set()


def test_what_has_no_counterpart_is_found_when_it_falls_due(tmp_path: Path) -> None:
    books = ReserveBooks(days=8)
    books.wallet("w")
    books.deposit(moment(2), "c1", "USD", "10", "nowhere", name="a")
    books.deposit(moment(2), "c1", "USD", "-10", None, name="b")
    books.deposit(moment(2), "c1", "USD", "10", "other asset", name="c")
    books.transfer("other asset", moment(2), "w", "USDC", "10", "deposit")
    books.deposit(moment(2), "c1", "USD", "10", "slow", name="d")
    books.transfer("slow", moment(5, "00:00:00"), "w", "USD", "10", "deposit")
    books.transfer("uncredited", moment(3), "w", "BTC", "1", "withdrawal")
    books.wallet("theirs", owner_entity_id="aff")
    books.transfer("wired to them", moment(3), "theirs", "USD", "1", "deposit", counterparty_address="a customer's")
    books.transfer("credited late", moment(3), "w", "BTC", "1", "deposit")
    books.deposit(moment(6), "c1", "BTC", "1", "credited late")
    assert found(books.build(tmp_path, MATCH), MATCH) == {
        (4, "a-1", "USD"),
        (4, "b-1", "USD"),
        (4, "c-1", "USD"),
        (4, "other asset", "USDC"),
        (4, "d-1", "USD"),
        (5, "uncredited", "BTC"),
        (5, "wired to them", "USD"),
        (5, "credited late", "BTC"),
    }


def test_what_is_mended_too_late_was_unmatched(tmp_path: Path) -> None:
    books = ReserveBooks(days=9)
    books.wallet("w")
    # Invented on day 2, taken back on day 7.
    books.deposit(moment(2), "c1", "USD", "10", "nowhere", name="a")
    books.deposit(moment(7), "c1", "USD", "-10", "nowhere", name="b")
    # Credited in two parts, the second five days after the first.
    books.transfer("t1", moment(2), "w", "USD", "10", "deposit")
    books.deposit(moment(2), "c1", "USD", "6", "t1")
    books.deposit(moment(7), "c2", "USD", "4", "t1")
    # In two parts, both in time.
    books.transfer("t2", moment(2), "w", "USD", "10", "deposit")
    books.deposit(moment(3), "c1", "USD", "6", "t2")
    books.deposit(moment(5), "c2", "USD", "4", "t2")
    warehouse = books.build(tmp_path, f"{MATCH} fct_outside_flow")
    assert found(warehouse, MATCH) == {(4, "a-1", "USD"), (4, "t1", "USD")}
    rows = warehouse.query(f"select impact_usd, observed from findings.{MATCH} where subject_id = 't1'")
    assert rows == [{"impact_usd": 4, "observed": "entries of 6 USD"}]


def test_amounts_that_differ_are_found_at_once(tmp_path: Path) -> None:
    books = ReserveBooks(days=4)
    books.wallet("w")
    books.deposit(moment(2), "c1", "USD", "10.000000000000000001", "t1")
    books.transfer("t1", moment(1), "w", "USD", "10", "deposit")
    books.deposit(moment(2), "c1", "USD", "10", "t2")
    books.deposit(moment(4), "c2", "USD", "10", "t2")
    books.transfer("t2", moment(2), "w", "USD", "10", "deposit")
    books.deposit(moment(2), "c1", "USD", "-10", "t3")
    books.transfer("t3", moment(3), "w", "USD", "10", "deposit")
    # Booked between two accounts of the exchange, as if it had come in.
    books.entries(moment(2), "deposit", ("c1", "USD", "10"), ("parked", "USD", "-10"), reference="t4")
    books.transfer("t4", moment(2), "w", "USD", "10", "deposit")
    warehouse = books.build(tmp_path, f"{MATCH} fct_outside_flow")
    assert found(warehouse, MATCH) == {(2, "t1", "USD"), (4, "t2", "USD"), (3, "t3", "USD"), (2, "t4", "USD")}
    impacts = {row["subject_id"]: row["impact_usd"] for row in warehouse.query(f"select * from findings.{MATCH}")}
    assert impacts == {"t1": 0, "t2": 10, "t3": 20, "t4": 10}


def test_only_deposits_and_withdrawals_touch_the_outside(tmp_path: Path) -> None:
    books = ReserveBooks(days=8)
    books.wallet("w")
    books.entries(moment(2), "adjustment", ("house", "USD", "10"), ("external", "USD", "-10"), name="printed")
    books.entries(moment(2), "revenue", ("fees", "USD", "5"), ("external", "USD", "-5"), name="income", reference="t1")
    books.transfer("t1", moment(2), "w", "USD", "5", "deposit")
    books.entries(moment(3), "opening", ("c1", "USD", "7"), ("external", "USD", "-7"), name="late opening")
    books.entries(
        moment(1), "opening", ("c1", "USD", "8"), ("external", "USD", "-8"), name="backdated", partition_date=day(4)
    )
    # The leg inside calls itself a deposit, the one outside doesn't.
    books.deposit(moment(2), "c1", "USD", "3", "t2", name="half")
    books.rows["ledger_entries"][-1]["entry_type"] = "transfer"
    books.transfer("t2", moment(2), "w", "USD", "3", "deposit")
    # A fee from nobody: the whole of what came in goes to the fee account.
    books.deposit(moment(2), "fees", "USD", "4", "t3", name="fee")
    books.rows["ledger_entries"][-2]["entry_type"] = "fee"
    books.transfer("t3", moment(2), "w", "USD", "4", "deposit")
    assert found(books.build(tmp_path, MATCH), MATCH) == {
        (2, "printed-2", "USD"),
        (2, "income-2", "USD"),
        (3, "late opening-2", "USD"),
        (4, "backdated-2", "USD"),
        (2, "half-2", "USD"),
        (2, "fee-1", "USD"),
    }


def dressing_books() -> ReserveBooks:
    """A hundred bitcoin, ten of them borrowed from day 4 to day 7; the snapshot is the end of day 5."""
    books = ReserveBooks(days=10)
    books.wallet("w")
    books.wallet("house", purpose="house")
    books.wallet("theirs", owner_entity_id="aff")
    books.balance("w", "BTC", "90", 1, 2, 3, 7, 8, 9, 10)
    books.balance("w", "BTC", "100", 4, 5, 6)
    books.balance("w", "USD", "1000000")
    return books


def loan(books: ReserveBooks, amount: str = "10", back: str = "10", **columns: str) -> None:
    books.transfer("in", moment(4), "w", "BTC", amount, "other", **columns)
    books.transfer("out", moment(7), "w", "BTC", f"-{back}", "other", **columns)


END_OF_DAY_5 = moment(6, "00:00:00")


def test_a_loan_over_the_snapshot_is_found_when_it_leaves(tmp_path: Path) -> None:
    books = dressing_books()
    loan(books)
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    warehouse = books.build(tmp_path, DRESSED)
    assert found(warehouse, DRESSED) == {(7, "BTC", "BTC")}
    rows = warehouse.query(f"select impact_usd, known_since::varchar as known from findings.{DRESSED}")
    assert rows == [{"impact_usd": 400000, "known": moment(9).replace("T", " ")}]


@pytest.mark.parametrize(
    ("amount", "back", "is_found"), [("5", "5", True), ("5", "4.999999999999999999", False), ("4.9", "20", False)]
)
def test_both_flows_must_reach_the_share(amount: str, back: str, is_found: bool, tmp_path: Path) -> None:
    books = dressing_books()
    loan(books, amount, back)
    books.report("100", moment(9), None, END_OF_DAY_5)
    assert bool(found(books.build(tmp_path, DRESSED), DRESSED)) == is_found


def test_flows_in_parts_through_house_wallets_and_other_coins_add_up(tmp_path: Path) -> None:
    books = dressing_books()
    books.transfer("a", moment(3, "00:00:00"), "house", "BTC", "3", "other", counterparty_wallet_id="theirs")
    books.transfer("b", moment(4), "house", "BTC", "-3", "internal", counterparty_wallet_id="w")
    books.transfer("c", moment(4), "w", "BTC", "3", "internal", counterparty_wallet_id="house")
    books.transfer("d", moment(5), "w", "BTC", "3", "other")
    books.transfer("e", moment(6), "w", "BTC", "-3", "other")
    books.transfer("f", moment(8), "w", "BTC", "-3", "other")
    books.report("100", moment(9), "BTC", moment(5, "00:00:00"), moment(5, "00:00:00"))
    assert found(books.build(tmp_path, DRESSED), DRESSED) == {(8, "BTC", "BTC")}


def quiet_plans() -> dict[str, ReserveBooks]:
    """Flows around a snapshot with nothing wrong in them."""
    plans = {}
    books = dressing_books()
    loan(books)
    plans["no snapshot at all"] = books
    for name, end in {"too early": moment(2, "00:00:00"), "too late": moment(9, "00:00:00")}.items():
        books = dressing_books()
        loan(books)
        books.report("100", moment(9), "BTC", end)
        plans[f"snapshot {name}"] = books
    books = dressing_books()
    loan(books)
    books.deposit(moment(4), "c1", "BTC", "10", "in")
    books.deposit(moment(7), "c1", "BTC", "-10", "out")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    plans["customers' money"] = books
    books = dressing_books()
    loan(books, counterparty_wallet_id="house")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    plans["between the operator's wallets"] = books
    books = dressing_books()
    loan(books, counterparty_address="address of house")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    plans["between the operator's wallets by address"] = books
    books = dressing_books()
    books.transfer("in", moment(4), "theirs", "BTC", "50", "other")
    books.transfer("out", moment(7), "theirs", "BTC", "-50", "other")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    plans["the affiliate's own affair"] = books
    books = dressing_books()
    books.transfer("in", moment(2, "23:59:59"), "w", "BTC", "50", "other")
    books.transfer("out", moment(7), "w", "BTC", "-50", "other")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    plans["in more than three days before"] = books
    books = dressing_books()
    books.transfer("in", moment(4), "w", "BTC", "50", "other")
    books.transfer("out", moment(9, "00:00:00"), "w", "BTC", "-50", "other")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    plans["out three days after"] = books
    return plans


@pytest.mark.parametrize("name", quiet_plans())
def test_other_flows_dress_no_window(name: str, tmp_path: Path) -> None:
    assert found(quiet_plans()[name].build(tmp_path, DRESSED), DRESSED) == set()


def test_a_tiny_deposit_does_not_hide_a_loan(tmp_path: Path) -> None:
    books = dressing_books()
    loan(books)
    books.deposit(moment(4), "c1", "BTC", "0.1", "in")
    books.report("100", moment(9), "BTC", END_OF_DAY_5)
    assert found(books.build(tmp_path, DRESSED), DRESSED) == {(7, "BTC", "BTC")}


def draining_books(balance: str = "10", after: str | None = "0") -> ReserveBooks:
    """A wallet with ten of a thousand bitcoin on days 1 and 2, and nothing from day 3 on."""
    books = ReserveBooks(days=5)
    books.wallet("w")
    books.wallet("big")
    books.wallet("house", purpose="house")
    books.balance("big", "BTC", "990")
    books.balance("house", "BTC", "5")
    books.balance("w", "BTC", balance, 1, 2)
    if after is not None:
        books.balance("w", "BTC", after, 3, 4, 5)
    return books


def leaves(books: ReserveBooks, amount: str, name: str = "t", **columns: str) -> None:
    books.transfer(name, moment(3), "w", "BTC", f"-{amount}", columns.pop("kind", "other"), **columns)


def drained(books: ReserveBooks, folder: Path) -> set[tuple[int, str, str | None]]:
    return found(books.build(folder, f"{DRAINED} fct_reserve_balance_daily"), DRAINED)


@pytest.mark.parametrize("after", ["0", "-1", "0.00002"])
def test_a_wallet_emptied_to_nowhere_is_found_on_the_day(after: str, tmp_path: Path) -> None:
    books = draining_books(after=after)
    leaves(books, "10")
    assert drained(books, tmp_path) == {(3, "w", "BTC")}


@pytest.mark.parametrize(
    ("columns", "is_found"),
    [
        ({"counterparty_wallet_id": "big"}, False),
        ({"counterparty_address": " address of big"}, False),
        ({"counterparty_wallet_id": "house"}, True),
        ({"counterparty_address": "elsewhere"}, True),
        ({"kind": "network_fee"}, False),
    ],
)
def test_where_it_went_decides(columns: dict[str, str], is_found: bool, tmp_path: Path) -> None:
    books = draining_books()
    leaves(books, "10", **columns)
    assert bool(drained(books, tmp_path)) == is_found


def test_customers_may_empty_a_wallet_but_not_in_part(tmp_path: Path) -> None:
    books = draining_books()
    leaves(books, "6", "t1", kind="withdrawal")
    books.deposit(moment(3), "c1", "BTC", "-6", "t1")
    leaves(books, "3", "t2", counterparty_wallet_id="big")
    leaves(books, "1", "t3")
    warehouse = books.build(tmp_path, f"{DRAINED} fct_reserve_balance_daily")
    assert found(warehouse, DRAINED) == {(3, "w", "BTC")}
    assert warehouse.query(f"select impact_usd from findings.{DRAINED}") == [{"impact_usd": Decimal(40000)}]


def test_customers_may_empty_a_wallet(tmp_path: Path) -> None:
    books = draining_books()
    leaves(books, "10", "t1", kind="withdrawal")
    books.deposit(moment(3), "c1", "BTC", "-10", "t1")
    assert drained(books, tmp_path) == set()


@pytest.mark.parametrize(("balance", "is_found"), [("10", True), ("9.999", False)])
def test_only_wallets_that_matter_are_watched(balance: str, is_found: bool, tmp_path: Path) -> None:
    assert bool(drained(draining_books(balance), tmp_path)) == is_found


def test_a_silent_wallet_is_found_every_day_until_it_speaks(tmp_path: Path) -> None:
    books = draining_books(after=None)
    books.balance("w", "BTC", "10", 5)
    warehouse = books.build(tmp_path, f"{DRAINED} fct_reserve_balance_daily")
    assert found(warehouse, DRAINED) == {(3, "w", "BTC"), (4, "w", "BTC")}
    assert {row["observed"] for row in warehouse.query(f"select * from findings.{DRAINED}")} == {"no balance"}


def test_a_wallet_that_emptied_itself_properly_may_fall_silent(tmp_path: Path) -> None:
    books = draining_books(after=None)
    leaves(books, "10", counterparty_wallet_id="big")
    assert drained(books, tmp_path) == set()


@pytest.mark.parametrize(("address", "is_found"), [("address of w", False), ("elsewhere", True)])
def test_a_renamed_wallet_is_not_silent(address: str, is_found: bool, tmp_path: Path) -> None:
    books = draining_books(after=None)
    books.rows["wallets"][0]["valid_to"] = moment(3)
    books.wallet("renamed", address=address, valid_from=moment(3))
    books.balance("renamed", "BTC", "10", 3, 4, 5)
    assert bool(drained(books, tmp_path)) == is_found


def test_what_never_counted_can_not_be_drained(tmp_path: Path) -> None:
    books = draining_books()
    books.wallet("unproven", ownership_proof="none")
    books.balance("unproven", "BTC", "500", 1, 2)
    leaves(books, "10", counterparty_wallet_id="big")
    assert drained(books, tmp_path) == set()


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    books = ReserveBooks(days=5)
    books.wallet("w")
    books.wallet("unproven", ownership_proof="none")
    books.balance("w", "BTC", "10", 1, 2)
    books.balance("w", "BTC", "20", 3, 4, 5)
    books.balance("w", "USD", "1000")
    books.balance("unproven", "USD", "70000")
    books.report("10.05", moment(4), "BTC", moment(3, "00:00:00"))  # 0.5 % too much
    books.report("10.050000000000000001", moment(5), "BTC", moment(2, "00:00:00"))
    books.report("401000", moment(4), None, moment(3, "00:00:00"))
    books.report("71000", moment(4), "USD", moment(3, "00:00:00"))
    books.report("801000", moment(5, "08:00:00"), None, moment(4, "00:00:00"), moment(4, "00:00:00"))
    books.report("1", moment(4), "NOP", moment(3, "00:00:00"))
    books.report("5", moment(4), "BTC", "2021-03-01T00:00:00")
    return books.build(tmp_path_factory.mktemp("reported"), REPORTED)


def test_reported_reserves_are_compared_with_what_is_eligible(reported: Warehouse) -> None:
    rows = reported.query(
        f"select as_of_date, subject_id, asset, observed, expected, impact_usd from findings.{REPORTED}"
    )
    found_rows = {tuple(row.values()) for row in rows}
    assert found_rows == {
        (day(5), "reserves", "BTC", "10.050000000000000001 BTC", "10 BTC", Decimal(2000)),
        (day(4), "reserves", "USD", "71000 USD", "1000 USD", Decimal(70000)),
        (day(4), "reserves", "NOP", "1 NOP", "0 NOP", None),
    }
