"""The pipeline beside the contenders on one landing zone, round by round, and the fixed cost of each.

What belongs here: the order of measurements, medians, agreement. What doesn't: measuring a command, showing results.
All that is compared runs in the same round, so that a machine's bad minute hits everybody. The fixed cost of anything
is what it takes on an exchange of almost nothing: starting, importing, and for the pipeline every model and check.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median

from orchestration.bench.speed import agreement
from orchestration.bench.speed.bulk_market import FIRST_DATE
from orchestration.bench.speed.contenders import BARE, Contender
from orchestration.bench.speed.generator import Generated, Size, generate
from orchestration.bench.speed.measuring import Measured, folder_bytes, run_measured, scratch_folder
from orchestration.bench.speed.pipeline_run import (
    PipelineRun,
    UnsoundRunError,
    published_figures,
    run_pipeline,
    slowest_models,
)

PIPELINE = "ringfence"
SMALLEST = Size(entries=2_000, accounts=100, days=2, has_quiet_end=True)
Say = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Under which all is measured. New rounds start until ``minutes`` are over; the first is always whole."""

    rounds: int = 3
    minutes: float = 30
    timeout: float = 3600
    memory_limit: str | None = None
    scratch: Path | None = None


@dataclass
class Entrant:
    """One thing measured, over all rounds. ``fixed_seconds`` is its fixed cost, ``trouble`` why it has no figures."""

    name: str
    description: str
    fixed_seconds: float | None = None
    runs: list[Measured] = field(default_factory=list)
    steps: list[dict[str, float]] = field(default_factory=list)
    trouble: str | None = None

    @property
    def seconds(self) -> float | None:
        """Median of the rounds; None if it has no figures."""
        return median(run.seconds for run in self.runs) if self.runs and not self.trouble else None

    @property
    def processor_seconds(self) -> float:
        """Median of the rounds."""
        return median(run.processor_seconds for run in self.runs)

    @property
    def peak_bytes(self) -> int:
        """The largest of the rounds."""
        return max(run.peak_bytes for run in self.runs)

    @property
    def variable_seconds(self) -> float | None:
        """Median less the fixed cost; None if it is lost in the noise of the fixed cost."""
        if self.seconds is None or self.fixed_seconds is None or self.seconds <= self.fixed_seconds:
            return None
        return self.seconds - self.fixed_seconds

    def median_steps(self) -> dict[str, float]:
        """Seconds of each step or stage, medians over the rounds."""
        names = dict.fromkeys(name for steps in self.steps for name in steps)
        return {name: median(steps.get(name, 0.0) for steps in self.steps) for name in names}


@dataclass
class Comparison:
    """All entrants on one landing zone."""

    size: Size
    generated: Generated
    entrants: list[Entrant]
    warehouse_bytes: int = 0
    slowest_models: list[tuple[str, float]] = field(default_factory=list)

    def entrant(self, name: str) -> Entrant:
        """The entrant of that name."""
        return next(entrant for entrant in self.entrants if entrant.name == name)


@dataclass
class FixedCost:
    """The pipeline on almost nothing: stages of its first run, and of a run over a day without ledger entries."""

    first_run: Entrant
    empty_day: Entrant
    contenders: dict[str, Entrant]


def new_pipeline(fixed: FixedCost | None = None) -> Entrant:
    """The pipeline as an entrant."""
    seconds = fixed.first_run.seconds if fixed else None
    return Entrant(PIPELINE, "the whole pipeline: ingestion, all models and checks, publishing", seconds)


def measure_fixed_cost(conditions: Conditions, contenders: Sequence[Contender], say: Say) -> FixedCost:
    """Measure everything on the smallest exchange."""
    fixed = FixedCost(new_pipeline(), new_pipeline(), {each.name: new_entrant(each) for each in contenders})
    with scratch_folder(conditions.scratch) as name:
        scratch = Path(name)
        generate(SMALLEST, scratch / "landing")
        for round_ in rounds(conditions):
            warehouse = scratch / f"warehouse-{round_}"
            say("fixed cost", f"round {round_ + 1}")
            for entrant, day in ((fixed.first_run, FIRST_DATE), (fixed.empty_day, SMALLEST.last_date)):
                add_run(entrant, run_days(conditions, scratch / "landing", warehouse, day, day))
            for contender in contenders:
                _run_contender(fixed.contenders[contender.name], contender, conditions, scratch, round_)
    return fixed


def compare(
    size: Size, contenders: Sequence[Contender], fixed: FixedCost, conditions: Conditions, say: Say
) -> Comparison:
    """Generate the landing zone and measure the pipeline and the contenders on it."""
    with scratch_folder(conditions.scratch) as name:
        scratch = Path(name)
        say("generating", f"{size.entries:,} entries")
        generated = generate(size, scratch / "landing")
        entrants = [new_entrant(each, fixed.contenders[each.name].seconds) for each in contenders]
        comparison = Comparison(size, generated, [*entrants, new_pipeline(fixed)])
        for round_ in rounds(conditions):
            for contender, entrant in zip(contenders, entrants, strict=True):
                say(f"{size.entries:,} entries, round {round_ + 1}", contender.name)
                _run_contender(entrant, contender, conditions, scratch, round_)
            say(f"{size.entries:,} entries, round {round_ + 1}", PIPELINE)
            _run_pipeline(comparison, conditions, scratch, round_)
    return comparison


def rounds(conditions: Conditions) -> Iterable[int]:
    """Numbers of the rounds that there is time for."""
    started = time.monotonic()
    for round_ in range(conditions.rounds):
        if round_ and time.monotonic() - started > conditions.minutes * 60 * round_ / (round_ + 1):
            return
        yield round_


def new_entrant(contender: Contender, fixed_seconds: float | None = None) -> Entrant:
    """A contender as an entrant, with its trouble if this machine lacks something."""
    return Entrant(contender.name, contender.description, fixed_seconds, trouble=contender.missing())


def run_days(conditions: Conditions, landing: Path, warehouse: Path, first: date, last: date) -> PipelineRun:
    """Run the pipeline over those days under the benchmark's conditions."""
    limit, timeout = conditions.memory_limit, conditions.timeout
    return run_pipeline(landing, warehouse, first, last, memory_limit=limit, timeout=timeout)


def add_run(entrant: Entrant, run: PipelineRun) -> None:
    """Count a run of the pipeline."""
    entrant.runs.append(run.measured)
    entrant.steps.append(dict(run.stages))


def _run_pipeline(comparison: Comparison, conditions: Conditions, scratch: Path, round_: int) -> None:
    entrant, warehouse = comparison.entrant(PIPELINE), scratch / f"warehouse-{round_}"
    if entrant.trouble:
        return
    try:
        add_run(entrant, run_days(conditions, scratch / "landing", warehouse, FIRST_DATE, comparison.size.last_date))
        if round_ == 0:
            comparison.warehouse_bytes = folder_bytes(warehouse)
            comparison.slowest_models = slowest_models(warehouse)
            liability, coverage = (agreement.figures(rows) for rows in published_figures(warehouse))
            entrant.trouble = _difference_to_bare(scratch / BARE.name, liability, coverage, is_exact=True)
    except UnsoundRunError as error:
        entrant.trouble = str(error)
    finally:
        _remove(warehouse)


def _run_contender(entrant: Entrant, contender: Contender, conditions: Conditions, scratch: Path, round_: int) -> None:
    if entrant.trouble:
        return
    out = scratch / contender.name
    _remove(out)
    out.mkdir()
    limit = [conditions.memory_limit] if conditions.memory_limit else []
    command = [sys.executable, "-m", contender.module, str(scratch / "landing"), str(out), *limit]
    measured = run_measured(command, environment=None, timeout=conditions.timeout)
    entrant.trouble = measured.error
    if entrant.trouble:
        return
    entrant.runs.append(measured)
    entrant.steps.append(contender_steps(out))
    if round_ == 0 and contender is not BARE:
        liability = agreement.read_figures(out / "liability.csv") or {}
        coverage = agreement.read_figures(out / "coverage.csv")
        entrant.trouble = _difference_to_bare(scratch / BARE.name, liability, coverage, is_exact=contender.is_exact)


def contender_steps(out: Path) -> dict[str, float]:
    """The steps that a contender's script timed."""
    steps: dict[str, float] = json.loads((out / "steps.json").read_text(encoding="utf-8"))
    return steps


def _difference_to_bare(
    bare: Path, liability: agreement.Figures, coverage: agreement.Figures | None, *, is_exact: bool
) -> str | None:
    """What differs from the bare SQL's figures, as an entrant's trouble; None if bare wasn't measured."""
    expected = agreement.read_figures(bare / "liability.csv")
    if expected is None:
        return None
    found = agreement.difference(expected, liability, is_exact=is_exact)
    if found is None and coverage is not None:
        expected = agreement.read_figures(bare / "coverage.csv") or {}
        found = agreement.difference(expected, coverage, is_exact=is_exact, only_common=True)
    return f"wrong: {found}" if found else None


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
