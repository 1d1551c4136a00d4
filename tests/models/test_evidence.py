"""Which accepted rows stand behind a finding: the largest, counted with those left out, as of the day it speaks of.

What belongs here: the choice of rows. That every check's findings have some is tested where faults are planted.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from orchestration.checks import CHECKS, Kind
from orchestration.settings import DBT_PROJECT
from tests.support.warehouse import Warehouse, build_warehouse

FIRST = date(2022, 1, 1)
Row = dict[str, Any]


def day(number: int) -> date:
    """Day 1 is the first of the calendar."""
    return FIRST + timedelta(days=number - 1)


def pays(number: int, payer: str, payee: str, amount: int) -> list[Row]:
    """Two legs at noon of a numbered day."""
    return [
        {
            "entry_id": f"{payer}-{number}-{amount}-{sign}",
            "transaction_id": f"{payer}-{number}-{amount}",
            "account_id": account,
            "asset": "USD",
            "amount": str(int(sign) * amount),
            "entry_type": "transfer",
            "effective_at": f"{day(number)}T12:00:00",
        }
        for account, sign in ((payer, "-1"), (payee, "1"))
    ]


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """c1 pays 500, then more every day than the day before; turncoat is the operator's subsidiary from day 4 on."""
    owners = {"c1": "customer", "c2": "customer", "turncoat": "company", "op": "operator"}
    entries = pays(1, "c1", "c2", 500) + pays(2, "op", "turncoat", 9000)
    for number in range(1, 15):
        entries += pays(number, "c1", "c2", number)
    rows = {
        "entities": [{"entity_id": name, "entity_type": kind} for name, kind in owners.items()],
        "entity_links": [
            {
                "parent_entity_id": "op",
                "child_entity_id": "turncoat",
                "link_type": "control",
                "valid_from": f"{day(4)}T00:00:00",
            }
        ],
        "accounts": [
            {"account_id": name, "entity_id": name, "account_class": "house" if name == "op" else "spot"}
            for name in owners
        ],
        "tokens": [{"asset": "USD", "asset_class": "fiat"}],
        "ledger_entries": entries,
    }
    folder = tmp_path_factory.mktemp("books")
    return build_warehouse(folder, rows, first_date=day(1), last_date=day(14), select="evidence__row")


def behind(books: Warehouse, check: str, number: int, subject: str) -> list[tuple[str, int]]:
    """Entries behind a finding, in order, and how many there are in all."""
    rows = books.query(
        "select entries.entry_id, behind.rows_in_all from evidence.evidence__row as behind"
        " inner join raw.ledger_entries as entries using (source_file, source_row)"
        " where behind.source_table = 'ledger_entries' and check_name = ? and as_of_date = ? and subject_id = ?"
        " order by behind.position",
        check,
        day(number),
        subject,
    )
    return [(row["entry_id"], row["rows_in_all"]) for row in rows]


def test_a_balance_rests_on_its_largest_entries_up_to_the_day(books: Warehouse) -> None:
    assert behind(books, "no_negative_balance", 2, "c1") == [("c1-1-500--1", 3), ("c1-2-2--1", 3), ("c1-1-1--1", 3)]
    last = behind(books, "no_negative_balance", 14, "c1")
    assert last == [("c1-1-500--1", 15), *((f"c1-{number}-{number}--1", 15) for number in range(14, 5, -1))]


def test_customers_are_those_of_the_day_with_all_their_history(books: Warehouse) -> None:
    third = behind(books, "reserves_cover_liabilities", 3, "USD")
    assert third[0] == ("op-2-9000-1", 9), "turncoat is still a customer"
    assert ("c1-1-500-1", 9) in third
    fourth = behind(books, "reserves_cover_liabilities", 4, "USD")
    assert "op-2-9000-1" not in [entry for entry, _ in fourth]
    assert {number for _, number in fourth} == {10}, "two legs of five payments"
    assert behind(books, "total_reserves_cover_liabilities", 4, "exchange") == fourth


def test_every_check_about_accepted_rows_is_traced() -> None:
    text = (DBT_PROJECT / "macros" / "evidence.sql").read_text(encoding="utf-8")
    listed = {check.name for check in CHECKS if f"'{check.name}'" in text}
    assert listed == {check.name for check in CHECKS if check.kind is not Kind.INTEGRITY}
