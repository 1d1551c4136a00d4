"""The models and the whole pipeline against the independent re-computation, row by row and finding by finding.

What belongs here: random landing zones (random_exchange), built and compared. What doesn't: formulas (tests/oracle).
A seed that ever failed is a permanent reproduction: ``write_random_landing_zone(seed, folder)``.
RINGFENCE_ORACLE_SEEDS sets how many seeds are tried, RINGFENCE_ORACLE_FIRST_SEED where they begin.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.end_to_end.random_exchange import RandomExchange, write_random_landing_zone
from tests.oracle.policy import OTHER_POLICY
from tests.oracle.warehouses import Published, differences, results_of_models, run

SEEDS = int(os.environ.get("RINGFENCE_ORACLE_SEEDS", "3"))
FIRST_SEED = int(os.environ.get("RINGFENCE_ORACLE_FIRST_SEED", "1"))
SHOWN = 60


def readable(seed: int, lines: list[str]) -> str:
    """The first differences, and how many there are."""
    return f"seed {seed}: {len(lines)} differences\n" + "\n".join(lines[:SHOWN])


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_models_equal_the_recomputation(seed: int, tmp_path: Path) -> None:
    exchange = write_random_landing_zone(seed, tmp_path / "landing")
    lines = differences(tmp_path / "landing", exchange.last, results_of_models(exchange, tmp_path))
    assert not lines, readable(seed, lines)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + max(1, SEEDS // 2)))
def test_models_equal_the_recomputation_under_another_policy(seed: int, tmp_path: Path) -> None:
    exchange = write_random_landing_zone(seed, tmp_path / "landing")
    results = results_of_models(exchange, tmp_path, OTHER_POLICY)
    lines = differences(tmp_path / "landing", exchange.last, results, OTHER_POLICY)
    assert not lines, readable(seed, lines)


class TestWholePipeline:
    """One small zone through the real command, as a range and day by day."""

    seed = 7
    length = 5

    @pytest.fixture(scope="class")
    def zone(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[RandomExchange, Path]:
        """The exchange and its landing zone."""
        landing = tmp_path_factory.mktemp("oracle") / "landing"
        return write_random_landing_zone(self.seed, landing, self.length), landing

    @pytest.fixture(scope="class")
    def range_run(self, zone: tuple[RandomExchange, Path]) -> Published:
        """The warehouse after one run over all days."""
        exchange, landing = zone
        return run(landing, landing.parent / "range", exchange.first, exchange.last)

    def test_published_equals_the_recomputation(self, zone: tuple[RandomExchange, Path], range_run: Published) -> None:
        exchange, landing = zone
        lines = differences(landing, exchange.last, range_run.results())
        assert not lines, readable(self.seed, lines)

    def test_a_range_leaves_what_daily_runs_leave(
        self, zone: tuple[RandomExchange, Path], range_run: Published
    ) -> None:
        exchange, landing = zone
        daily = Published(landing.parent / "daily")
        for day in exchange.days[-2:]:  # the first of them takes all history before it
            daily = run(landing, daily.path, day, day)
        expected, actual = range_run.all_marts(), daily.all_marts()
        assert expected.keys() == actual.keys()
        for name, rows in expected.items():
            assert rows == actual[name], name
        assert range_run.all_findings() == daily.all_findings()
