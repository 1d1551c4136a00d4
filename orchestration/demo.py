"""The demonstration: an exchange that collapses, from its records to what is found in them."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

from orchestration import progress
from orchestration.ending import RunResult
from orchestration.errors import ConfigurationError
from orchestration.reading.published import fetch, published_connection
from orchestration.reading.summary import summary_lines
from orchestration.runner import run_days
from orchestration.settings import WarehousePaths, from_environment
from orchestration.simulate import SimulationSummary, simulate

SCENARIO = "collapse"
ACCOUNTS = 300
SEED = 7
_MARKER = ".ringfence-demo"


def _fresh_folder(out: Path) -> None:
    """Empty the demo's folder; raise ConfigurationError if it holds anything that isn't an earlier demo's."""
    if out.exists() and any(out.iterdir()) and not (out / _MARKER).exists():
        raise ConfigurationError(f"{out} holds something else than an earlier demo; give another folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARKER).touch()
    for name in ("landing", "warehouse"):
        shutil.rmtree(out / name, ignore_errors=True)


def _planted_lines(truth: Path, paths: WarehousePaths) -> list[str]:
    """Each check that a fault was planted for, and how many of its planted faults were found."""
    planted: list[dict[str, Any]] = _planted_faults(json.loads(truth.read_text(encoding="utf-8")))
    with published_connection(paths) as connection:
        rows = fetch(connection, "select check_name, cast(as_of_date as varchar), subject_id from audit.finding").values
    found = set(rows)
    by_check = Counter(fault["check"] for fault in planted)
    caught = Counter(f["check"] for f in planted if (f["check"], f["date"], f["subject"]) in found)
    lines = ["Faults planted in the records, and found:"]
    return [*lines, *(f"  {check}: {caught[check]:,} of {number:,}" for check, number in sorted(by_check.items()))]


def _planted_faults(truth: Any) -> list[dict[str, Any]]:
    return list(truth["faults"] if isinstance(truth, dict) else truth)


def run_demo(out: Path) -> list[str]:
    """Simulate the collapse into ``out``, run the job over it, and return what there is to tell, line by line."""
    _fresh_folder(out)
    progress.report("simulating", SCENARIO)
    simulation = simulate(SCENARIO, out / "landing", accounts=ACCOUNTS, seed=SEED)
    settings = from_environment(landing=out / "landing", warehouse=out / "warehouse")
    result = run_days(settings, simulation.first_date, simulation.last_date)
    return demo_lines(simulation, settings.paths, result)


def demo_lines(simulation: SimulationSummary, paths: WarehousePaths, result: RunResult) -> list[str]:
    """What there is to tell of a made-up exchange and what was found in it, line by line."""
    days = (simulation.first_date, simulation.last_date)
    summary = summary_lines(paths, result, *days, names_all=True)
    told = f"{simulation.entries:,} ledger entries of a made-up exchange, {days[0]} to {days[1]}"
    return [told, "", *summary, "", *_planted_lines(simulation.truth, paths)]
