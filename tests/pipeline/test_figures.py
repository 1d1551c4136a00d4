"""The record of published figures: append-only, and only what changed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration.pipeline.figures import record_published_figures
from orchestration.pipeline.run import RunContext, open_run
from orchestration.policy import load_policy
from orchestration.warehouse.compiled import DATABASE, compiled_project
from tests.support.warehouse import build_models, create_build_file

CHANGES = "int_restatement__figure_change"
DAY = date(2024, 1, 1)
FIGURES = 9
"""Kept of each in-kind group and day."""


@pytest.fixture(scope="module")
def empty_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build file whose marts hold no account, wallet or price."""
    path = tmp_path_factory.mktemp("empty") / f"{DATABASE}.duckdb"
    create_build_file(path, {}, first_date=DAY, last_date=DAY)
    return build_models(path, CHANGES).path


@pytest.fixture
def connection(empty_build: Path, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """That build file with empty marts, for a test to write to."""
    with duckdb.connect(shutil.copy(empty_build, tmp_path)) as opened:
        opened.execute("delete from marts.fct_solvency_daily; delete from marts.fct_price_daily")
        yield opened


def publish(connection: duckdb.DuckDBPyConnection, run_id: str, gap: str | None = None, group: str = "BTC") -> int:
    """Publish one in-kind group with this gap; return how many figures were recorded."""
    context = start(connection, run_id)
    connection.execute("delete from marts.fct_reserve_coverage_daily")
    connection.execute(
        "insert into marts.fct_reserve_coverage_daily (as_of_date, in_kind_group, gap) values (?, ?, ?)",
        [DAY, group, gap],
    )
    return record(connection, context)


def start(connection: duckdb.DuckDBPyConnection, run_id: str) -> RunContext:
    return open_run(connection, load_policy(), run_id=run_id, first_date=DAY, last_date=DAY, landing_first_date=DAY)


def record(connection: duckdb.DuckDBPyConnection, context: RunContext) -> int:
    connection.execute(f"create or replace table intermediate.{CHANGES} as {compiled_project()[CHANGES].sql}")
    return record_published_figures(connection, context)


def test_only_figures_that_changed_are_added_and_what_was_said_stays(connection: duckdb.DuckDBPyConnection) -> None:
    assert publish(connection, "a", "-2.000000000000000001") == FIGURES
    assert publish(connection, "b", "-2.000000000000000001") == 0
    assert publish(connection, "c", "-2.000000000000000002") == 1
    assert publish(connection, "d", None) == 1
    assert publish(connection, "e", None) == 0
    said = connection.execute(
        "select run_id, amount, previous_entry_number is null from audit.published_figure where figure = 'gap'"
        " order by entry_number"
    ).fetchall()
    amounts = ("-2.000000000000000001", "-2.000000000000000002")
    assert said == [("a", Decimal(amounts[0]), True), ("c", Decimal(amounts[1]), False), ("d", None, False)]


def test_a_figure_that_is_gone_is_taken_back_once(connection: duckdb.DuckDBPyConnection) -> None:
    publish(connection, "a", "1")
    assert publish(connection, "b", "1", group="ETH") == FIGURES + 1, "only the gap was anything before"
    assert publish(connection, "c", "1", group="ETH") == 0
    numbers = connection.execute("select entry_number from audit.published_figure order by 1").fetchall()
    assert [number for (number,) in numbers] == list(range(1, 2 * FIGURES + 2))


def test_an_end_that_is_repeated_records_the_same_once(connection: duckdb.DuckDBPyConnection) -> None:
    publish(connection, "a", "1")
    context = start(connection, "b")
    connection.execute("update marts.fct_reserve_coverage_daily set gap = 2")
    assert record(connection, context) == 1
    first = connection.execute("select * exclude published_at from audit.published_figure order by 1").fetchall()
    assert record(connection, context) == 1
    assert (
        connection.execute("select * exclude published_at from audit.published_figure order by 1").fetchall() == first
    )


def test_when_a_run_published_is_kept_with_the_run_and_with_what_it_said(connection: duckdb.DuckDBPyConnection) -> None:
    publish(connection, "a", "1")
    publish(connection, "nothing new", "1")
    times = connection.execute(
        "select run_id, published_at >= started_at from audit.run order by started_at"
    ).fetchall()
    assert times == [("a", True), ("nothing new", True)]
    assert connection.execute(
        "select distinct figure.published_at = run.published_at from audit.published_figure as figure"
        " inner join audit.run using (run_id)"
    ).fetchall() == [(True,)]
