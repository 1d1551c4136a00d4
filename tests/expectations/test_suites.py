"""The suites are derived: what may enter from the contract, what may leave from DOMAIN.md, checks from their list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.engine import evaluate
from expectations.entry import entry_suites
from expectations.leaving import PUBLIC_TABLES, leaving_suites
from orchestration.checks import CHECKS, Kind
from orchestration.contract import TABLES, ColumnKind, raw_columns
from orchestration.landing import create_schemas
from orchestration.pipeline.gates import GateError, _require_sound
from tests.support.warehouse import create_build_file

DEFAULT: Mapping[str, str | None] = {check.name: check.severity.value for check in CHECKS}


def test_every_table_of_the_contract_has_a_suite_for_its_columns() -> None:
    suites = {suite.table: suite for suite in entry_suites(DEFAULT)}
    assert set(suites) == {table.name for table in TABLES} | {"finding"}
    for table in TABLES:
        columns, origin, values = (rule.expectation for rule in suites[table.name].rules)
        assert columns.column_set == [name for name, _ in raw_columns(table)]
        assert {"source_file is null", "source_row is null"} <= conditions(origin)
        missing = {f"{column.name} is null" for column in table.columns if column.required}
        assert missing == {condition for condition in conditions(values) if condition.endswith("is null")}
        enums = {column.name for column in table.columns if column.kind is ColumnKind.ENUM}
        assert enums == {c.split(" not in ")[0] for c in conditions(values) if " not in " in c}


def conditions(expectation: Any) -> set[str]:
    return set(re.findall(r"filter \(where (.*?)\)\)", expectation.unexpected_rows_query))


def test_every_check_of_the_catalogue_stands_at_one_gate_with_its_severity() -> None:
    rules = [rule for suite in (*entry_suites(DEFAULT), *leaving_suites(DEFAULT, ())) for rule in suite.rules]
    gates = {rule.name: (rule.kind, rule.expectation.severity.value) for rule in rules if rule.kind != "shape"}
    assert gates == {check.name: (check.kind.value, check.severity.value) for check in CHECKS}


def test_a_disabled_check_is_not_asked() -> None:
    severities = {**DEFAULT, "prices_agree": None, "schema_conforms": None}
    names = [rule.name for suite in leaving_suites(severities, ()) for rule in suite.rules]
    assert "prices_agree" not in names
    assert not [rule for suite in entry_suites(severities) for rule in suite.rules if rule.name == "values_conform"]


def test_every_rule_has_a_severity_and_every_table_that_others_rely_on_a_suite() -> None:
    suites = leaving_suites(DEFAULT, PUBLIC_TABLES)
    assert {suite.table for suite in suites} == {*PUBLIC_TABLES, "finding"}
    assert all(rule.expectation.severity is not None for suite in suites for rule in suite.rules)


def outcomes_of(build_file: Path) -> dict[tuple[str, str], str]:
    suites = [suite for suite in entry_suites(DEFAULT) if suite.schema == "incoming"]
    outcomes = evaluate(build_file, suites, stage="entry").all_outcomes
    assert not [outcome for outcome in outcomes if outcome.is_error]
    return {
        (outcome.subject, outcome.check_name): outcome.observed or "" for outcome in outcomes if not outcome.success
    }


def test_empty_deliveries_pass_every_entry_rule(tmp_path: Path) -> None:
    path = tmp_path / "ringfence_build.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_schemas(connection)
    assert outcomes_of(path) == {}


def test_what_got_past_the_loader_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "ringfence_build.duckdb"
    rows = {
        "wallets": [{"wallet_id": "w", "network": "bank", "encumbered_pct": "100.000000000000000001"}],
        "token_prices": [{"asset": "BTC", "price_usd": "0", "as_of": "2024-01-01T12:00:00", "source": "v"}],
        "ledger_entries": [{"entry_id": "e", "entry_type": "gift", "effective_at": "2024-01-01T12:00:00"}],
    }
    create_build_file(path, rows, first_date="2024-01-01", last_date="2024-01-01", schema="incoming")
    outcomes = outcomes_of(path)
    found = {
        "incoming.wallets": {
            ("owner_entity_id", "missing"),
            ("custody", "missing"),
            ("encumbered_pct", "out of bounds"),
        },
        "incoming.token_prices": {("price_usd", "out of bounds")},
        "incoming.ledger_entries": {("amount", "missing"), ("entry_type", "unknown")},
    }
    for subject, problems in found.items():
        for column, problem in problems:
            text = f"column_name {column}, problem {problem}, subjects 1"
            assert text in outcomes[subject, "values_conform"]
    assert {subject for subject, _ in outcomes} == set(found)


@pytest.mark.parametrize("case", ["error", "shape"])
def test_a_gate_stops_for_a_rule_that_failed_to_run_or_that_no_check_explains(case: str, tmp_path: Path) -> None:
    path = tmp_path / "ringfence_build.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_schemas(connection)
        if case == "error":
            connection.execute("drop view incoming.accounts")
        else:
            connection.execute(
                "create or replace view incoming.accounts as select *, 1 as surprise from delivered.accounts"
            )
    suites = [suite for suite in entry_suites(DEFAULT) if suite.table == "accounts"]
    outcomes = evaluate(path, suites, stage="entry").all_outcomes
    expected = "could not be evaluated" if case == "error" else "although no check found anything"
    with pytest.raises(GateError, match=expected):
        _require_sound(outcomes, shape_may_fail=False)


def test_integrity_checks_stand_at_the_entry() -> None:
    entry = {rule.name for suite in entry_suites(DEFAULT) for rule in suite.rules if rule.kind != "shape"}
    assert entry == {check.name for check in CHECKS if check.kind is Kind.INTEGRITY}
