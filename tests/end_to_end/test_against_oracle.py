"""The models and the whole pipeline against the independent re-computation, row by row and finding by finding.

What belongs here: random landing zones (random_exchange), built and compared. What doesn't: formulas (tests/oracle).
A seed that ever failed is a permanent reproduction: ``write_random_landing_zone(seed, folder)``.
RINGFENCE_ORACLE_SEEDS sets how many seeds are tried, RINGFENCE_ORACLE_FIRST_SEED where they begin.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestration.settings import WarehousePaths
from orchestration.warehouse.build_file import build_connection
from orchestration.warehouse.dbt import manifest_as_json
from orchestration.warehouse.keys import declared_keys, require_keys
from tests.end_to_end.random_exchange import write_random_landing_zone
from tests.oracle.policy import OTHER_POLICY
from tests.oracle.warehouses import differences, results_of_models, run

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
    """One small zone through the real command: history in one run, and its last day in another that continues it.

    That days and ranges leave the same content is shown table by table in ``test_continued_builds``.
    """

    seed = 7
    length = 5

    def test_published_equals_the_recomputation(self, tmp_path: Path) -> None:
        exchange = write_random_landing_zone(self.seed, tmp_path / "landing", self.length)
        *history, last = exchange.days
        run(tmp_path / "landing", tmp_path / "warehouse", history[0], history[-1])
        published = run(tmp_path / "landing", tmp_path / "warehouse", last, last)
        lines = differences(tmp_path / "landing", exchange.last, published.results())
        assert not lines, readable(self.seed, lines)
        with build_connection(WarehousePaths(tmp_path / "warehouse").build_file, read_only=True) as connection:
            require_keys(
                connection, declared_keys(manifest_as_json())
            )  # the inner layers' too, which a run doesn't look at
