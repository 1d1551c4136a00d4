"""What the explorer asks the published file, and what it gets: exact, ordered, counted, the named one and no other."""

from __future__ import annotations

import csv
import inspect
import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from types import ModuleType
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest

from orchestration.explore import holders, questions, solvency, tracing, wording
from orchestration.explore.files import csv_file, fields_of, parquet_file
from orchestration.explore.publication import Reader
from orchestration.explore.questions import Question, ask, ask_for_all, ask_for_one
from orchestration.reading.published import QueryError
from orchestration.safe_text import text_of_csv
from tests.explore.books import DEBT, DEBTOR, FILE, FIRST, HOSTILE, LAST, OWES, TINY

ANY: dict[str, Any] = {
    "day": LAST,
    "other": FIRST,
    "before": FIRST,
    "after": LAST,
    "finding": OWES,
    "asset": "USD",
    "file": FILE,
    "number": 7,
    "table": "ledger_entries",
    "key": "entry-1",
    "subject_type": "account",
    "check": "",
    "severity": "",
    "kind": "",
}


OF_ONE_ROW = {"account", "wallet", "entity", "finding", "day_figures", "group"}


def every_question() -> list[Callable[..., Question]]:
    def own(module: ModuleType) -> list[Callable[..., Question]]:
        functions = inspect.getmembers(module, inspect.isfunction)
        return [f for name, f in functions if f.__module__ == module.__name__ and not name.startswith("_")]

    return [question for module in (solvency, holders, tracing) for question in own(module)]


@pytest.mark.parametrize("subject", ["nobody", "'; drop table marts.dim_account; --", "100%_", HOSTILE])
def test_every_question_can_be_asked_about_anybody(reader: Reader, subject: str) -> None:
    for question in every_question():
        given = {name: ANY.get(name, subject) for name in inspect.signature(question).parameters}
        answer = ask(reader.cursor, question(**given))
        assert answer.rows.columns, question.__name__
        is_ordered = question.__name__ not in OF_ONE_ROW
        assert ("order by" in question(**given).sql) is is_ordered, question.__name__


def test_a_first_part_is_shown_in_order_and_the_rest_counted(reader: Reader) -> None:
    numbers = Question("select * from range($last) as numbers(n) order by n desc", {"last": 1000})
    part = ask(reader.cursor, numbers, limit=3)
    assert (part.rows.values, part.rows_in_all) == (((999,), (998,), (997,)), 1000)
    whole = ask(reader.cursor, numbers, limit=1000)
    assert (len(whole.rows.values), whole.rows_in_all) == (1000, 1000)
    assert ask_for_one(reader.cursor, numbers) == {"n": 999}
    assert ask_for_one(reader.cursor, Question("select 1 where false")) is None


@pytest.mark.parametrize(
    "sql", ["select", "select * from read_csv('/etc/passwd')", "select 1; select 2", "drop schema marts"]
)
def test_what_cant_be_answered_is_one_line(reader: Reader, sql: str) -> None:
    with pytest.raises(QueryError) as refusal:
        ask(reader.cursor, Question(sql))
    assert "\n" not in str(refusal.value)


def test_evidence_that_ends_in_a_comment_is_evidence(reader: Reader) -> None:
    answer = ask(reader.cursor, Question(OWES["evidence"]))
    assert answer.all_rows()[0]["balance"] == Decimal(DEBT)


def test_two_days_differ_exactly(reader: Reader) -> None:
    figures = {row["figure"]: row for row in ask_for_all(reader.cursor, solvency.figures_compared(FIRST, LAST))}
    assert list(figures) == list(solvency.FIGURES)
    assert figures["in_kind_shortfall_usd"]["difference"] == Decimal("140.00000001")
    assert figures["eligible_reserves_usd"]["difference"] == Decimal("-199.75")
    assert figures["affiliate_borrowing_usd"]["before"] == Decimal("98765432109876543.21")
    assert figures["net_gap_usd"]["difference"] is None
    (group,) = ask_for_all(reader.cursor, solvency.groups_compared(FIRST, LAST))
    assert (group["in_kind_group"], group["gap_usd_difference"]) == ("USD", Decimal("-179.75000001"))
    (affiliate,) = ask_for_all(reader.cursor, solvency.affiliates_compared(FIRST, LAST))
    assert affiliate["uncollateralised_usd_before"] is None
    assert affiliate["uncollateralised_usd_after"] == 60


def test_a_day_before_the_first_leaves_figures_without_a_before(reader: Reader) -> None:
    figures = ask_for_all(reader.cursor, solvency.figures_compared(FIRST - timedelta(days=1), FIRST))
    assert len(figures) == len(solvency.FIGURES)
    assert all(row["before"] is None and row["difference"] is None for row in figures)


def test_what_broke_is_what_was_sound_the_day_before(reader: Reader) -> None:
    def checks(day: date, other: date) -> list[str]:
        return [row["check_name"] for row in ask_for_all(reader.cursor, solvency.findings_only_on(day, other))]

    assert checks(LAST, FIRST) == ["no_negative_balance", "customer_funds_segregated"]
    assert checks(FIRST, LAST) == []
    first = ask_for_all(reader.cursor, solvency.checks_first_failing())
    assert [(row["first_day"], row["check_name"]) for row in first] == [
        (FIRST, "affiliate_privileges"),
        (LAST, "no_negative_balance"),
        (LAST, "customer_funds_segregated"),
    ]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, 4),
        ({"day": FIRST}, 1),
        ({"severity": "warning"}, 1),
        ({"kind": "integrity"}, 0),
        ({"check": "affiliate_privileges"}, 2),
        ({"subject": "W-1"}, 1),
        ({"subject": "%"}, 0),
        ({"day": LAST, "check": "affiliate_privileges", "subject": "hyperlink"}, 1),
    ],
)
def test_findings_match_all_that_is_given(reader: Reader, given: dict[str, Any], found: int) -> None:
    assert ask(reader.cursor, solvency.findings(**given)).rows_in_all == found


def test_privileges_are_spans_of_days(reader: Reader) -> None:
    (span,) = ask_for_all(reader.cursor, holders.account_privileges(DEBTOR))
    assert (span["first_day"], span["last_day"], span["credit_line_usd"]) == (FIRST, LAST, 70)


def test_accounts_are_found_by_owner_and_by_name_in_any_case(reader: Reader) -> None:
    for text in ("HYPERLINK", "<script>", "b <B>ltd"):
        assert [row["account_id"] for row in ask_for_all(reader.cursor, holders.accounts_like(text))] == [DEBTOR]
    assert ask_for_all(reader.cursor, holders.accounts_like("%")) == []


def test_a_value_without_a_price_is_no_value(reader: Reader) -> None:
    (wallet,) = ask_for_all(reader.cursor, holders.wallets(FIRST))
    assert (wallet["assets"], wallet["balance_usd"], wallet["eligible_usd"]) == ("BTC, USD", None, 5)
    values = [
        (row["as_of_date"], row["balance_usd"]) for row in ask_for_all(reader.cursor, holders.wallet_value("w-1"))
    ]
    assert values == [(FIRST, None), (LAST, 9)]


def test_a_row_leads_from_the_account_to_its_file_and_back_to_the_finding(reader: Reader) -> None:
    (entry,) = ask_for_all(reader.cursor, tracing.entries_of(DEBTOR))
    assert entry["amount"] == Decimal(DEBT)
    place = {name: entry[name] for name in ("source_table", "row_key", "source_file", "source_row")}
    (row,) = ask_for_all(reader.cursor, tracing.source_row(*place.values()))
    assert dict(fields_of(row["content"]))["memo"] == HOSTILE
    (file,) = ask_for_all(reader.cursor, tracing.deliveries(entry["source_file"]))
    assert (file["sha256"], file["outcome"]) == ("f00d" * 16, "accepted")
    (leg,) = ask_for_all(reader.cursor, tracing.transaction_legs("transaction-1"))
    assert leg["account_id"] == DEBTOR
    (resting,) = ask_for_all(reader.cursor, tracing.findings_resting_on(*place.values()))
    key = (resting["as_of_date"], *(resting[name] for name in ("check_name", "subject_type", "subject_id", "asset")))
    found = ask_for_one(reader.cursor, solvency.finding(*key))
    assert found is not None
    (behind,) = ask_for_all(reader.cursor, tracing.rows_behind(found))
    assert (behind["row_key"], behind["rows_in_all"]) == ("entry-1", 3)


def test_a_file_of_csv_runs_no_formula_and_loses_no_digit(reader: Reader) -> None:
    written = csv_file(reader.cursor, holders.debtors(LAST)).decode()
    (row,) = csv.DictReader(io.StringIO(written))
    assert row["account_id"].startswith("'=HYPERLINK")
    assert text_of_csv(row["account_id"]) == DEBTOR
    assert Decimal(row["balance"]) == Decimal(DEBT)


def test_a_file_of_parquet_holds_the_types_of_the_database(reader: Reader) -> None:
    table = pq.read_table(io.BytesIO(parquet_file(reader.cursor, solvency.group_liabilities(LAST, "USD"))))
    assert str(table.schema.field("liability").type) == "decimal128(38, 18)"
    assert table.column("liability").to_pylist() == [Decimal("600.5"), Decimal(TINY)]
    empty = pq.read_table(io.BytesIO(parquet_file(reader.cursor, Question("select null as nothing where false"))))
    assert (empty.column_names, empty.num_rows) == (["nothing"], 0)


def test_files_end_at_so_many_rows(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "ROWS_DOWNLOADED", 2)
    many = Question("from range(5) as numbers(n) order by n")
    assert pq.read_table(io.BytesIO(parquet_file(reader.cursor, many))).column("n").to_pylist() == [0, 1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (True, "yes"),
        (1234567, "1,234,567"),
        (Decimal(DEBT), "-98,765,432,109,876,543.210000000000000001"),
        (Decimal("0E-18"), "0"),
        (Decimal("1E+3"), "1,000"),
        (date(2026, 3, 4), "2026-03-04"),
        ("a\u202eb\x1b[2J\nc", "a\\u202eb\\x1b[2J\\nc"),
        (["a", "b"], '["a", "b"]'),
    ],
)
def test_values_are_written_whole(value: Any, text: str) -> None:
    assert wording.written(value) == text


def test_a_column_lines_up_and_cuts_nothing() -> None:
    values = [Decimal("1.5"), Decimal("20"), None, Decimal(TINY)]
    assert wording.written_column("balance", values) == ["1.50000000", "20.00000000", "–", TINY]
    assert wording.written_column("gap_usd", [Decimal("3.00000000")]) == ["3.00"]
    assert wording.written_column("source_row", [12345]) == ["12345"]
    assert wording.written_column("difference", [Decimal("1.5"), Decimal("2.000")]) == ["1.5", "2"]


def test_columns_and_places_have_names_for_people() -> None:
    assert wording.column_label("gap_usd_before") == "Gap (USD) before"
    assert wording.column_label("credit_line_used_pct") == "Credit line used (%)"
    assert wording.place_in_file("a.csv.gz", 7) == "row 7, line 8"
    assert wording.place_in_file("a.jsonl", 7) == "row 7, line 7"
    assert wording.place_in_file("a.parquet", 7) == "row 7"
    assert (wording.rows_line(200, 1000), wording.rows_line(1, 1)) == ("first 200 of 1,000 rows", "1 row")


def test_the_file_cant_be_changed_and_no_other_reached(reader: Reader) -> None:
    for sql in ("create table x as select 1", "attach '/tmp/x.duckdb'", "set enable_external_access = true"):
        with pytest.raises(duckdb.Error):
            reader.cursor.execute(sql)
