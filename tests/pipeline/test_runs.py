"""A run's dates, its knowledge time, and what a killed run leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import RingfenceError
from orchestration.landing import create_schemas
from orchestration.pipeline.run import ExitStatus, RunContext, close_run, mark_accepted, open_run, read_context
from orchestration.policy import load_policy


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "ringfence_build.duckdb")) as opened:
        create_schemas(opened)
        yield opened


def start(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    first: str,
    last: str | None = None,
    published: Callable[[str], bool] = lambda _: True,
) -> RunContext:
    return open_run(
        connection,
        load_policy(),
        run_id=run_id,
        first_date=date.fromisoformat(first),
        last_date=date.fromisoformat(last or first),
        landing_first_date=date(2024, 1, 1),
        was_published=published,
    )


def test_knowledge_ends_with_the_last_day_asked_for(connection: duckdb.DuckDBPyConnection) -> None:
    context = start(connection, "a", "2024-01-03", "2024-01-05")
    assert context.knowledge_at == datetime(2024, 1, 6)
    assert context.calendar_last_date == date(2024, 1, 5)
    assert context.previous_knowledge_at is None
    assert read_context(connection) == context


def test_running_an_old_day_again_forgets_nothing_that_was_accepted_since(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    start(connection, "a", "2024-01-05")
    mark_accepted(connection, "a")
    close_run(connection, "a", ExitStatus.PASSED, "")
    context = start(connection, "b", "2024-01-02")
    assert (context.first_date, context.last_date) == (date(2024, 1, 2), date(2024, 1, 2))
    assert context.knowledge_at == context.previous_knowledge_at == datetime(2024, 1, 6)


def test_a_refused_run_moves_nobody_s_knowledge(connection: duckdb.DuckDBPyConnection) -> None:
    start(connection, "a", "2024-01-09")
    close_run(connection, "a", ExitStatus.FAILED_INTEGRITY, "refused")
    assert start(connection, "b", "2024-01-02").knowledge_at == datetime(2024, 1, 3)


def test_a_killed_run_is_named_as_such_and_its_loads_count_as_they_were_left(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    start(connection, "before the gate", "2024-01-05")
    connection.execute(
        "insert into audit.load (run_id, table_name, source_file, sha256, rows, bytes, modified_ns, outcome,"
        " load_number) values ('before the gate', 'accounts', 'accounts/a.csv', 'x', 1, 1, 1, 'pending', 1)"
    )
    start(connection, "behind the gate", "2024-01-07")
    connection.execute("update audit.load set run_id = 'behind the gate', outcome = 'accepted'")
    context = start(connection, "next", "2024-01-02")
    runs = connection.execute("select run_id, status, is_accepted, exit_status from audit.run order by all").fetchall()
    assert runs == [
        ("before the gate", "killed", False, None),
        ("behind the gate", "killed", True, None),
        ("next", "running", False, None),
    ]
    assert context.knowledge_at == datetime(2024, 1, 8)


def test_what_a_run_killed_before_publishing_meant_to_say_was_never_said(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    figure = (
        "insert into audit.published_figure"
        " (entry_number, run_id, knowledge_at, as_of_date, source_table, figure, subject, amount)"
        " values (?, ?, '2024-01-06', '2024-01-05', 'fct_solvency_daily', 'net_gap_usd', 'exchange', 1)"
    )
    for number, run_id in enumerate(("published", "killed while publishing"), 1):
        start(connection, run_id, "2024-01-05")
        connection.execute(figure, [number, run_id])
        close_run(connection, run_id, ExitStatus.FAILED_CHECKS, "short")
    start(connection, "next", "2024-01-05", published=lambda run_id: run_id == "published")
    assert connection.execute("select run_id from audit.published_figure").fetchall() == [("published",)]
    runs = connection.execute("select run_id, status, exit_status from audit.run order by started_at").fetchall()
    assert runs == [
        ("published", "failed_checks", 3),
        ("killed while publishing", "killed", None),
        ("next", "running", None),
    ]


def test_the_policy_in_force_is_kept_with_the_run(connection: duckdb.DuckDBPyConnection) -> None:
    start(connection, "a", "2024-01-05")
    kept = connection.execute(
        "select item, value from audit.policy where run_id = 'a' and name in ('dust.usd', 'collateral.haircut_pct')"
        " and coalesce(item, 'crypto') = 'crypto' order by all"
    ).fetchall()
    assert kept == [("crypto", "10.000000000000000000"), (None, "1.000000000000000000")]


def test_a_step_without_a_run_says_so(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create schema policy")
    connection.execute(
        "create table policy.run_context (run_id varchar, first_date date, last_date date, knowledge_at timestamp,"
        " landing_first_date date, calendar_last_date date, previous_knowledge_at timestamp)"
    )
    with pytest.raises(RingfenceError, match="start the whole job"):
        read_context(connection)
