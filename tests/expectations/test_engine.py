"""Great Expectations over DuckDB: exact for money, right on empty tables, and honest about its own failures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import unquote

import duckdb
import great_expectations.expectations as gxe
import pytest
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.engine import evaluate
from expectations.rules import SHAPE, Rule, RuleOutcome, TableSuite
from orchestration.journal import CLOSE, recorded_runs, recording

CRITICAL = FailureSeverity.CRITICAL


@pytest.fixture
def build_file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "ringfence_build.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema books")
        connection.execute("create table books.amount (account varchar, amount decimal(38, 18))")
        connection.execute("create table books.nothing (account varchar, amount decimal(38, 18))")
        connection.execute(
            "insert into books.amount values ('customer-4711', 99999999999999999999.000000000000000001),"
            " ('customer-4712', -99999999999999999999.000000000000000002)"
        )
    yield path
    # Whoever comes next must be able to open the file for writing.
    duckdb.connect(str(path)).close()


def rows_rule(query: str, name: str = "rule") -> Rule:
    expectation = gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, description=name, severity=CRITICAL)
    return Rule(name, "books.amount", SHAPE, expectation)


def run(build_file: Path, *rules: Rule, table: str = "amount", data_docs: Path | None = None) -> list[RuleOutcome]:
    suite = TableSuite(f"suite {table}", "books", table, rules)
    evaluation = evaluate(build_file, [suite], stage="exit")
    if data_docs is not None:
        evaluation.write_data_docs(data_docs)
    return evaluation.all_outcomes


def test_a_difference_in_the_eighteenth_place_of_a_huge_sum_is_seen(build_file: Path) -> None:
    total = "select cast(sum(amount) as varchar) as difference from {batch} having sum(amount) <> 0"
    (outcome,) = run(build_file, rows_rule(total))
    assert not outcome.success
    assert not outcome.is_error
    assert outcome.observed == "difference -0.000000000000000001"


def test_a_rule_that_holds_passes(build_file: Path) -> None:
    exact = "select 1 as one from {batch} having sum(amount) <> -0.000000000000000001::decimal(38, 18)"
    (outcome,) = run(build_file, rows_rule(exact))
    assert (outcome.success, outcome.is_error, outcome.unexpected) == (True, False, 0)


def test_every_kind_of_rule_passes_on_an_empty_table(build_file: Path) -> None:
    outcomes = run(
        build_file,
        rows_rule("select account from {batch} group by account having count(*) > 1"),
        Rule("present", "s", SHAPE, gxe.ExpectColumnValuesToNotBeNull(column="account", severity=CRITICAL)),
        Rule(
            "known", "s", SHAPE, gxe.ExpectColumnValuesToBeInSet(column="account", value_set=["a"], severity=CRITICAL)
        ),
        Rule(
            "columns",
            "s",
            SHAPE,
            gxe.ExpectTableColumnsToMatchSet(column_set=["account", "amount"], exact_match=True, severity=CRITICAL),
        ),
        table="nothing",
    )
    assert [(outcome.success, outcome.is_error) for outcome in outcomes] == [(True, False)] * 4


def test_a_missing_and_a_surplus_column_fail(build_file: Path) -> None:
    columns = gxe.ExpectTableColumnsToMatchSet(column_set=["account", "price"], exact_match=True, severity=CRITICAL)
    (outcome,) = run(build_file, Rule("columns", "s", SHAPE, columns))
    assert not outcome.success
    assert outcome.observed is not None
    assert "price" in outcome.observed
    assert "amount" in outcome.observed


def test_a_rule_that_can_t_be_evaluated_is_an_error_and_no_pass(build_file: Path) -> None:
    broken, sound = run(
        build_file, rows_rule("select no_such_column from {batch}"), rows_rule("select 1 from {batch} where false")
    )
    assert (broken.success, broken.is_error) == (False, True)
    assert broken.observed is not None
    assert "no_such_column" in broken.observed
    assert (sound.success, sound.is_error) == (True, False)


def test_a_rule_on_a_column_that_is_not_there_is_an_error(build_file: Path) -> None:
    rule = Rule("present", "s", SHAPE, gxe.ExpectColumnValuesToNotBeNull(column="gone", severity=CRITICAL))
    (outcome,) = run(build_file, rule)
    assert (outcome.success, outcome.is_error) == (False, True)


def test_outcomes_come_in_the_order_of_the_rules_and_count_failing_subjects(build_file: Path) -> None:
    counted = "select '2024-01-01' as day, count(*) as subjects from {batch}"
    first, second = run(build_file, rows_rule("select 1 from {batch} where false", "a"), rows_rule(counted, "b"))
    assert (first.check_name, second.check_name) == ("a", "b")
    assert second.unexpected == 2


def test_data_docs_open_without_a_request_or_a_script_and_name_no_customer(build_file: Path, tmp_path: Path) -> None:
    docs = tmp_path / "data_docs"
    counted = "select '2024-01-01' as day, count(*) as subjects, cast(sum(amount) as varchar) as usd from {batch}"
    run(build_file, rows_rule(counted), data_docs=docs)
    run(build_file, rows_rule(counted), data_docs=docs)
    pages = sorted(docs.rglob("*.html"))
    assert docs / "index.html" in pages
    assert len(pages) > 3
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    assert "<script" not in text.lower()
    assert not re.findall(r"<(?:link|img|iframe)[^>]+(?:src|href)=[\"']?https?://", text)
    assert text.count("Content-Security-Policy") == len(pages)
    assert "customer-47" not in text
    assert "e-18" not in text.lower()


def test_data_docs_lead_from_the_first_page_to_every_suite_and_back(build_file: Path, tmp_path: Path) -> None:
    docs = tmp_path / "data docs"
    run(build_file, rows_rule("select 1 from {batch}"), data_docs=docs)
    gate = (docs / "exit" / "index.html").read_text(encoding="utf-8")
    assert 'href="exit/index.html"' in (docs / "index.html").read_text(encoding="utf-8")
    assert "<td>1</td><td>1</td>" in gate, "one expectation, not met"
    links = [unquote(link) for link in re.findall(r'href="([^"]+)"', gate)]
    assert len(links) == 2
    assert all((docs / "exit" / link).resolve().is_file() for link in links)


def test_what_fails_or_can_t_be_evaluated_stands_in_the_record_of_the_run_before_anybody_is_told(
    build_file: Path, tmp_path: Path
) -> None:
    with recording(tmp_path, "run", CLOSE, date(2024, 1, 2), date(2024, 1, 2)) as record:
        days = (
            "select * from (values ('2024-01-01', 2, '5'), ('2024-01-02', 1, '7.50'), ('2024-01-02', 3, null))"
            " as found(day, subjects, impact_usd) where exists (select 1 from {batch})"
        )
        rules = (
            rows_rule(days, "days"),
            rows_rule("select gone from {batch}", "broken"),
            rows_rule("select 1 from {batch} where false"),
        )
        suites = [TableSuite("there", "books", "amount", rules), TableSuite("not there", "books", "gone", rules[:1])]
        outcomes = evaluate(build_file, suites, stage="exit", run_file=record.path).outcomes
        (run,) = recorded_runs(tmp_path)
        record.end("passed", "")
    assert [outcome.is_error for outcome in outcomes["there"]] == [False, True, False]
    assert [outcome.is_error for outcome in outcomes["not there"]] == [True]
    found = {(rule.check_name, rule.is_error): rule for rule in run.failed_rules}
    assert set(found) == {("days", False), ("broken", True), ("days", True)}
    latest = found["days", False]
    assert (latest.day, latest.subjects, latest.impact_usd) == (date(2024, 1, 2), 4, "7.50")
    assert (latest.gate, latest.subject, latest.kind, latest.severity) == ("exit", "books.amount", SHAPE, "critical")
    assert "gone" in (found["broken", True].observed or "")


def test_a_record_that_can_t_be_written_changes_no_outcome(build_file: Path, tmp_path: Path) -> None:
    suite = TableSuite("suite", "books", "amount", (rows_rule("select 1 from {batch}"),))
    (outcome,) = evaluate(build_file, [suite], stage="exit", run_file=tmp_path / "nobody.jsonl").all_outcomes
    assert (outcome.success, outcome.is_error) == (False, False)
    assert not (tmp_path / "nobody.jsonl").exists()
