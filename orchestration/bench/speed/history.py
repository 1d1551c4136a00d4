"""What a day costs after a short and after a long history, at one daily volume.

What belongs here: the curve over days of history. What doesn't: comparing with anything else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from orchestration.bench.speed.bulk_market import FIRST_DATE
from orchestration.bench.speed.comparison import Conditions, Entrant, Say, add_run, new_pipeline, run_days
from orchestration.bench.speed.generator import Generated, Size, generate
from orchestration.bench.speed.measuring import folder_bytes, scratch_folder


@dataclass
class History:
    """One length of history: the run that takes it in at once, then a run for each of the days that follow."""

    days: int
    initial: Entrant
    increment: Entrant
    warehouse_bytes: int = 0


@dataclass
class HistoryCurve:
    """All lengths of history on one landing zone; ``daily_entries`` is its volume."""

    accounts: int
    daily_entries: int
    generated: Generated
    empty_day_seconds: float
    histories: list[History] = field(default_factory=list)


def measure_histories(
    lengths: list[int], accounts: int, daily_entries: int, empty_day_seconds: float, conditions: Conditions, say: Say
) -> HistoryCurve:
    """Measure as many increments after each history as there are rounds."""
    longest = max(lengths) + conditions.rounds
    size = Size(entries=daily_entries * longest, accounts=accounts, days=longest)
    with scratch_folder(conditions.scratch) as name:
        scratch = Path(name)
        say("generating", f"{longest} days")
        curve = HistoryCurve(accounts, daily_entries, generate(size, scratch / "landing"), empty_day_seconds)
        for days in lengths:
            curve.histories.append(_history(days, empty_day_seconds, conditions, scratch, say))
    return curve


def _history(days: int, empty_day_seconds: float, conditions: Conditions, scratch: Path, say: Say) -> History:
    history = History(days, new_pipeline(), new_pipeline())
    history.increment.fixed_seconds = empty_day_seconds
    landing, warehouse = scratch / "landing", scratch / f"warehouse-{days}"
    say(f"{days} days of history", "taking them in")
    add_run(history.initial, run_days(conditions, landing, warehouse, FIRST_DATE, _date(days)))
    for number in range(days + 1, days + 1 + conditions.rounds):
        say(f"{days} days of history", f"day {number}")
        add_run(history.increment, run_days(conditions, landing, warehouse, _date(number), _date(number)))
    history.warehouse_bytes = folder_bytes(warehouse)
    return history


def _date(number: int) -> date:
    """The date of a day counted from 1."""
    return FIRST_DATE + timedelta(days=number - 1)
