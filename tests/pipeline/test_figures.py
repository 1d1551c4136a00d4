"""The record of published figures: append-only, and only what changed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from orchestration.landing import create_schemas
from orchestration.pipeline.figures import KEPT_FIGURES, record_published_figures
from orchestration.pipeline.run import RunContext, open_run
from orchestration.policy import load_policy


def start(connection: duckdb.DuckDBPyConnection, run_id: str) -> RunContext:
    day = date(2024, 1, 2)
    return open_run(
        connection, load_policy(), run_id=run_id, first_date=day, last_date=day, landing_first_date=date(2024, 1, 1)
    )


def write_coverage(connection: duckdb.DuckDBPyConnection, gap: str | None, group: str = "BTC") -> None:
    kept = next(figures for figures in KEPT_FIGURES if figures.table == "fct_reserve_coverage_daily")
    columns = ", ".join(
        f"cast({gap if name == 'gap' and gap else 'null' if name == 'gap' else '1'} as decimal(38, 18)) as {name}"
        for name in kept.columns
    )
    connection.execute("create schema if not exists marts")
    connection.execute(
        f"create or replace table marts.{kept.table} as"
        f" select date '2024-01-01' as as_of_date, '{group}' as in_kind_group, {columns}"
    )


def test_only_figures_that_changed_are_added_and_what_was_said_stays(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "ringfence_build.duckdb")) as connection:
        create_schemas(connection)
        assert record_published_figures(connection, start(connection, "none yet")) == 0
        write_coverage(connection, "-2.000000000000000001")
        assert record_published_figures(connection, start(connection, "a")) == 5
        assert record_published_figures(connection, start(connection, "b")) == 0
        write_coverage(connection, "-2.000000000000000002")
        assert record_published_figures(connection, start(connection, "c")) == 1
        write_coverage(connection, None)
        assert record_published_figures(connection, start(connection, "d")) == 1
        assert record_published_figures(connection, start(connection, "e")) == 0
        said = connection.execute(
            "select run_id, amount from audit.published_figure where figure = 'gap' order by entry_number"
        ).fetchall()
        assert said == [("a", Decimal("-2.000000000000000001")), ("c", Decimal("-2.000000000000000002")), ("d", None)]


def test_a_figure_that_is_gone_is_taken_back_once(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "ringfence_build.duckdb")) as connection:
        create_schemas(connection)
        write_coverage(connection, "1")
        record_published_figures(connection, start(connection, "a"))
        write_coverage(connection, "1", group="ETH")
        assert record_published_figures(connection, start(connection, "b")) == 10
        assert record_published_figures(connection, start(connection, "c")) == 0
        numbers = connection.execute("select entry_number from audit.published_figure order by 1").fetchall()
        assert [number for (number,) in numbers] == list(range(1, 16))
