"""Headlines through MetricFlow, on a published file: the same figures, exactly. `make test-headlines` runs these."""

from __future__ import annotations

import csv
import io
import shutil
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from orchestration import cli
from orchestration.headlines.definitions import Headline, headlines
from orchestration.headlines.querying import headline_sql
from orchestration.reading.published import fetch_rows, published_connection
from orchestration.settings import WarehousePaths
from tests.support.headlines import by_time, missing_tables
from tests.support.published import DAY
from tests.support.reported import short_exchange

DEFINED = list(headlines().values())


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> WarehousePaths:
    """The report's short exchange, published; the last day of February is in it, so that months differ."""
    folder = tmp_path_factory.mktemp("warehouse")
    exchange = short_exchange()
    missing_tables(exchange.connection)
    exchange.connection.execute("update marts.fct_solvency_daily set as_of_date = as_of_date - 3")
    file = folder / "written.duckdb"
    exchange.connection.execute(f"attach '{file}' as written")
    exchange.connection.execute("copy from database memory to written")
    exchange.connection.close()
    shutil.move(file, WarehousePaths(folder).published_file)
    return WarehousePaths(folder)


@pytest.mark.parametrize("headline", DEFINED, ids=lambda headline: headline.name)
def test_its_values_are_those_of_its_column(paths: WarehousePaths, headline: Headline) -> None:
    with published_connection(paths) as connection:
        rows = fetch_rows(connection, headline_sql([headline.name], [headline.grain]))
        assert {row[headline.grain]: row[headline.name] for row in rows} == by_time(connection, headline)
        assert all(not isinstance(row[headline.name], float) for row in rows)
        assert [row[headline.grain] for row in rows] == sorted(row[headline.grain] for row in rows)


@pytest.mark.parametrize("headline", [each for each in DEFINED if each.by], ids=lambda headline: headline.name)
def test_it_can_be_grouped_by_all_that_it_names(paths: WarehousePaths, headline: Headline) -> None:
    with published_connection(paths) as connection:
        for part in headline.by:
            rows = fetch_rows(connection, headline_sql([headline.name], [headline.grain, part]))
            assert all({headline.grain, part, headline.name} == set(row) for row in rows)


def test_a_stock_over_a_month_is_that_of_its_last_day(paths: WarehousePaths) -> None:
    headline = headlines()["in_kind_shortfall_usd"]
    with published_connection(paths) as connection:
        days = by_time(connection, headline)
        assert sorted(days) == [DAY - timedelta(days=before) for before in (6, 5, 4, 3)]
        rows = fetch_rows(connection, headline_sql([headline.name, "coverage_ratio"], ["month"]))
        whole = fetch_rows(connection, headline_sql([headline.name]))
    assert [(row["month"], row[headline.name]) for row in rows] == [
        (date(2026, 2, 1), days[date(2026, 2, 28)]),
        (date(2026, 3, 1), days[date(2026, 3, 1)]),
    ]
    assert rows[-1]["coverage_ratio"] == Decimal("0.899800099950")
    assert whole == [{headline.name: Decimal(140)}]


def test_days_asked_for_are_all_that_is_shown(paths: WarehousePaths) -> None:
    with published_connection(paths) as connection:
        rows = fetch_rows(connection, headline_sql(["net_gap_usd"], ["day"], date(2026, 2, 27), date(2026, 2, 28)))
    assert [row["day"] for row in rows] == [date(2026, 2, 27), date(2026, 2, 28)]


def test_the_command_prints_them_and_the_sql(paths: WarehousePaths, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["headline", "group_gap_usd", "group_coverage_ratio", "--by", "day,in_kind_group", "--format", "csv"]
    assert cli._invoke([*command, "--warehouse", str(paths.root)]) == 0
    printed = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert printed[0] == ["day", "in_kind_group", "group_gap_usd", "group_coverage_ratio"]
    assert [row for row in printed if row[0] == "2026-03-04"] == [
        ["2026-03-04", "BTC", "-140.00000000", "0.650000000000"],
        ["2026-03-04", "USD", "39.75000000", "1.066194837635"],
        ["2026-03-04", "XT", "0.00000000", "1.000000000000"],
    ]
    assert cli._invoke([*command, "--sql"]) == 0
    sql = capsys.readouterr().out
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        assert len(connection.execute(sql).fetchall()) == len(printed) - 1
    assert cli._invoke(command) == 2
    assert "name its folder with --warehouse" in capsys.readouterr().err


def test_nothing_is_written_and_nobody_asked(
    paths: WarehousePaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks the reason for not using MetricFlow's own command: it asks the package index, and logs into the project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("something was asked of the network"))
    headline_sql(["net_gap_usd"], ["day"])
    assert list(tmp_path.iterdir()) == []
