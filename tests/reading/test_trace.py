"""A finding is traced to figures, landing rows and files, the largest first; what can't be found says what there is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import duckdb
import pytest

from orchestration.audit import create_audit_schema
from orchestration.cli import _invoke
from orchestration.errors import ConfigurationError
from orchestration.reading.explanation import find_check, read_explanation
from orchestration.reading.trace import policy_of_warehouse, standing_line, traced_lines

DAY = date(2024, 1, 5)
LEDGER = "ledger_entries/date=2024-01-05/rows.csv.gz"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        create_audit_schema(opened)
        opened.execute("create schema marts")
        yield opened


def insert(connection: duckdb.DuckDBPyConnection, table: str, **columns: Any) -> None:
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    connection.execute(f"insert into audit.{table} ({names}) values ({marks})", list(columns.values()))


def finding(connection: duckdb.DuckDBPyConnection, check: str, kind: str, **columns: Any) -> None:
    full = {
        "run_id": "a",
        "as_of_date": DAY,
        "check_name": check,
        "kind": kind,
        "severity": "critical",
        "subject_type": "account",
        "subject_id": "o'brien",
        "asset": "USD",
        "observed": "-5 USD",
        "expected": "no balance below zero",
        "impact_usd": "5",
        "message": "o'brien owes 5 USD.",
        "evidence": None,
        "first_seen_on": DAY,
        "known_since": "2024-01-06",
    } | columns
    insert(connection, "finding", **full)


def load(connection: duckdb.DuckDBPyConnection, sha256: str, outcome: str, number: int, file: str = LEDGER) -> None:
    insert(
        connection,
        "load",
        run_id=f"run {number}",
        table_name="ledger_entries",
        source_file=file,
        sha256=sha256,
        rows=20,
        bytes=1,
        modified_ns=1,
        outcome=outcome,
        load_number=number,
    )


def source_row(connection: duckdb.DuckDBPyConnection, key: str, row: int, content: str, position: int | None) -> None:
    place = {"source_table": "ledger_entries", "row_key": key, "source_file": LEDGER, "source_row": row}
    insert(connection, "source_row", **place, content=content)
    if position is not None:
        insert(
            connection,
            "finding_source",
            as_of_date=DAY,
            check_name="no_negative_balance",
            subject_type="account",
            subject_id="o'brien",
            asset="USD",
            **place,
            position=position,
            size="5",
            rows_in_all=1234,
        )


def text(connection: duckdb.DuckDBPyConnection, check: str, subject: str, asset: str | None = None) -> str:
    return "\n".join(traced_lines(connection, read_explanation(find_check(check)), DAY, subject, asset))


def test_a_finding_leads_to_figures_rows_lines_and_every_delivery_of_the_file(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute(
        "create table marts.fct_account_equity_daily as select date '2024-01-05' as as_of_date,"
        " 'o''brien' as account_id, 1.50::decimal(38, 8) as equity_usd from range(12)"
    )
    connection.execute("create table marts.fct_account_privilege_daily as from marts.fct_account_equity_daily limit 0")
    finding(connection, "no_negative_balance", "breach")
    source_row(connection, "e2", 7, '{"entry_id": "e2", "amount": "-3.000000000000000000", "memo": null}', 2)
    source_row(connection, "e1", 3, '{"entry_id": "e1", "amount": "-5.100000000000000000", "memo": "a, b"}', 1)
    load(connection, "aaaa", "accepted", 1)
    load(connection, "bbbb", "accepted", 2)
    load(connection, "cccc", "pending", 3)
    shown = text(connection, "no_negative_balance", "o'brien")
    assert "Finding of 2024-01-05: account o'brien USD (breach, critical)" in shown
    assert "account_id = 'o''brien'" in shown, "a query that anybody can run"
    assert "equity_usd 1.5\n" in shown
    assert "and 2 more" in shown
    assert "Source rows of ledger_entries: 1,234, the largest 2" in shown
    assert shown.index("- e1\n") < shown.index("- e2\n")
    assert f"{LEDGER}, row 3, line 4\n    entry_id e1, amount -5.1, memo a, b" in shown
    assert "and 1,232 more" in shown
    assert "aaaa  20 rows, accepted by run run 1" in shown
    assert "bbbb  20 rows, accepted by run run 2" in shown
    assert "cccc" not in shown


def test_an_integrity_finding_is_traced_by_its_own_evidence(connection: duckdb.DuckDBPyConnection) -> None:
    evidence = "select * from audit.source_row where source_table = 'ledger_entries' and row_key = 'e1'"
    finding(connection, "keys_unique", "integrity", subject_id="e1", subject_type="row", evidence=evidence)
    source_row(connection, "e1", 3, '{"amount": "5"}', None)
    source_row(connection, "e1", 4, '{"amount": "6"}', None)
    load(connection, "dddd", "discarded", 1)
    shown = text(connection, "keys_unique", "e1")
    assert "Source rows of ledger_entries: 2\n" in shown
    assert "amount 5" in shown
    assert "amount 6" in shown
    assert "dddd  20 rows, discarded by run run 1" in shown


def test_a_file_that_could_not_be_read_is_shown_with_its_digest(connection: duckdb.DuckDBPyConnection) -> None:
    finding(connection, "schema_conforms", "integrity", subject_id=LEDGER, subject_type="file", asset=None)
    load(connection, "eeee", "discarded", 1)
    assert "eeee  20 rows, discarded by run run 1" in text(connection, "schema_conforms", LEDGER)


def test_a_finding_in_several_assets_is_traced_in_each_unless_one_is_named(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    for asset, impact in (("USD", "5"), ("BTC", "50")):
        finding(connection, "ledger_matches_engine", "reconciliation", asset=asset, impact_usd=impact)
    both = text(connection, "ledger_matches_engine", "o'brien")
    assert both.index("o'brien BTC") < both.index("o'brien USD")
    assert "o'brien BTC" not in text(connection, "ledger_matches_engine", "o'brien", "USD")


def test_what_is_not_found_says_what_stands_instead(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing stands for it on 2024-01-05; nothing stands for it$"):
        text(connection, "prices_agree", "BTC")
    for number in range(7):
        finding(connection, "prices_agree", "reconciliation", subject_id=f"A{number}", asset=None, impact_usd=number)
    with pytest.raises(
        ConfigurationError, match=r"no finding of prices_agree on 2024-01-05 for 'BTC': 7 findings of it"
    ):
        text(connection, "prices_agree", "BTC")
    line = standing_line(connection, find_check("prices_agree"))
    assert line == "7 findings of it stand on 2024-01-05, on 2024-01-05 of A6, A5, A4, A3, A2 and 2 more"


def test_the_policy_shown_is_that_of_the_latest_run(connection: duckdb.DuckDBPyConnection) -> None:
    for number, usd in ((1, "1"), (2, "1000")):
        insert(
            connection,
            "run",
            run_id=f"r{number}",
            started_at=f"2024-01-0{number}",
            status="passed",
            first_date=DAY,
            last_date=DAY,
            knowledge_at="2024-01-06",
            policy_hash="abc",
            is_accepted=True,
        )
        insert(connection, "policy", run_id=f"r{number}", policy_hash="abc", name="dust.usd", value=usd)
    assert policy_of_warehouse(connection).setting("dust.usd") == "1000 (default 1)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no_negative_balanse"], "did you mean no_negative_balance"),
        (["prices_agree", "--date", "2024-01-05"], "--date and --subject together"),
        (["prices_agree", "--date", "2024-01-05", "--subject", "BTC"], "give --warehouse too"),
        (["prices_agree", "--warehouse", "nowhere"], "no warehouse in"),
        (["prices_agree", "--warehouse", "nowhere", "--policy", "p.yaml"], "give --policy or --warehouse"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _invoke(["explain", *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ringfence: ")
    assert error.count("\n") == 1
    assert message in error


def test_a_check_is_explained_without_a_warehouse(capsys: pytest.CaptureFixture[str]) -> None:
    assert _invoke(["explain", "check_disabled"]) == 0
    assert "Why it exists" in capsys.readouterr().out
