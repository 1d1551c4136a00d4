"""When marts are continued and when they are built anew."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.landing import create_schemas
from orchestration.pipeline.build_plan import BuildPlan, close_plan, open_plan
from orchestration.pipeline.run import RunContext, mark_accepted, open_run
from orchestration.policy import load_policy

FIRST, SECOND = date(2026, 1, 5), date(2026, 1, 6)
BEFORE, AFTER = "2026-01-05 12:00", "2026-01-06 12:00"


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A build file in which the first day was built, from an operator and a customer with a spot account."""
    with duckdb.connect(str(tmp_path / "ringfence_build.duckdb")) as opened:
        create_schemas(opened)
        for name in ("entities", "accounts", "entity_links"):  # every row counts as accepted
            opened.execute(f"create or replace view raw.{name} as select * from delivered.{name}")
        opened.execute("create schema intermediate")
        opened.execute(
            "create table intermediate.int_tokens__asset_daily (as_of_date date, asset varchar,"
            " price_usd decimal(38, 18), collateral_unit_usd decimal(38, 18))"
        )
        add_entity(opened, "exchange", "operator", BEFORE)
        add_entity(opened, "alice", "customer", BEFORE)
        add_account(opened, "alice-spot", "alice", "spot", BEFORE)
        first = start(opened, "first", FIRST)
        open_plan(opened, first)
        close_plan(opened, first)
        yield opened


def start(
    connection: duckdb.DuckDBPyConnection, run_id: str, day: date, policy: Path | None = None, begins: date = FIRST
) -> RunContext:
    context = open_run(
        connection, load_policy(policy), run_id=run_id, first_date=day, last_date=day, landing_first_date=begins
    )
    mark_accepted(connection, run_id)
    return context


def add_entity(connection: duckdb.DuckDBPyConnection, entity: str, kind: str, recorded: str, load: int = 0) -> None:
    connection.execute(
        "insert into delivered.entities (entity_id, entity_type, recorded_at, accepted_load_number)"
        " values (?, ?, ?, ?)",
        [entity, kind, recorded, load],
    )


def add_account(
    connection: duckdb.DuckDBPyConnection, account: str, entity: str, class_: str, recorded: str, load: int = 0
) -> None:
    connection.execute(
        "insert into delivered.accounts (account_id, entity_id, account_class, recorded_at, accepted_load_number)"
        " values (?, ?, ?, ?, ?)",
        [account, entity, class_, recorded, load],
    )


def add_link(connection: duckdb.DuckDBPyConnection, recorded: str, load: int) -> None:
    connection.execute(
        "insert into delivered.entity_links (parent_entity_id, child_entity_id, link_type, valid_from, recorded_at,"
        " accepted_load_number) values ('exchange', 'fund', 'control', '2026-01-01', ?, ?)",
        [recorded, load],
    )


def second(connection: duckdb.DuckDBPyConnection) -> BuildPlan:
    return open_plan(connection, start(connection, "second", SECOND))


def test_a_day_continues_the_day_before(connection: duckdb.DuckDBPyConnection) -> None:
    assert not second(connection).is_whole
    plan = connection.execute("select is_whole, built_last_date, built_knowledge_at from policy.build_plan").fetchall()
    assert plan == [(False, FIRST, connection.execute("select timestamp '2026-01-06'").fetchall()[0][0])]


def test_new_customers_and_accounts_change_no_history(connection: duckdb.DuckDBPyConnection) -> None:
    add_entity(connection, "bob", "person", AFTER, load=1)
    add_account(connection, "bob-spot", "bob", "spot", AFTER, load=1)
    assert not second(connection).is_whole


def test_the_same_registration_again_changes_no_history(connection: duckdb.DuckDBPyConnection) -> None:
    add_entity(connection, "alice", "customer", AFTER, load=1)
    add_account(connection, "alice-spot", "alice", "spot", AFTER, load=1)
    assert not second(connection).is_whole


def test_a_build_that_did_not_end_is_not_continued(connection: duckdb.DuckDBPyConnection) -> None:
    second(connection)
    assert open_plan(connection, start(connection, "third", SECOND)).is_whole


def test_a_new_policy_is_a_new_history(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("dust:\n  usd: 5\n")
    assert open_plan(connection, start(connection, "second", SECOND, policy)).reason == "the policy changed"


def test_new_models_are_a_new_history(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update policy.built set project_digest = 'of another release'")
    assert second(connection).reason == "the models changed"


def test_an_earlier_first_day_is_a_new_history(connection: duckdb.DuckDBPyConnection) -> None:
    context = start(connection, "second", SECOND, begins=date(2026, 1, 4))
    assert open_plan(connection, context).reason == "the landing zone begins on another day"


@pytest.mark.parametrize(("recorded", "load"), [(BEFORE, 1), (AFTER, 0)], ids=["delivered since", "known since"])
def test_a_new_link_is_a_new_history(connection: duckdb.DuckDBPyConnection, recorded: str, load: int) -> None:
    add_link(connection, recorded, load)
    assert second(connection).reason == "links between entities changed"


def test_a_link_that_was_built_from_is_no_change(connection: duckdb.DuckDBPyConnection) -> None:
    add_link(connection, BEFORE, 0)
    assert not second(connection).is_whole


def test_a_second_operator_is_a_new_history(connection: duckdb.DuckDBPyConnection) -> None:
    add_entity(connection, "exchange-europe", "operator", AFTER, load=1)
    assert second(connection).reason == "an operator was registered"


def test_an_entity_of_another_type_is_a_new_history(connection: duckdb.DuckDBPyConnection) -> None:
    add_entity(connection, "alice", "company", AFTER, load=1)
    assert second(connection).reason == "an entity was registered anew"


@pytest.mark.parametrize(("owner", "class_"), [("exchange", "spot"), ("alice", "margin")], ids=["owner", "class"])
def test_an_account_registered_anew_is_a_new_history(
    connection: duckdb.DuckDBPyConnection, owner: str, class_: str
) -> None:
    add_account(connection, "alice-spot", owner, class_, AFTER, load=1)
    assert second(connection).reason == "an account was registered anew"


@pytest.mark.parametrize("check", ["references_resolve", "times_plausible"])
def test_unsound_deliveries_that_policy_lets_pass_are_built_anew(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, check: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"checks:\n  {check}:\n    severity: warning\n")
    lenient = start(connection, "lenient", SECOND, policy)
    open_plan(connection, lenient)
    close_plan(connection, lenient)
    again = open_plan(connection, start(connection, "again", SECOND, policy))
    assert again.reason == "policy lets unsound deliveries pass"
