"""Standing findings: severity, unbroken runs of days, which run raised them, and the log of changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration.checks import Kind
from orchestration.keyed_hashes import process_hashing
from orchestration.landing import create_schemas
from orchestration.pipeline.findings import (
    INTEGRITY_STAGE,
    PUBLISHED_STAGE,
    FindingChanges,
    critical_findings,
    record_findings,
    stage_findings,
)
from orchestration.pipeline.run import ExitStatus, RunContext, open_run
from orchestration.pipeline.verdict import entry_verdict, final_verdict
from orchestration.policy import load_policy

Row = tuple[Any, ...]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "ringfence_build.duckdb")) as opened:
        create_schemas(opened)
        opened.execute("create schema findings")
        yield opened


def start(connection: duckdb.DuckDBPyConnection, run_id: str, policy_file: Path | None = None) -> RunContext:
    return open_run(
        connection,
        load_policy(policy_file),
        run_id=run_id,
        first_date=date(2024, 1, 2),
        last_date=date(2024, 1, 4),
        landing_first_date=date(2024, 1, 1),
    )


def found(connection: duckdb.DuckDBPyConnection, check: str, *rows: dict[str, Any]) -> None:
    """Let the check's model hold these rows; what isn't given is plain."""
    connection.execute(
        f"create or replace table findings.{check} (as_of_date date, subject_type varchar, subject_id varchar,"
        " asset varchar, observed varchar, expected varchar, impact_usd decimal(38, 8), message varchar,"
        " evidence varchar, known_since timestamp, severity varchar)"
    )
    for row in rows:
        full = {
            "as_of_date": "2024-01-02",
            "subject_type": "account",
            "subject_id": "a1",
            "asset": None,
            "observed": "-5",
            "expected": "0",
            "impact_usd": "5",
            "message": "a1 owes 5.",
            "evidence": "select 1",
            "known_since": None,
            "severity": None,
        } | row
        connection.execute(f"insert into findings.{check} values ({', '.join('?' * 11)})", list(full.values()))


def record(
    connection: duckdb.DuckDBPyConnection, context: RunContext, kinds: tuple[Kind, ...] = PUBLISHED_STAGE
) -> FindingChanges:
    stage_findings(connection, context, kinds)
    return record_findings(connection, context, kinds)


def standing(connection: duckdb.DuckDBPyConnection, columns: str) -> list[Row]:
    return connection.execute(f"select {columns} from audit.finding order by all").fetchall()


def test_an_unbroken_run_of_days_has_one_first_day_and_a_gap_begins_another(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    days = ("2024-01-01", "2024-01-02", "2024-01-04")
    found(connection, "no_negative_balance", *({"as_of_date": day, "asset": "BTC"} for day in days))
    record(connection, start(connection, "a"))
    first = [str(day) for _, day in standing(connection, "as_of_date, first_seen_on")]
    assert first == ["2024-01-01", "2024-01-01", "2024-01-04"]


def test_another_asset_of_the_same_subject_is_another_finding(connection: duckdb.DuckDBPyConnection) -> None:
    found(
        connection,
        "no_negative_balance",
        {"as_of_date": "2024-01-01", "asset": "BTC"},
        {"as_of_date": "2024-01-02", "asset": "ETH"},
        {"as_of_date": "2024-01-02"},
    )
    record(connection, start(connection, "a"))
    days = standing(connection, "asset, cast(first_seen_on as varchar)")
    assert days == [("BTC", "2024-01-01"), ("ETH", "2024-01-02"), (None, "2024-01-02")]


def test_severity_comes_from_policy_unless_the_row_is_less(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("checks: {no_negative_equity: {severity: warning}}")
    found(connection, "prices_fresh", {"asset": "BTC"}, {"asset": "ETH", "severity": "warning"})
    found(connection, "no_negative_equity", {})
    found(connection, "prices_agree", {})
    record(connection, start(connection, "a", policy))
    assert standing(connection, "check_name, asset, severity, kind") == [
        ("no_negative_equity", None, "warning", "breach"),
        ("prices_agree", None, "warning", "reconciliation"),
        ("prices_fresh", "BTC", "critical", "reconciliation"),
        ("prices_fresh", "ETH", "warning", "reconciliation"),
    ]


def test_a_disabled_check_is_silent_but_leaves_a_warning_on_every_day(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("checks: {no_negative_balance: {enabled: false}}")
    found(connection, "no_negative_balance", {})
    record(connection, start(connection, "a", policy))
    rows = standing(connection, "cast(as_of_date as varchar), check_name, kind, severity, subject_type, subject_id")
    assert rows == [
        (f"2024-01-0{day}", "check_disabled", "policy", "warning", "check", "no_negative_balance")
        for day in (1, 2, 3, 4)
    ]
    evidence = standing(connection, "evidence")[0][0]
    assert ("disabled",) not in connection.execute(evidence).fetchall()
    assert len(connection.execute(evidence).fetchall()) == 2


def test_a_finding_keeps_the_run_that_raised_it_until_its_content_changes(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found(connection, "no_negative_balance", {"subject_id": "same"}, {"subject_id": "grows"}, {"subject_id": "fixed"})
    assert record(connection, start(connection, "a")) == FindingChanges(3, 0, 0)
    found(
        connection,
        "no_negative_balance",
        {"subject_id": "same"},
        {"subject_id": "grows", "impact_usd": "6"},
        {"subject_id": "new"},
    )
    assert record(connection, start(connection, "b")) == FindingChanges(1, 1, 1)
    assert standing(connection, "subject_id, run_id") == [("grows", "b"), ("new", "b"), ("same", "a")]
    log = connection.execute(
        "select logged_by_run_id, action, subject_id, run_id from audit.finding_log order by all"
    ).fetchall()
    assert log == [
        ("a", "raised", "fixed", "a"),
        ("a", "raised", "grows", "a"),
        ("a", "raised", "same", "a"),
        ("b", "changed", "grows", "b"),
        ("b", "raised", "new", "b"),
        ("b", "withdrawn", "fixed", "a"),
    ]


def test_the_same_findings_again_change_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    found(connection, "no_negative_balance", {}, {"as_of_date": "2024-01-03"})
    record(connection, start(connection, "a"))
    before = standing(connection, "*")
    assert record(connection, start(connection, "b")) == FindingChanges(0, 0, 0)
    assert standing(connection, "*") == before


def test_integrity_findings_and_published_ones_don_t_displace_each_other(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    found(connection, "no_negative_balance", {})
    record(connection, start(connection, "a"))
    found(connection, "keys_unique", {"subject_type": "key", "subject_id": "e1"})
    context = start(connection, "b")
    record(connection, context, INTEGRITY_STAGE)
    assert standing(connection, "check_name") == [("keys_unique",), ("no_negative_balance",)]
    found(connection, "keys_unique")
    record(connection, start(connection, "c"), INTEGRITY_STAGE)
    assert standing(connection, "check_name") == [("no_negative_balance",)]


def test_nothing_found_is_nothing_standing(connection: duckdb.DuckDBPyConnection) -> None:
    found(connection, "no_negative_balance")
    assert record(connection, start(connection, "a")) == FindingChanges(0, 0, 0)
    assert standing(connection, "*") == []


def test_a_run_fails_only_for_critical_findings_on_its_own_days(connection: duckdb.DuckDBPyConnection) -> None:
    found(connection, "no_negative_balance", {"as_of_date": "2024-01-01", "impact_usd": "1000000"})
    found(connection, "prices_agree", {"as_of_date": "2024-01-02"})
    context = start(connection, "a")
    record(connection, context)
    assert final_verdict(connection, context).status is ExitStatus.PASSED
    found(
        connection,
        "no_negative_balance",
        {"as_of_date": "2024-01-03", "message": "a1 owes 5 BTC.", "asset": "BTC", "impact_usd": None},
        {"as_of_date": "2024-01-04", "subject_id": "a2", "impact_usd": "7654321.5", "message": "a2 owes more."},
    )
    record(connection, context)
    verdict = final_verdict(connection, context)
    assert verdict.status is ExitStatus.FAILED_CHECKS
    assert verdict.message == (
        "2 critical findings from 2024-01-02 to 2024-01-04:"
        f" 2024-01-04 no_negative_balance account {process_hashing().of('a2')} (7,654,322 USD)"
    )


def test_a_critical_integrity_finding_of_any_day_refuses_the_delivery(connection: duckdb.DuckDBPyConnection) -> None:
    found(connection, "keys_unique", {"as_of_date": "2023-12-01", "message": "e1 came twice.", "impact_usd": None})
    context = start(connection, "a")
    stage_findings(connection, context, INTEGRITY_STAGE)
    verdict = entry_verdict(connection)
    assert verdict.status is ExitStatus.FAILED_INTEGRITY
    assert verdict.message.endswith(f"2023-12-01 keys_unique account {process_hashing().of('a1')}")
    found(connection, "keys_unique", {"severity": "warning"})
    stage_findings(connection, context, INTEGRITY_STAGE)
    assert entry_verdict(connection).status is ExitStatus.PASSED


def test_the_worst_finding_comes_first_and_unpriced_ones_last(connection: duckdb.DuckDBPyConnection) -> None:
    found(
        connection,
        "no_negative_balance",
        {"subject_id": "unpriced", "impact_usd": None},
        {"subject_id": "small", "impact_usd": "1"},
        {"subject_id": "large", "impact_usd": "2"},
    )
    record(connection, start(connection, "a"))
    worst = critical_findings(connection, kinds=PUBLISHED_STAGE)
    assert [finding.subject_id for finding in worst] == ["large", "small", "unpriced"]
