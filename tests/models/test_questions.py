"""The views that answer what people ask, on marts that a test writes down.

What belongs here: what the views select, join, rank and difference. What doesn't: how the marts come about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from orchestration.audit import create_audit_schema
from orchestration.settings import DBT_PROJECT
from orchestration.warehouse.compiled import compiled_project
from tests.support.published import insert, mart_columns

Row = Mapping[str, Any]
MARTS = sorted(path.stem for path in (DBT_PROJECT / "models" / "marts").glob("*.yml"))
QUESTIONS = sorted(path.stem for path in (DBT_PROJECT / "models" / "marts" / "questions").glob("*.sql"))
FIRST, SECOND, THIRD = date(2022, 1, 1), date(2022, 1, 2), date(2022, 1, 3)


@pytest.fixture
def marts() -> Iterator[duckdb.DuckDBPyConnection]:
    """Every mart without a row, and the views on them, under a name that isn't a build file's."""
    with duckdb.connect(":memory:") as connection:
        create_audit_schema(connection, is_described=False)
        connection.execute("create schema marts")
        for name in MARTS:
            columns = ", ".join(f"{column} {kind}" for column, kind in mart_columns(name).items())
            connection.execute(f"create table marts.{name} ({columns})")
        for model in compiled_project().values():
            if model.name in QUESTIONS:
                connection.execute(f"create view {model.place} as {model.sql}")
        yield connection


def rows(connection: duckdb.DuckDBPyConnection, view: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """The rows as an analyst gets them who doesn't ask for an order."""
    return connection.execute(f"select {columns} from marts.{view}").fetchall()


def fill(connection: duckdb.DuckDBPyConnection, mart: str, *content: Row) -> None:
    for row in content:
        insert(connection, mart if "." in mart else f"marts.{mart}", row)


def solvency(day: date, owed: str = "100", held: str = "100", missing: str = "0", **more: Any) -> Row:
    return {
        "as_of_date": day,
        "customer_liabilities_usd": owed,
        "eligible_reserves_usd": held,
        "in_kind_shortfall_usd": missing,
        **more,
    }


def coverage(day: date, group: str, gap: str, gap_usd: str | None) -> Row:
    return {"as_of_date": day, "in_kind_group": group, "gap": gap, "gap_usd": gap_usd, "is_own_token": False}


@pytest.mark.parametrize("view", QUESTIONS)
def test_every_view_has_the_columns_of_its_contract_and_is_empty_before_anything_was_published(
    marts: duckdb.DuckDBPyConnection, view: str
) -> None:
    described = marts.execute(f"describe marts.{view}").fetchall()
    found = {name: kind.lower().replace(",", ", ") for name, kind, *_ in described}
    assert found == mart_columns(f"questions/{view}")
    assert rows(marts, view) == []


def test_no_view_holds_a_lambda() -> None:
    """DuckDB writes lambdas into a file of an older storage version as it doesn't read them any more."""
    views = [model for model in compiled_project().values() if model.schema == "marts" and model.kind == "view"]
    assert views
    assert [model.name for model in views if re.search(r"\blambda\b|->", model.sql)] == []


def test_the_page_for_readers_lists_every_view() -> None:
    page = (DBT_PROJECT.parent / "orchestration" / "reading" / "READING.md").read_text(encoding="utf-8")
    listed = re.findall(r"\| `(\w+)` \|\n", page)
    assert sorted(listed) == QUESTIONS


def test_coverage_today_is_the_latest_days_with_what_cannot_be_valued_and_the_largest_gap_first(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    fill(marts, "fct_solvency_daily", solvency(FIRST), solvency(SECOND))
    fill(
        marts,
        "fct_reserve_coverage_daily",
        coverage(FIRST, "BTC", "1", "40000"),
        coverage(FIRST, "GONE", "-9", "-9"),
        coverage(SECOND, "USD", "5", "5"),
        coverage(SECOND, "BTC", "-0.5", "-20000"),
        coverage(SECOND, "DEAD", "-7", None),
        coverage(SECOND, "ETH", "0", "0"),
    )
    assert rows(marts, "coverage_today", "in_kind_group, gap, is_short, gap_day_before") == [
        ("DEAD", -7, True, None),
        ("BTC", Decimal("-0.5"), True, 1),
        ("ETH", 0, False, None),
        ("USD", 5, False, None),
    ]


def test_the_trend_marks_each_day_on_which_it_broke(marts: duckdb.DuckDBPyConnection) -> None:
    gaps = ("1", "-1", "-2", "0", "-0.000000000000000001")
    for number, gap in enumerate(gaps):
        day = FIRST + timedelta(days=number)
        fill(marts, "fct_solvency_daily", solvency(day, owed=str(100 + number), held="90.5"))
        fill(marts, "fct_reserve_coverage_daily", coverage(day, "BTC", gap, None), coverage(day, "USD", "3", "3"))
    assert rows(marts, "coverage_trend", "short_groups, is_day_it_broke, customer_liabilities_change_usd") == [
        (0, False, None),
        (1, True, 1),
        (1, False, 1),
        (0, False, 1),
        (1, True, 1),
    ]
    assert {row[0] for row in rows(marts, "coverage_trend", "eligible_reserves_change_usd")} == {None, Decimal(0)}


def test_an_exchange_that_is_short_on_its_first_day_broke_on_it(marts: duckdb.DuckDBPyConnection) -> None:
    fill(marts, "fct_solvency_daily", solvency(FIRST))
    fill(marts, "fct_reserve_coverage_daily", coverage(FIRST, "BTC", "-1", None))
    assert rows(marts, "coverage_trend", "is_day_it_broke") == [(True,)]


def test_shortfalls_rank_those_of_today_first_and_tell_since_when(marts: duckdb.DuckDBPyConnection) -> None:
    days = [FIRST + timedelta(days=number) for number in range(4)]
    gaps: dict[str, list[str | None]] = {
        "BTC": ["-3", "1", "-1", "-2"],
        "USD": ["-500", "-1", "0", "0"],
        "ETH": ["-4", "-4", "-4", "-4"],
        "SOL": ["1", "1", "1", "1"],
        "NEW": [None, None, None, "-1"],
    }
    for number, day in enumerate(days):
        fill(marts, "fct_solvency_daily", solvency(day))
        for group, of_days in gaps.items():
            gap = of_days[number]
            if gap is not None:
                usd = None if group == "NEW" else str(Decimal(gap) * 10)
                fill(marts, "fct_reserve_coverage_daily", coverage(day, group, gap, usd))
    found = rows(
        marts,
        "largest_shortfalls",
        "shortfall_rank, in_kind_group, shortfall, shortfall_usd, short_since, first_short_on, last_short_on,"
        " short_days, largest_shortfall, largest_shortfall_on",
    )
    assert found == [
        (1, "NEW", 1, None, days[3], days[3], days[3], 1, 1, days[3]),
        (2, "ETH", 4, 40, days[0], days[0], days[3], 4, 4, days[0]),
        (3, "BTC", 2, 20, days[2], days[0], days[3], 3, 3, days[0]),
        (4, "USD", 0, 0, None, days[0], days[1], 2, 500, days[0]),
    ]


def negative(account: str, asset: str, value: str | None, day: date = SECOND) -> Row:
    return {
        "as_of_date": day,
        "account_id": account,
        "entity_id": f"owner of {account}",
        "asset": asset,
        "balance": "-5",
        "value_usd": value,
        "is_permitted": False,
    }


def period(account: str, asset: str, from_date: date, to_date: date | None, entry: str) -> Row:
    return {
        "account_id": account,
        "asset": asset,
        "from_date": from_date,
        "to_date": to_date,
        "event_entry_id": entry,
    }


def test_negative_balances_name_the_event_of_the_period_that_lasts(marts: duckdb.DuckDBPyConnection) -> None:
    fill(marts, "fct_solvency_daily", solvency(FIRST), solvency(SECOND))
    fill(
        marts,
        "fct_negative_balance_daily",
        negative("a", "USD", "-5"),
        negative("b", "BTC", "-200000"),
        negative("b", "DEAD", None),
        negative("mended", "USD", "-900000", FIRST),
    )
    fill(
        marts,
        "fct_negative_balance_period",
        period("a", "USD", date(2021, 12, 1), FIRST, "first time"),
        period("a", "USD", SECOND, None, "second time"),
        period("b", "BTC", FIRST, None, "borrowed"),
        period("b", "DEAD", FIRST, None, "borrowed dead"),
        period("mended", "USD", FIRST, SECOND, "mended"),
    )
    fill(
        marts,
        "fct_account_privilege_daily",
        {"as_of_date": FIRST, "account_id": "a", "privileges": "hidden"},
        {"as_of_date": SECOND, "account_id": "b", "privileges": "allow_negative_balance", "credit_line_usd": "65"},
    )
    fill(marts, "dim_entity", {"entity_id": "owner of b", "name": "Research Ltd"})
    columns = (
        "balance_rank, account_id, asset, below_zero_since, event_entry_id, privileges, credit_line_usd, entity_name"
    )
    allowed = ("allow_negative_balance", 65, "Research Ltd")
    assert rows(marts, "largest_negative_balances", columns) == [
        (1, "b", "DEAD", FIRST, "borrowed dead", *allowed),
        (2, "b", "BTC", FIRST, "borrowed", *allowed),
        (3, "a", "USD", SECOND, "second time", None, None, None),
    ]


def exposure(day: date, entity: str, borrowing: str, collateral: str, own_token: str) -> Row:
    return {
        "as_of_date": day,
        "entity_id": entity,
        "gross_borrowing_usd": borrowing,
        "collateral_mark_usd": collateral,
        "own_token_collateral_usd": own_token,
    }


def test_an_affiliates_exposure_changes_against_its_own_row_before_and_has_the_reason_of_its_day(
    marts: duckdb.DuckDBPyConnection,
) -> None:
    fill(
        marts,
        "fct_affiliate_exposure_daily",
        exposure(FIRST, "x", "10", "30", "10"),
        exposure(FIRST, "y", "1", "0", "0"),
        exposure(THIRD, "x", "12.5", "8", "8"),
    )
    fill(
        marts,
        "dim_entity_relation",
        {"entity_id": "x", "from_date": FIRST, "to_date": THIRD, "reason": "owned"},
        {"entity_id": "x", "from_date": THIRD, "to_date": date(2022, 1, 4), "reason": "controlled"},
    )
    columns = "as_of_date, entity_id, gross_borrowing_change_usd, own_token_share, relation_reason"
    assert rows(marts, "affiliate_exposure_trend", columns) == [
        (FIRST, "x", None, Decimal("0.333333333333"), "owned"),
        (FIRST, "y", None, None, None),
        (THIRD, "x", Decimal("2.5"), 1, "controlled"),
    ]


def held(account: str, asset: str, balance: str, mark: str | None, day: date = FIRST) -> Row:
    return {
        "as_of_date": day,
        "account_id": account,
        "entity_id": "x",
        "asset": asset,
        "is_own_token": asset == "XT",
        "balance": balance,
        "collateral_mark_usd": mark,
    }


def test_backing_adds_up_an_affiliates_positive_balances_by_asset(marts: duckdb.DuckDBPyConnection) -> None:
    fill(
        marts,
        "fct_affiliate_balance_daily",
        held("x-spot", "XT", "2", "60"),
        held("x-margin", "XT", "1", "30"),
        held("x-margin", "USD", "10", "10"),
        held("x-margin", "BTC", "-1", "0"),
        held("x-margin", "DEAD", "4", None),
    )
    columns = "asset, is_own_token, quantity, collateral_mark_usd, share_of_collateral"
    assert rows(marts, "affiliate_backing", columns) == [
        ("XT", True, 3, 90, Decimal("0.9")),
        ("USD", False, 10, 10, Decimal("0.1")),
        ("DEAD", False, 4, None, None),
    ]


def test_excluded_reserves_say_whose_they_are(marts: duckdb.DuckDBPyConnection) -> None:
    lost = {"as_of_date": FIRST, "wallet_id": "w", "asset": "BTC", "quantity": "1", "reason": "not_operator"}
    fill(
        marts,
        "fct_reserve_exclusion_daily",
        lost | {"value_usd": "40000"},
        lost | {"asset": "DEAD"},
        lost | {"wallet_id": "unknown", "value_usd": "50000"},
    )
    fill(marts, "dim_wallet", {"wallet_id": "w", "owner_entity_id": "x", "custody": "bank"})
    fill(marts, "dim_entity", {"entity_id": "x", "name": "Research Ltd"})
    assert rows(marts, "excluded_reserves", "wallet_id, asset, owner_name, custody") == [
        ("w", "DEAD", "Research Ltd", "bank"),
        ("unknown", "BTC", None, None),
        ("w", "BTC", "Research Ltd", "bank"),
    ]


def test_the_waterfall_falls_from_reported_to_token_adjusted_revenue(marts: duckdb.DuckDBPyConnection) -> None:
    fill(
        marts,
        "fct_token_adjusted_revenue_monthly",
        {
            "month": FIRST,
            "reported_usd": "1000",
            "unsupported_usd": "-20",
            "backdated_usd": "50.00000001",
            "affiliate_usd": "300",
            "own_token_haircut_usd": "0",
            "token_adjusted_revenue_usd": "669.99999999",
        },
        {"month": date(2022, 2, 1)},
    )
    january = [row for row in rows(marts, "revenue_waterfall") if row[0] == FIRST]
    assert [(row[1], row[2], row[3], row[4]) for row in january] == [
        (1, "reported", 1000, 1000),
        (2, "unsupported", 20, 1020),
        (3, "backdated", Decimal("-50.00000001"), Decimal("969.99999999")),
        (4, "affiliate", -300, Decimal("669.99999999")),
        (5, "own_token_haircut", 0, Decimal("669.99999999")),
        (6, "token_adjusted_revenue", Decimal("669.99999999"), Decimal("669.99999999")),
    ]
    february = [row for row in rows(marts, "revenue_waterfall") if row[0] != FIRST]
    assert [row[3:] for row in february] == [(None, None)] * 6


def test_dependence_on_own_tokens_adds_up_affiliates_tokens_and_revenue(marts: duckdb.DuckDBPyConnection) -> None:
    fill(marts, "fct_solvency_daily", solvency(FIRST), solvency(SECOND, own_token_share="0.5"))
    fill(
        marts,
        "fct_own_token_daily",
        {"as_of_date": SECOND, "asset": "XT", "mark_value_usd": "70", "liquidation_value_usd": "7"},
        {"as_of_date": SECOND, "asset": "YT", "mark_value_usd": "30", "liquidation_value_usd": "0"},
    )
    fill(
        marts,
        "fct_affiliate_exposure_daily",
        exposure(SECOND, "x", "0", "60", "60"),
        exposure(SECOND, "y", "0", "20", "0"),
    )
    fill(
        marts,
        "fct_revenue_daily",
        {"revenue_date": SECOND, "asset": "XT", "is_own_token": True, "value_usd": "3"},
        {"revenue_date": SECOND, "asset": "USD", "is_own_token": False, "value_usd": "4"},
    )
    columns = (
        "own_tokens, own_token_share_of_assets, holdings_mark_usd, liquidation_share_of_mark,"
        " own_token_share_of_affiliate_collateral, revenue_usd, own_token_revenue_usd"
    )
    assert rows(marts, "own_token_dependence", columns) == [
        (0, None, 0, None, None, 0, 0),
        (2, Decimal("0.5"), 100, Decimal("0.07"), Decimal("0.75"), 7, 3),
    ]


def test_a_restatement_goes_from_what_was_first_said_to_what_is_said_now(marts: duckdb.DuckDBPyConnection) -> None:
    figure = {
        "as_of_date": FIRST,
        "source_table": "fct_solvency_daily",
        "figure": "in_kind_shortfall_usd",
        "subject": "exchange",
    }
    known = datetime(2022, 1, 2)
    for number, run in enumerate(("z", "b", "a")):
        moment = datetime(2022, 1, 5 + number)
        fill(
            marts,
            "audit.run",
            {"run_id": run, "started_at": moment, "published_at": moment + timedelta(minutes=1), "status": "passed"}
            | {
                "first_date": FIRST,
                "last_date": THIRD,
                "knowledge_at": moment,
                "is_accepted": True,
                "policy_hash": "p",
            },
        )
    fill(
        marts,
        "fct_restatement",
        figure | {"run_id": "a", "amount_before": "7", "amount_after": "9", "reason": "policy", "entries": 0},
        figure | {"run_id": "b", "amount_before": "5", "amount_after": "7", "said_since": known, "entries": 2},
        figure | {"figure": "net_gap_usd", "run_id": "b", "amount_before": None, "amount_after": "1"},
    )
    columns = "figure, first_said, first_said_as_known_at, said_now, difference, restatements, last_run_id, last_reason"
    assert rows(marts, "restatements", columns) == [
        ("in_kind_shortfall_usd", 5, known, 9, 4, 2, "a", "policy"),
        ("net_gap_usd", None, None, 1, None, 1, "b", None),
    ]
