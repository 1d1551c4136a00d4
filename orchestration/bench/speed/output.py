"""The speed benchmark's figures as text (Markdown tables) and JSON.

What belongs here: layout. What doesn't: measuring and medians.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from orchestration.bench.speed.benchmark import SpeedResults
from orchestration.bench.speed.comparison import Comparison, Entrant, FixedCost
from orchestration.bench.speed.contenders import BARE
from orchestration.bench.speed.history import HistoryCurve

_MEGABYTE = 10**6


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table that is also legible as text: the first column to the left, figures to the right."""
    cells = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(heads))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for row in [cells[0], rule, *cells[1:]]:
        first, *others = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        yield f"| {' | '.join([first, *(cell.rstrip().rjust(len(cell)) for cell in others)])} |"


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.1f}" if value < 100 else f"{value:,.0f}"


def _ratio(value: float | None, base: float | None) -> str:
    return "–" if value is None or not base else f"{value / base:.2f}"


def _machine_lines(results: SpeedResults) -> Iterator[str]:
    machine, conditions = results.machine, results.plan.conditions
    versions = ", ".join(f"{name} {text}" for name, text in machine.versions.items())
    limit = conditions.memory_limit or "none set"
    yield f"{machine.cores} cores of {machine.processor}, {machine.memory_bytes / 2**30:.1f} GiB, {machine.system}"
    yield ""
    yield f"{versions}; memory limit: {limit}; medians of at most {conditions.rounds} rounds"


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    rows = comparison.generated.rows
    yield f"## {rows['ledger_entries']:,} entries, {comparison.size.accounts:,} accounts, {comparison.size.days} days"
    yield ""
    yield (
        f"Input {comparison.generated.bytes / _MEGABYTE:,.0f} MB of Parquet, with {rows['balance_snapshots']:,}"
        f" snapshots and {rows['wallet_transfers']:,} transfers."
        f" Warehouse {comparison.warehouse_bytes / _MEGABYTE:,.0f} MB."
    )
    yield ""
    bare = comparison.entrant(BARE.name)
    entries = rows["ledger_entries"]
    yield from _table(
        (
            "",
            "seconds",
            "processor s",
            "less fixed cost",
            "entries/s",
            "peak MB",
            "to bare",
            "to bare, less fixed",
            "rounds",
        ),
        (_entrant_row(entrant, bare, entries) for entrant in comparison.entrants if entrant.seconds is not None),
    )
    yield ""
    for entrant in comparison.entrants:
        yield f"- {entrant.name}: {entrant.trouble or entrant.description}{_steps_text(entrant)}"
    yield ""
    if comparison.slowest_models:
        yield from _table(
            ("slowest models of the last build", "seconds"),
            ((name, _seconds(seconds)) for name, seconds in comparison.slowest_models),
        )
        yield ""


def _entrant_row(entrant: Entrant, bare: Entrant, entries: int) -> tuple[str, ...]:
    seconds = entrant.seconds
    assert seconds is not None
    return (
        entrant.name,
        _seconds(seconds),
        _seconds(entrant.processor_seconds),
        _seconds(entrant.variable_seconds),
        f"{entries / seconds:,.0f}",
        f"{entrant.peak_bytes / _MEGABYTE:,.0f}",
        _ratio(seconds, bare.seconds),
        _ratio(entrant.variable_seconds, bare.variable_seconds),
        str(len(entrant.runs)),
    )


def _steps_text(entrant: Entrant) -> str:
    if entrant.seconds is None:
        return ""
    return "".join(f"; {name} {_seconds(seconds)} s" for name, seconds in entrant.median_steps().items())


def _fixed_lines(fixed: FixedCost, imports: Sequence[tuple[str, float]]) -> Iterator[str]:
    yield "## Fixed cost"
    yield ""
    first, empty = fixed.first_run.median_steps(), fixed.empty_day.median_steps()
    rows: list[tuple[str, ...]] = [
        (stage, _seconds(first.get(stage, 0)), _seconds(empty.get(stage, 0))) for stage in first | empty
    ]
    runs = (fixed.first_run, fixed.empty_day)
    rows.append(("whole run", *(_seconds(run.seconds) for run in runs)))
    rows.append(("processor time of it", *(_seconds(run.processor_seconds) for run in runs)))
    yield from _table(("stage, seconds", "first run, a small day", "a day without entries"), rows)
    yield ""
    yield from _table(("imports by package", "seconds"), ((name, f"{seconds:.2f}") for name, seconds in imports))
    yield ""


def _history_lines(curve: HistoryCurve) -> Iterator[str]:
    yield f"## History: {curve.daily_entries:,} entries a day, {curve.accounts:,} accounts"
    yield ""
    base = curve.histories[0].increment
    yield from _table(
        (
            "days of history",
            "taken in, s",
            "next day, s",
            "less an empty day's",
            "to the first, less empty",
            "peak MB",
            "warehouse MB",
        ),
        (
            (
                str(history.days),
                _seconds(history.initial.seconds),
                _seconds(history.increment.seconds),
                _seconds(history.increment.variable_seconds),
                _ratio(history.increment.variable_seconds, base.variable_seconds),
                f"{history.increment.peak_bytes / _MEGABYTE:,.0f}",
                f"{history.warehouse_bytes / _MEGABYTE:,.0f}",
            )
            for history in curve.histories
        ),
    )
    yield ""


def text_lines(results: SpeedResults) -> list[str]:
    """All tables, as Markdown."""
    lines = ["# Speed", "", *_machine_lines(results), ""]
    for comparison in results.comparisons:
        lines += _comparison_lines(comparison)
    if results.history is not None:
        lines += _history_lines(results.history)
    lines += _fixed_lines(results.fixed, results.imports)
    return lines[:-1]


def _entrant_json(entrant: Entrant) -> dict[str, Any]:
    runs = [
        {"seconds": run.seconds, "processor_seconds": run.processor_seconds, "peak_bytes": run.peak_bytes}
        for run in entrant.runs
    ]
    return {
        "name": entrant.name,
        "description": entrant.description,
        "trouble": entrant.trouble,
        "median_seconds": entrant.seconds,
        "fixed_seconds": entrant.fixed_seconds,
        "median_steps": entrant.median_steps() if entrant.steps else {},
        "runs": runs,
    }


def as_json(results: SpeedResults) -> str:
    """All figures for machines, every run apart."""
    history = results.history
    content = {
        "machine": asdict(results.machine),
        "plan": asdict(results.plan),
        "fixed_cost": {
            "first_run": _entrant_json(results.fixed.first_run),
            "empty_day": _entrant_json(results.fixed.empty_day),
            "contenders": [_entrant_json(entrant) for entrant in results.fixed.contenders.values()],
            "import_seconds": dict(results.imports),
        },
        "comparisons": [
            {
                "size": asdict(comparison.size),
                "input_rows": comparison.generated.rows,
                "input_bytes": comparison.generated.bytes,
                "warehouse_bytes": comparison.warehouse_bytes,
                "slowest_models": dict(comparison.slowest_models),
                "entrants": [_entrant_json(entrant) for entrant in comparison.entrants],
            }
            for comparison in results.comparisons
        ],
        "history": history
        and {
            "accounts": history.accounts,
            "daily_entries": history.daily_entries,
            "lengths": [
                {
                    "days": length.days,
                    "warehouse_bytes": length.warehouse_bytes,
                    "initial": _entrant_json(length.initial),
                    "increment": _entrant_json(length.increment),
                }
                for length in history.histories
            ],
        },
    }
    return json.dumps(content, default=str, indent=1)


def write_results(folder: Path, results: SpeedResults) -> list[Path]:
    """Write ``speed.md`` and ``speed.json`` to the folder, named after the curve if there is one; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"speed-{results.plan.curve}" if results.plan.curve else "speed"
    contents = {f"{name}.md": "\n".join(text_lines(results)) + "\n", f"{name}.json": as_json(results) + "\n"}
    for file, content in contents.items():
        (folder / file).write_text(content, encoding="utf-8")
    return [folder / file for file in contents]
