"""Marts that were continued run by run against marts that were built at once: the same content, table by table.

What belongs here: random exchanges, delivered in different orders, late, again and in parts. What doesn't: whether the
content is right (``test_against_oracle``). RINGFENCE_CONTINUED_SEEDS sets how many seeds are tried.
"""

from __future__ import annotations

import os
import random
import shutil
from datetime import date
from pathlib import Path

import pytest

from orchestration.pipeline.direct import run_directly
from orchestration.rebuild import content_sha256, rebuilt_marts
from orchestration.settings import Settings
from orchestration.warehouse.build_file import build_connection
from orchestration.warehouse.compiled import compiled_project
from tests.end_to_end.random_exchange import RandomExchange, write_random_landing_zone

SEEDS = int(os.environ.get("RINGFENCE_CONTINUED_SEEDS", "1"))
LENGTH = 4
SEEDS_OF_QUIET_LAST_DAYS = (16, 17, 18, 20)
"""On the last of their four days nobody is registered anew, so that it continues what was built."""

OPTIONAL = ("wallet_transfers", "market_depth", "token_supply", "open_positions", "reported_figures")
MARTS = rebuilt_marts()
KEPT = [model.place for model in compiled_project().values() if model.continued_sql is not None]


def run(settings: Settings, run_id: str, first: date, last: date) -> str:
    """Run those days; return whether the build was a whole one, in the plan's words."""
    result = run_directly(settings, run_id, first, last, models=MARTS, threads=1)
    assert result.refusal is None
    with build_connection(settings.paths.build_file, read_only=True) as connection:
        return str(connection.execute("select reason from policy.build_plan").fetchall()[0][0])


def contents(settings: Settings) -> dict[str, tuple[int, str]]:
    """Rows and digest of every mart, finding model and model that is kept from run to run."""
    with build_connection(settings.paths.build_file, read_only=True) as connection:
        places = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables() where schema_name in ('marts', 'findings')"
        ).fetchall()
        names = sorted({place for (place,) in places} | set(KEPT))
        assert len(names) > len(MARTS)
        return {name: content_sha256(connection, name) for name in names}


def at_once(exchange: RandomExchange, landing: Path, folder: Path) -> dict[str, tuple[int, str]]:
    settings = Settings(landing, folder)
    run(settings, "at-once", exchange.first, exchange.last)
    return contents(settings)


def differing(left: dict[str, tuple[int, str]], right: dict[str, tuple[int, str]]) -> dict[str, object]:
    return {name: (left.get(name), right.get(name)) for name in left | right if left.get(name) != right.get(name)}


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_days_one_by_one_give_what_all_days_give_at_once(seed: int, tmp_path: Path) -> None:
    exchange = write_random_landing_zone(seed, tmp_path / "landing", LENGTH)
    settings = Settings(tmp_path / "landing", tmp_path / "daily")
    reasons = [run(settings, f"day-{day}", day, day) for day in exchange.days]
    assert any(reason.startswith("continues") for reason in reasons[1:]), reasons
    daily = contents(settings)
    assert run(settings, "again", exchange.first, exchange.first).startswith("continues")
    assert not differing(contents(settings), daily), "running a day again changed something"
    assert not differing(daily, at_once(exchange, tmp_path / "landing", tmp_path / "whole"))


@pytest.mark.parametrize("seed", SEEDS_OF_QUIET_LAST_DAYS[:SEEDS])
def test_what_comes_late_moves_the_days_it_belongs_to(seed: int, tmp_path: Path) -> None:
    """Some partitions and files come only with the last run: gaps filled, transactions and prices of earlier days."""
    exchange = write_random_landing_zone(seed, tmp_path / "complete", LENGTH)
    chance = random.Random(seed)
    early = tmp_path / "landing"
    shutil.copytree(tmp_path / "complete", early)
    for name in OPTIONAL:
        for folder in sorted((early / name).glob("date=*")):
            if chance.random() < 0.5:
                shutil.rmtree(folder)
    settings = Settings(early, tmp_path / "late")
    *before, last = exchange.days
    for day in before:
        run(settings, f"day-{day}", day, day)
    shutil.copytree(tmp_path / "complete", early, dirs_exist_ok=True)
    assert run(settings, "late", last, last).startswith("continues")
    assert not differing(contents(settings), at_once(exchange, tmp_path / "complete", tmp_path / "whole"))
