"""What was said and is said differently: figures before and after, and the rows that moved them, run by run."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import duckdb
import pytest

from orchestration.reading.asof import Moment, figures_said, silence_line
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


COVERED_TWICE = "coverage: {min_coverage: 2}"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """One warehouse and all that became of what it had said, a run at a time."""
    folder = tmp_path_factory.mktemp("told")
    runs = Runs(folder, FIRST)
    strict = folder / "policy.yaml"
    strict.write_text(COVERED_TWICE)
    runs.run("opening", day(3), opening() | {"wallet_balances": [balance(number, "1500") for number in (1, 2, 3)]})
    runs.run("without balance", day(4), {})
    late_fee = pays("late", 2, "c1", "op", "30", "fee", **known_on(5))
    runs.run("late entry", day(5), {"ledger_entries": late_fee, "wallet_balances": [balance(5, "1500")]})
    late_price = price(3, "30000", source="y", volume_usd="9", partition_date=day(6))
    runs.run("late price", day(6), {"token_prices": [late_price], "wallet_balances": [balance(6, "1500")]})
    link = {"parent_entity_id": "op", "child_entity_id": "mm", "link_type": "control"}
    runs.run("corrected link", day(7), {"entity_links": [link | {"recorded_at": "2021-12-01T00:00:00"}]})
    runs.run("gap filled", day(4), {"wallet_balances": [balance(4, "1500"), balance(7, "1500")]})
    runs.run("other policy", day(8), {"wallet_balances": [balance(8, "1500")]}, policy_file=strict)
    killed = {"ledger_entries": pays("unsaid", 8, "c1", "op", "7", "fee", **known_on(9))}
    runs.run("killed", day(9), killed, policy_file=strict, is_killed=True)
    runs.run("after the kill", day(9), {}, policy_file=strict)
    runs.run("month over", date(2022, 2, 2), {}, policy_file=strict)
    income = {"recorded_at": "2022-02-20T13:00:00", "partition_date": "2022-02-20"}
    backdated = [*pays("backdated", 15, "mm", "op", "50", "fee", **income)]
    return runs.run("backdated revenue", date(2022, 2, 20), {"ledger_entries": backdated}, policy_file=strict)


def moved(told: Warehouse, run_id: str, figure: str, subject: str = "exchange") -> dict[int, tuple[Any, Any]]:
    """Amounts before and after of what a run restated, by day of the calendar."""
    rows = told.query(
        "select as_of_date, amount_before, amount_after, difference from marts.fct_restatement"
        " where run_id = ? and figure = ? and subject = ? order by as_of_date",
        run_id,
        figure,
        subject,
    )
    for row in rows:
        before, after = row["amount_before"], row["amount_after"]
        assert row["difference"] == (None if before is None or after is None else after - before)
    return {(row["as_of_date"] - FIRST).days + 1: (row["amount_before"], row["amount_after"]) for row in rows}


def causes(told: Warehouse, run_id: str) -> set[tuple[Any, ...]]:
    """Reason, entries and other rows of everything that a run restated."""
    rows = told.query(
        "select distinct reason, entry_ids, entries, other_rows, others from marts.fct_restatement where run_id = ?",
        run_id,
    )
    return {
        (row["reason"], tuple(row["entry_ids"]), row["entries"], tuple(row["other_rows"]), row["others"])
        for row in rows
    }


def test_a_first_publication_restates_nothing(told: Warehouse) -> None:
    restating = {row["run_id"] for row in told.query("select distinct run_id from marts.fct_restatement")}
    assert not restating & {"opening", "without balance", "month over"}


def test_a_late_entry_moves_every_day_it_counts_on_and_no_day_first_published_with_it(told: Warehouse) -> None:
    expected = dict.fromkeys((2, 3, 4), (81100, 81070))
    assert moved(told, "late entry", "customer_liabilities_usd") == expected
    assert moved(told, "late entry", "liability", "USD|customer") == dict.fromkeys((2, 3, 4), (1100, 1070))
    assert moved(told, "late entry", "liability", "BTC|customer") == {}
    assert moved(told, "late entry", "eligible_reserves", "USD") == {}


def test_each_figure_names_the_entries_within_its_reach(told: Warehouse) -> None:
    one_entry = [("source_rows", (f"late-{account}",), 1, (), 0) for account in ("c1", "op")]
    assert causes(told, "late entry") == set(one_entry)
    owners = told.query(
        "select distinct subject, unnest(entry_ids) as entry_id from marts.fct_restatement"
        " where run_id = 'late entry' and source_table = 'fct_customer_liability_daily' order by all"
    )
    assert [tuple(row.values()) for row in owners] == [("USD|customer", "late-c1"), ("USD|operator", "late-op")]


def test_what_turns_up_for_a_published_day_was_not_said_before(told: Warehouse) -> None:
    assert moved(told, "late entry", "liability", "USD|operator") == dict.fromkeys((2, 3, 4), (None, 30))


def test_a_late_price_moves_values_and_no_quantity(told: Warehouse) -> None:
    assert moved(told, "late price", "price_usd", "BTC")[3] == (40000, 30000)
    assert moved(told, "late price", "liability_usd", "BTC|customer") == dict.fromkeys((3, 4, 5), (80000, 60000))
    assert moved(told, "late price", "liability", "BTC|customer") == {}
    assert causes(told, "late price") == {("source_rows", (), 0, ("token_prices BTC|2022-01-03T12:00:00Z|y",), 1)}


def test_a_corrected_reference_row_moves_all_days_back_to_its_validity(told: Warehouse) -> None:
    assert moved(told, "corrected link", "liability", "USD|affiliate") == dict.fromkeys(range(1, 7), (None, 100))
    assert moved(told, "corrected link", "gross_claims_usd", "mm") == dict.fromkeys(range(1, 7), (None, 100))
    assert moved(told, "corrected link", "liability", "USD|customer")[1] == (1100, 1000)
    link = "entity_links op|mm|control|2000-01-01T00:00:00Z"
    assert causes(told, "corrected link") == {("source_rows", (), 0, (link,), 1)}


def test_a_gap_filled_later_shows_what_filled_it_though_nothing_is_known_later(told: Warehouse) -> None:
    assert moved(told, "gap filled", "eligible_reserves_usd") == {4: (0, 1500), 7: (0, 1500)}
    rows = [f"wallet_balances bank|USD|2022-01-0{number}T23:00:00Z" for number in (4, 7)]
    assert causes(told, "gap filled") == {("source_rows", (), 0, (row,), 1) for row in rows}
    times = told.query(
        "select distinct previous_run_id, previous_knowledge_at = knowledge_at as same from marts.fct_restatement"
        " where run_id = 'gap filled'"
    )
    assert times == [{"previous_run_id": "corrected link", "same": True}]


def test_a_changed_policy_is_named_as_the_reason(told: Warehouse) -> None:
    assert moved(told, "other policy", "gap", "BTC") == dict.fromkeys(range(1, 8), (-2, -4))
    assert causes(told, "other policy") == {("policy", (), 0, (), 0)}


def test_a_killed_run_restated_nothing_and_its_rows_count_for_the_next(told: Warehouse) -> None:
    for table in ("published_figure", "restatement_source"):
        assert told.query(f"from audit.{table} where run_id = 'killed'") == []
    assert told.query("select published_at from audit.run where run_id = 'killed'") == [{"published_at": None}]
    assert moved(told, "after the kill", "liability", "USD|customer") == {8: (970, 963)}
    assert causes(told, "after the kill") == {("source_rows", (f"unsaid-{who}",), 1, (), 0) for who in ("c1", "op")}
    before = told.query("select distinct previous_run_id from marts.fct_restatement where run_id = 'after the kill'")
    assert before == [{"previous_run_id": "other policy"}]


def test_backdated_revenue_restates_the_month_with_its_entry(told: Warehouse) -> None:
    assert moved(told, "backdated revenue", "ledger_usd") == {1: (37, 87)}
    rows = told.query(
        "select entry_ids, said_since, previous_knowledge_at, knowledge_at from marts.fct_restatement"
        " where figure = 'ledger_usd'"
    )
    assert [row["entry_ids"] for row in rows] == [["backdated-op"]], "a month that grows while it lasts restates none"
    assert [rows[0][name].date().isoformat() for name in ("said_since", "previous_knowledge_at", "knowledge_at")] == [
        "2022-01-10",
        "2022-02-03",
        "2022-02-21",
    ]


def test_rows_behind_a_restatement_are_kept_with_their_content(told: Warehouse) -> None:
    rows = told.query(
        "select distinct row_key, content ->> 'amount' as amount, content ->> 'recorded_at' as recorded_at, size"
        " from audit.restatement_source inner join audit.source_row using (source_table, row_key, source_file,"
        " source_row) where run_id = 'backdated revenue' order by row_key"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("backdated-mm", "-50.000000000000000000", "2022-02-20 13:00:00", 50),
        ("backdated-op", "50.000000000000000000", "2022-02-20 13:00:00", 50),
    ]


def test_every_change_of_what_was_said_of_a_published_day_is_listed_once(told: Warehouse) -> None:
    """Differences lead from what was first said to what is said now."""
    broken = told.query(
        """
        select first.figure
        from (
            select as_of_date, source_table, figure, subject,
                arg_min(amount, entry_number) as first_amount, arg_max(amount, entry_number) as amount
            from audit.published_figure where amount is not null group by all
        ) as first
        inner join (
            select as_of_date, source_table, figure, subject, sum(difference) as difference
            from marts.fct_restatement group by all
        ) as restated using (as_of_date, source_table, figure, subject)
        where source_table <> 'fct_token_adjusted_revenue_monthly' and amount - first_amount <> coalesce(difference, 0)
        """
    )
    assert broken == []


def said(told: Warehouse, number: int, moment: Moment, figure: str) -> tuple[Any, ...]:
    with duckdb.connect(str(told.path), read_only=True) as connection:
        rows = figures_said(connection, day(number), moment)
    (found,) = [row for row in rows.values if row[rows.columns.index("figure")] == figure]
    return tuple(found[rows.columns.index(name)] for name in ("amount", "run_id", "amount_now", "difference"))


@pytest.mark.parametrize(
    ("known_on", "amount", "run_id"),
    [(3, 81100, "opening"), (4, 81100, "opening"), (5, 81070, "late entry"), (6, 61070, "late price")],
)
def test_what_was_said_of_a_day_is_what_the_last_run_known_by_then_said(
    told: Warehouse, known_on: int, amount: int, run_id: str
) -> None:
    moment = Moment(datetime.combine(day(known_on + 1), time.min), None)
    assert said(told, 3, moment, "customer_liabilities_usd") == (amount, run_id, 60970, 60970 - amount)


def test_a_day_was_unspoken_of_until_its_first_publication(told: Warehouse) -> None:
    just_before = Moment(datetime(2022, 1, 4) - timedelta(microseconds=1), None)
    with duckdb.connect(str(told.path), read_only=True) as connection:
        assert figures_said(connection, day(3), just_before).values == ()
        assert "the first to speak of it was a run with knowledge of 2022-01-04 00:00:00 UTC" in silence_line(
            connection, day(3), just_before
        )
        assert "figures of 2022-01-01 to 2022-02-20 were" in silence_line(connection, date(2023, 1, 1), just_before)


def test_the_wall_clock_tells_publications_of_one_knowledge_apart(told: Warehouse) -> None:
    times = {
        row["run_id"]: row["published_at"]
        for row in told.query("select run_id, published_at from audit.run where published_at is not null")
    }
    known = datetime(2022, 1, 8)
    before = Moment(known, times["gap filled"] - timedelta(microseconds=1))
    assert said(told, 4, before, "eligible_reserves_usd")[:2] == (0, "without balance")
    assert said(told, 4, Moment(known, None), "eligible_reserves_usd")[:2] == (1500, "gap filled")
    assert said(told, 4, Moment(None, times["gap filled"]), "eligible_reserves_usd")[:2] == (1500, "gap filled")
