"""Each headline is defined once, says what its column says, and is what every reader shows."""

from __future__ import annotations

import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from orchestration import cli
from orchestration.errors import ConfigurationError
from orchestration.headlines.definitions import Headline, headlines
from orchestration.headlines.querying import headline_sql
from orchestration.operations.metrics.collector import RingfenceCollector, Subject, registry_of
from orchestration.reading.published import published_connection
from orchestration.settings import DBT_PROJECT
from tests.support.documented import SIGN, UNIT
from tests.support.headlines import by_time, missing_tables
from tests.support.published import DAY, PublishedWarehouse, mart_columns
from tests.support.reported import short_exchange

DEFINED = list(headlines().values())
SOLVENCY, WATERFALL = '"marts"."fct_solvency_daily"', '"marts"."fct_token_adjusted_revenue_monthly"'
NAMED_OTHERWISE = {"own_token_share": "own_token_ratio"}
"""Headlines that Prometheus has under another name."""


def of(table: str) -> list[Headline]:
    return [headline for headline in DEFINED if headline.table == table]


def test_every_figure_of_the_day_is_one_headline() -> None:
    figures = {name for name, kind in mart_columns("fct_solvency_daily").items() if kind.startswith(("dec", "big"))}
    assert sorted(headline.column for headline in of(SOLVENCY)) == sorted(figures)
    assert all(headline.name == headline.column and headline.is_stock for headline in of(SOLVENCY))


def test_every_step_of_the_waterfall_is_one_headline() -> None:
    steps = {name for name in mart_columns("fct_token_adjusted_revenue_monthly") if name.endswith("_usd")}
    assert {headline.column for headline in of(WATERFALL)} == steps - {"own_token_usd"}
    assert not any(headline.is_stock for headline in of(WATERFALL))


@pytest.mark.parametrize("headline", DEFINED, ids=lambda headline: headline.name)
def test_a_headline_says_its_unit_and_sign_as_its_column_does(headline: Headline) -> None:
    unit, sign = UNIT.search(headline.description), SIGN.search(headline.description)
    assert unit, headline.description
    assert sign, headline.description
    model = headline.table.replace('"', "").removeprefix("marts.")
    described = yaml.safe_load((DBT_PROJECT / "models" / "marts" / f"{model}.yml").read_text(encoding="utf-8"))
    columns = {column["name"]: column["description"] for column in described["models"][0]["columns"]}
    if headline.column in columns:
        column = columns[headline.column]
        assert (unit[0], sign[0]) == (UNIT.search(column)[0], SIGN.search(column)[0])  # type: ignore[index]


def test_no_headline_makes_a_binary_float() -> None:
    connection = short_exchange().connection
    missing_tables(connection)
    for headline in DEFINED:
        described = connection.execute(f"select {headline.aggregation}({headline.column}) from {headline.table}")
        kind = str(described.description[0][1])
        assert kind.startswith("DECIMAL") or kind in ("BIGINT", "HUGEINT"), (headline.name, kind)


def test_the_report_shows_the_headlines_as_they_are_defined() -> None:
    warehouse = short_exchange()
    content = warehouse.content()
    shown = {row["as_of_date"]: row for row in content.history}
    for headline in of(SOLVENCY):
        values = by_time(warehouse.connection, headline)
        assert values[DAY] == content.solvency[headline.name]
        if headline.name in content.history[0]:
            assert values == {day: row[headline.name] for day, row in shown.items()}
    months = {row["month"]: row for row in content.revenue}
    for headline in of(WATERFALL):
        assert by_time(warehouse.connection, headline) == {month: row[headline.column] for month, row in months.items()}


def test_prometheus_is_told_the_headlines_as_they_are_defined(tmp_path: Path) -> None:
    warehouse = PublishedWarehouse(tmp_path / "warehouse")
    warehouse.publish()
    told = generate_latest(registry_of(RingfenceCollector(Subject(warehouse.paths)))).decode()
    with published_connection(warehouse.paths) as connection:
        for headline in of(SOLVENCY):
            value = by_time(connection, headline)[DAY]
            if headline.name != "group_assets_usd":
                name = NAMED_OTHERWISE.get(headline.name, headline.name)
                line = next(line for line in told.splitlines() if line.startswith(f"ringfence_{name} "))
                assert float(line.split()[1]) == float(value)
    assert "140" in told


def test_a_group_that_is_short_and_unpriced_has_no_shortfall_in_dollars() -> None:
    warehouse = short_exchange()
    warehouse.connection.execute("update marts.fct_reserve_coverage_daily set gap_usd = null where gap < 0")
    headline = headlines()["group_shortfall_usd"]
    rows = warehouse.connection.execute(
        f"select in_kind_group, sum({headline.column}) from {headline.table} group by all order by all"
    ).fetchall()
    assert rows == [("BTC", None), ("USD", Decimal(0)), ("XT", Decimal(0))]


@pytest.mark.parametrize(
    ("names", "by", "remedy"),
    [
        (["in_kind_shortfal_usd"], (), r"no headline in_kind_shortfal_usd \(did you mean in_kind_shortfall_usd"),
        (["x' or 1"], (), "no headline x' or 1; 'ringfence headline' without names lists them"),
        (["net_gap_usd"], ("in_kind_group",), "net_gap_usd can't be grouped by in_kind_group; --by takes any of day,"),
        (["token_adjusted_revenue_usd"], ("day",), "can't be grouped by day; --by takes any of month, quarter, year$"),
        (["group_gap_usd", "liability_usd"], ("asset",), "can't be grouped by asset; --by takes any of day, week,"),
    ],
)
def test_what_can_t_be_asked_is_refused_with_what_can(names: list[str], by: tuple[str, ...], remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy):
        headline_sql(names, by)


def test_days_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(
        ConfigurationError, match="--from 2026-03-02 is after --to 2026-03-01; give the earlier day first"
    ):
        headline_sql(["net_gap_usd"], ["day"], date(2026, 3, 2), date(2026, 3, 1))


def test_without_metricflow_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "metricflow", None)
    monkeypatch.setitem(sys.modules, "metricflow.engine.metricflow_engine", None)
    with pytest.raises(ConfigurationError, match=r"headlines need MetricFlow, .*make headlines"):
        headline_sql(["net_gap_usd"])


def test_the_command_lists_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._invoke(["headline", "--format", "csv"]) == 0
    told = capsys.readouterr().out
    assert [line.split(",")[0] for line in told.splitlines()[1:]] == [headline.name for headline in DEFINED]
    assert "token_adjusted_revenue_usd," in told
