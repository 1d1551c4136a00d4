"""The detection benchmark: what is found of what is planted, when, and how often a healthy exchange raises an alarm.

Three kinds of exchanges, all simulated from a seed. Healthy ones, in which whatever is found is a false alarm. Ones
that hold a group of faults which don't meet, for recall and precision over many seeds. And ones that hold a single
fault, in which the rivals look at the same records: an alarm of theirs names no fault, so there must be only one.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from orchestration.bench.exchange import Judgement, Subject, judge, scratch_settings
from orchestration.simulate import simulate
from orchestration.simulate.faults import FAULTS, compatible_groups, minimum_days


@dataclass(frozen=True, slots=True)
class BenchmarkPlan:
    """Sizes of a benchmark. Rivals look at the first ``rival_seeds`` seeds only: theirs is an exchange a fault."""

    seeds: int
    rival_seeds: int
    days: int
    accounts: int
    processes: int = 2

    def exchanges(self) -> Iterator[Exchange]:
        """All exchanges to simulate, seed by seed."""
        days = max(self.days, minimum_days(list(FAULTS)))
        for seed in range(self.seeds):
            has_rivals = seed < self.rival_seeds
            yield Exchange(seed, days, self.accounts, (), has_rivals)
            for group in compatible_groups():
                yield Exchange(seed, days, self.accounts, group, has_rivals=False)
            if has_rivals:
                for name in FAULTS:
                    yield Exchange(seed, days, self.accounts, (name,), has_rivals)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange to simulate and judge; without faults it is healthy."""

    seed: int
    days: int
    accounts: int
    faults: tuple[str, ...]
    has_rivals: bool


@dataclass(frozen=True, slots=True)
class Planted:
    """One planted fault with the day it was planted on and every finding that must follow."""

    fault: str
    day: date
    expected: frozenset[Subject]


@dataclass(frozen=True, slots=True)
class Observation:
    """What an exchange held and what was found in it. ``alarms`` are day, asset and measure, by rival."""

    exchange: Exchange
    first_date: date
    last_date: date
    planted: tuple[Planted, ...]
    found: frozenset[Subject]
    is_refused: bool
    alarms: dict[str, frozenset[tuple[date, str, str]]]

    @property
    def expected(self) -> frozenset[Subject]:
        """All findings that must be there."""
        return frozenset().union(*(planted.expected for planted in self.planted))


def observe(exchange: Exchange) -> Observation:
    """Simulate one exchange, judge it, and let the rivals look at it."""
    with tempfile.TemporaryDirectory(prefix="ringfence-bench-") as folder:
        landing, scratch = Path(folder, "landing"), Path(folder, "warehouse")
        summary = simulate(
            "healthy",
            landing,
            days=exchange.days,
            accounts=exchange.accounts,
            seed=exchange.seed,
            faults=exchange.faults,
        )
        truth = json.loads(summary.truth.read_text(encoding="utf-8"))
        settings = scratch_settings(landing, scratch)
        judgement = judge(settings, summary.first_date, summary.last_date)
        build_file = None if judgement.is_refused else settings.paths.build_file
        alarms = (
            _rival_alarms(landing, summary.first_date, summary.last_date, build_file) if exchange.has_rivals else {}
        )
    return _observation(exchange, summary.first_date, summary.last_date, truth, judgement, alarms)


def _observation(
    exchange: Exchange, first_date: date, last_date: date, truth: Any, judgement: Judgement, alarms: Any
) -> Observation:
    planted = tuple(
        Planted(
            plant["fault"],
            date.fromisoformat(plant["date"]),
            frozenset(
                (row["check"], date.fromisoformat(row["date"]), row["subject"], row["asset"])
                for row in truth["faults"]
                if row["fault"] == plant["fault"]
            ),
        )
        for plant in truth.get("planted", [])
    )
    return Observation(exchange, first_date, last_date, planted, judgement.findings, judgement.is_refused, alarms)


def _rival_alarms(
    landing: Path, first_date: date, last_date: date, build_file: Path | None
) -> dict[str, frozenset[tuple[date, str, str]]]:
    from orchestration.bench.rivals import RIVALS, DailyBooks

    books = DailyBooks.read(landing, first_date, last_date, build_file)
    try:
        return {
            rival.name: frozenset((alarm.day, alarm.asset, alarm.what) for alarm in rival.alarms(books))
            for rival in RIVALS
        }
    finally:
        books.connection.close()


def observe_all(plan: BenchmarkPlan, on_progress: Callable[[int, int], None]) -> list[Observation]:
    """Observe every exchange of the plan, several at a time, in the plan's order."""
    exchanges: Sequence[Exchange] = list(plan.exchanges())
    observations = []
    with ProcessPoolExecutor(plan.processes, mp_context=get_context("spawn")) as pool:
        for number, observation in enumerate(pool.map(observe, exchanges), 1):
            observations.append(observation)
            on_progress(number, len(exchanges))
    return observations
