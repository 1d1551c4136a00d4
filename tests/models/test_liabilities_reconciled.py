"""The ledger against the trading engine's snapshots and against what management reported.

What belongs here: ``ledger_matches_engine``, ``reported_liabilities_match``, ``insurance_fund_matches``.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.warehouse import Warehouse, build_warehouse

Row = dict[str, Any]
FIRST, LAST = date(2022, 1, 30), date(2022, 2, 4)
DAYS = [date(2022, 1, 30), date(2022, 1, 31), *(date(2022, 2, number) for number in range(1, 5))]
MIDNIGHT, BEFORE_MIDNIGHT, NOON, START = range(4)
CHECKS = ("ledger_matches_engine", "reported_liabilities_match", "insurance_fund_matches")

ENTITIES = [
    {"entity_id": "op", "entity_type": "operator"},
    *({"entity_id": name, "entity_type": "customer"} for name in ("c1", "c2", "c3")),
]
ACCOUNTS = {"c1": "c1", "c2": "c2", "c3": "c3", "fund": "op", "fund2": "op", "external": "op"}
CLASSES = {"fund": "insurance_fund", "fund2": "insurance_fund", "external": "external"}
PRICES = {"BTC": "40000", "ALT": "0.5"}


def entry(number: int, account: str, asset: str, amount: str, when: str) -> Row:
    return {
        "entry_id": f"e{number}",
        "transaction_id": f"t{number}",
        "account_id": account,
        "asset": asset,
        "amount": amount,
        "entry_type": "trade",
        "effective_at": when,
    }


ENTRIES = [
    entry(number, *leg)
    for number, leg in enumerate(
        [
            ("c1", "BTC", "10", "2022-01-30T00:00:01"),
            ("c1", "BTC", "-1", "2022-01-31T06:00:00"),
            ("c1", "BTC", "-1", "2022-01-31T18:00:00"),
            ("c1", "BTC", "-1", "2022-01-31T23:59:59"),
            ("c2", "USD", "100000", "2022-01-30T00:00:01"),
            ("c2", "NEW", "7", "2022-01-30T00:00:01"),
            ("c3", "ALT", "1000000", "2022-01-30T00:00:01"),
            ("c3", "BTC", "2", "2022-02-02T12:00:00"),
            ("c3", "BTC", "-2", "2022-02-02T18:00:00"),
            ("fund", "USD", "5000", "2022-01-30T00:00:01"),
            ("fund", "BTC", "1", "2022-01-30T00:00:01"),
            ("fund2", "USD", "-1000", "2022-01-30T00:00:01"),
            ("external", "BTC", "-10", "2022-01-30T00:00:01"),
        ]
    )
]


def snapshot_moment(day: date, kind: int) -> str:
    following = DAYS[DAYS.index(day) + 1] if day != LAST else date(2022, 2, 5)
    return {
        MIDNIGHT: f"{following}T00:00:00",
        BEFORE_MIDNIGHT: f"{day}T23:59:59",
        NOON: f"{day}T12:00:00",
        START: f"{day}T00:00:00",
    }[kind]


def true_snapshots(kinds: dict[date, int]) -> list[Row]:
    """What an honest engine delivers: every non-zero balance, cut at the day's moment."""
    rows = []
    for day in DAYS:
        as_of = snapshot_moment(day, kinds.get(day, MIDNIGHT))
        balances: dict[tuple[str, str], Decimal] = {}
        for row in ENTRIES:
            if row["effective_at"] < as_of and row["account_id"] != "external":
                key = row["account_id"], row["asset"]
                balances[key] = balances.get(key, Decimal(0)) + Decimal(row["amount"])
        rows += [
            {"account_id": account, "asset": asset, "balance": balance, "as_of": as_of, "partition_date": str(day)}
            for (account, asset), balance in balances.items()
            if balance
        ]
    return rows


def figure(name: str, amount: str, published: str, **columns: str | None) -> Row:
    return {
        "figure": name,
        "line": None,
        "asset": None,
        "amount": amount,
        "period_start": "2022-01-01T00:00:00",
        "period_end": "2022-02-01T00:00:00",
        "published_at": published,
    } | columns


def build(folder: Path, snapshots: list[Row], figures: list[Row] | None = None) -> Warehouse:
    rows = {
        "entities": ENTITIES,
        "accounts": [
            {"account_id": account, "entity_id": entity, "account_class": CLASSES.get(account, "spot")}
            for account, entity in ACCOUNTS.items()
        ],
        "tokens": [{"asset": asset, "asset_class": "crypto"} for asset in ("USD", "NEW", *PRICES)],
        "token_prices": [
            {"asset": asset, "price_usd": usd, "source": "a", "as_of": f"{day}T20:00:00"}
            for asset, usd in PRICES.items()
            for day in DAYS
        ],
        "ledger_entries": ENTRIES,
        "balance_snapshots": snapshots,
        "reported_figures": figures or [],
    }
    return build_warehouse(folder, rows, first_date=FIRST, last_date=LAST, select=" ".join(CHECKS))


def found(warehouse: Warehouse, check: str) -> set[tuple[date, str, str | None]]:
    rows = warehouse.query(f"select * from findings.{check}")
    for row in rows:
        assert len(warehouse.query(row["evidence"])) >= 1
        assert row["message"].endswith(".")
    return {(row["as_of_date"], row["subject_id"], row["asset"]) for row in rows}


def test_an_honest_engine_agrees_at_whatever_moment_it_is_asked(tmp_path: Path) -> None:
    kinds = {DAYS[1]: NOON, DAYS[2]: BEFORE_MIDNIGHT, DAYS[3]: NOON, DAYS[4]: START}
    warehouse = build(tmp_path, true_snapshots(kinds))
    assert warehouse.query("select * from marts.fct_engine_drift_daily") == []
    for check in CHECKS:
        assert found(warehouse, check) == set()


def test_moments_that_differ_within_a_day_are_cut_one_by_one(tmp_path: Path) -> None:
    rows = [row for row in true_snapshots({}) if row["as_of"] != "2022-02-01T00:00:00"]
    moments = [("c1", "BTC", "8", "18:00:01"), ("c2", "USD", "100000", "12:00:00"), ("c2", "NEW", "7", "23:00:00")]
    moments += [("c3", "ALT", "1000000", "01:00:00"), ("fund", "USD", "5000", "23:59:59")]
    moments += [
        ("fund", "BTC", "1", "23:59:59"),
        ("fund2", "USD", "-1000", "12:00:00"),
        ("c1", "BTC", "10", "03:00:00"),
    ]
    rows += [
        {"account_id": account, "asset": asset, "balance": balance, "as_of": f"2022-01-31T{time}"}
        for account, asset, balance, time in moments
    ]
    # Past the end of the day it was delivered for, and after what was booked in between.
    late = "2022-02-02T12:30:00"
    rows.append({"account_id": "c3", "asset": "BTC", "balance": "2", "as_of": late, "partition_date": "2022-02-01"})
    assert build(tmp_path, rows).query("select * from marts.fct_engine_drift_daily") == []


def test_a_drift_that_is_gone_by_the_last_snapshot_of_the_day_is_found(tmp_path: Path) -> None:
    rows = true_snapshots({})
    rows += [
        {"account_id": account, "asset": asset, "balance": balance, "as_of": f"2022-02-02T{time}"}
        for account, asset, balance, time in [
            ("c1", "BTC", "7", "06:00:00"),
            ("c1", "BTC", "3", "09:00:00"),  # the ledger holds 7
            ("c1", "BTC", "11", "12:00:01"),  # as far apart, and later
            ("c1", "BTC", "6.5", "15:00:00"),
            ("c3", "BTC", "2", "15:00:00"),  # gone again by midnight, in engine and ledger
        ]
    ]
    warehouse = build(tmp_path, rows)
    assert found(warehouse, "ledger_matches_engine") == {(DAYS[3], "c1", "BTC"), (DAYS[3], "BTC", "BTC")}
    drifts = warehouse.query("select as_of, engine_balance, ledger_balance from marts.fct_engine_drift_daily")
    assert drifts == [{"as_of": datetime(2022, 2, 2, 12, 0, 1), "engine_balance": 11, "ledger_balance": 7}]


@pytest.fixture(scope="module")
def dishonest(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    rows = true_snapshots({})

    def edit(day: date, account: str, asset: str, change: str | None) -> None:
        for row in list(rows):
            if (row["partition_date"], row["account_id"], row["asset"]) == (str(day), account, asset):
                if change is None:
                    rows.remove(row)
                else:
                    row["balance"] += Decimal(change)

    edit(DAYS[0], "c2", "USD", "1.00")  # tolerated
    edit(DAYS[1], "c2", "USD", "-1.01")  # an account's finding, but 0.001 % of what is owed
    edit(DAYS[2], "c2", "USD", None)
    edit(DAYS[3], "c2", "NEW", "0.000000999999999999")
    edit(DAYS[4], "c2", "NEW", "-0.000001")
    edit(DAYS[5], "c3", "ALT", "201")
    rows.append(
        {
            "account_id": "c3",
            "asset": "USD",
            "balance": "20",
            "as_of": "2022-01-31T00:00:00",
            "partition_date": str(DAYS[0]),
        }
    )
    figures = [
        figure("customer_liabilities", "886000", "2022-02-02T08:00:00", period_end="2022-01-31T00:00:00"),
        figure("customer_liabilities", "400000", "2022-02-03T08:00:00", line="spot", asset="USD"),
        figure("customer_liabilities", "-299000", "2022-02-03T08:00:00", line="margin", asset="USD"),
        figure("customer_liabilities", "7.1", "2022-02-03T08:00:00", line="margin", asset="BTC"),
        figure("customer_liabilities", "1", "2022-02-02T08:00:00", asset="ALT"),
        figure("customer_liabilities", "1000000", "2022-02-03T08:00:00", asset="ALT"),
        figure("insurance_fund", "44000", "2022-02-03T08:00:00"),
        figure("insurance_fund", "5000", "2022-02-03T08:00:00", asset="USD"),
        figure(
            "insurance_fund",
            "1",
            "2022-02-03T08:00:00",
            asset="BTC",
            period_start="2022-02-02T00:00:00",
            period_end="2022-02-02T00:00:00",
        ),
        figure("insurance_fund", "3", "2021-02-03T08:00:00", period_end="2021-02-01T00:00:00")
        | {"partition_date": "2022-02-01"},
    ]
    return build(tmp_path_factory.mktemp("dishonest"), rows, figures)


def test_drift_is_found_per_account_and_in_sum(dishonest: Warehouse) -> None:
    assert found(dishonest, "ledger_matches_engine") == {
        (DAYS[0], "c3", "USD"),
        (DAYS[0], "USD", "USD"),  # 21 of 100,000 in sum is more than 0.01 %
        (DAYS[1], "c2", "USD"),
        (DAYS[2], "c2", "USD"),
        (DAYS[2], "USD", "USD"),
        (DAYS[4], "c2", "NEW"),
        (DAYS[5], "c3", "ALT"),
        (DAYS[5], "ALT", "ALT"),
    }


def test_a_drift_says_whether_the_engine_was_silent(dishonest: Warehouse) -> None:
    rows = dishonest.query("select * from marts.fct_engine_drift_daily where as_of_date = ?", DAYS[2])
    assert [(row["has_snapshot"], row["drift"], row["drift_usd"]) for row in rows] == [(False, -100000, -100000)]


def test_reported_liabilities_are_compared_line_by_line_summed(dishonest: Warehouse) -> None:
    # 100,000 USD, 7 BTC and a million ALT at the end of the month, which the last day's midnight is taken to mean.
    rows = dishonest.query("select * from marts.fct_reported_balance where figure = 'customer_liabilities'")
    computed = {(row["asset"], row["as_of_date"]): (row["reported"], row["computed"]) for row in rows}
    assert computed == {
        (None, DAYS[1]): (886000, 880000),
        ("USD", DAYS[1]): (101000, 100000),
        ("BTC", DAYS[1]): (Decimal("7.1"), 7),
        ("ALT", DAYS[1]): (1000000, 1000000),
    }
    assert found(dishonest, "reported_liabilities_match") == {
        (date(2022, 2, 2), "customer_liabilities", None),
        (date(2022, 2, 3), "customer_liabilities", "USD"),
        (date(2022, 2, 3), "customer_liabilities", "BTC"),
    }


def test_the_insurance_fund_is_what_its_accounts_hold(dishonest: Warehouse) -> None:
    # 5,000 - 1,000 USD and one BTC; a period outside of the calendar can't be checked.
    assert found(dishonest, "insurance_fund_matches") == {(date(2022, 2, 3), "insurance_fund", "USD")}
    rows = dishonest.query("select impact_usd from findings.insurance_fund_matches")
    assert [row["impact_usd"] for row in rows] == [1000]
