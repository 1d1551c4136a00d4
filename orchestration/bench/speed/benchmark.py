"""The speed benchmark as a whole: which measurements are made, and all that they gave.

What belongs here: the plan and its execution. What doesn't: how anything is measured, and how it is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from orchestration.bench.speed.comparison import (
    PIPELINE,
    Comparison,
    Conditions,
    FixedCost,
    Say,
    compare,
    measure_fixed_cost,
)
from orchestration.bench.speed.contenders import BARE, CONTENDERS, Contender
from orchestration.bench.speed.curves import DEFAULT_POINTS, Curve
from orchestration.bench.speed.generator import LEAST_ACCOUNTS, Size
from orchestration.bench.speed.history import HistoryCurve, measure_histories
from orchestration.bench.speed.importing import import_seconds
from orchestration.bench.speed.machine import Machine, this_machine
from orchestration.bench.speed.measuring import run_measured
from orchestration.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class SpeedPlan:
    """One benchmark: a comparison at ``size``, or a curve through ``points`` with all else as ``size`` says.

    On the curve over days ``size`` gives the daily volume: its entries spread over its days.
    """

    size: Size
    curve: Curve | None = None
    points: tuple[int, ...] = ()
    contenders: tuple[str, ...] = tuple(contender.name for contender in CONTENDERS)
    conditions: Conditions = field(default_factory=Conditions)

    def sizes(self) -> list[Size]:
        """The sizes compared."""
        if self.curve is None:
            return [self.size]
        points = self.points or DEFAULT_POINTS[self.curve]
        if self.curve is Curve.ENTRIES:
            return [replace(self.size, entries=point) for point in points]
        return [replace(self.size, accounts=point) for point in points] if self.curve is Curve.ACCOUNTS else []

    def lengths(self) -> list[int]:
        """The lengths of history measured."""
        return list(self.points or DEFAULT_POINTS[Curve.DAYS]) if self.curve is Curve.DAYS else []


@dataclass
class SpeedResults:
    """All that was measured."""

    plan: SpeedPlan
    machine: Machine
    fixed: FixedCost
    imports: list[tuple[str, float]]
    comparisons: list[Comparison] = field(default_factory=list)
    history: HistoryCurve | None = None

    def troubles(self) -> list[str]:
        """What went wrong with the pipeline itself."""
        return [trouble for each in self.comparisons if (trouble := each.entrant(PIPELINE).trouble) is not None]


def run_speed_benchmark(plan: SpeedPlan, say: Say) -> SpeedResults:
    """Measure everything in the plan."""
    contenders = _contenders(plan)
    _require_accounts(plan)
    # As an installed Ringfence has it: `make setup` parses the project, so that no run has to.
    run_measured([sys.executable, "-m", "orchestration.warehouse.prepare"], environment=None, timeout=600)
    say("fixed cost", "imports")
    imports = import_seconds()
    fixed = measure_fixed_cost(plan.conditions, [] if plan.lengths() else contenders, say)
    results = SpeedResults(plan, this_machine(), fixed, imports)
    for size in plan.sizes():
        results.comparisons.append(compare(size, contenders, fixed, plan.conditions, say))
    if plan.lengths():
        daily = max(plan.size.entries // plan.size.days, 1)
        empty_day = fixed.empty_day.seconds or 0.0
        results.history = measure_histories(plan.lengths(), plan.size.accounts, daily, empty_day, plan.conditions, say)
    return results


def _contenders(plan: SpeedPlan) -> Sequence[Contender]:
    """Those asked for, in the catalogue's order; bare always, since all figures are compared with it."""
    unknown = set(plan.contenders) - {contender.name for contender in CONTENDERS}
    if unknown:
        known = ", ".join(contender.name for contender in CONTENDERS)
        raise ConfigurationError(f"no contender is named {', '.join(sorted(unknown))}; there are {known}")
    return [contender for contender in CONTENDERS if contender is BARE or contender.name in plan.contenders]


def _require_accounts(plan: SpeedPlan) -> None:
    if min(size.accounts for size in [plan.size, *plan.sizes()]) < LEAST_ACCOUNTS:
        raise ConfigurationError(f"--accounts must be at least {LEAST_ACCOUNTS}")
