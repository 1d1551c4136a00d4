"""The benchmark's results as text, as JSON and as one HTML page with a matrix.

What belongs here: wording and layout. What doesn't: counting (scoring.py).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

from orchestration.bench.detection import BenchmarkPlan
from orchestration.bench.scoring import FORMS, INNOCENT, OWN_NAME, FaultScore, Scores, ToolScore, ToolSummary

_TEMPLATE = Path(__file__).with_name("detection.html.j2")
_MISSES_SHOWN = 50


def percent(share: Fraction | None) -> str:
    """A share in whole percent where it is whole, else cut to one place, so that 99.96 never reads as 100."""
    if share is None:
        return "–"
    thousandths = share.numerator * 1000 // share.denominator
    is_whole = share * 100 == thousandths // 10
    return f"{thousandths // 10} %" if is_whole else f"{thousandths // 10}.{thousandths % 10} %"


def cell(form: str, score: ToolScore | None) -> tuple[str, str]:
    """Text and class of a cell of the matrix."""
    if score is None or not score.exchanges:
        return "–", "none"
    if form == INNOCENT:
        return ("quiet", "good") if not score.noticed else (f"{score.noticed} of {score.exchanges} alarmed", "bad")
    text = f"{score.noticed} of {score.exchanges}"
    if score.noticed and score.median_delay:
        text += f", {score.median_delay:g} d"
    kind = "good" if score.noticed == score.exchanges else "some" if score.noticed else "bad"
    return text, kind


def text_lines(plan: BenchmarkPlan, scores: Scores) -> list[str]:
    """What came out, for a terminal."""
    lines = [f"{plan.seeds} seeds, {plan.accounts} accounts; rivals on {plan.rival_seeds} of them", ""]
    lines.append(f"{'check':36} {'expected':>9} {'found':>9} {'false':>7} {'recall':>8} {'precision':>10}")
    lines += [
        f"{check.check:36} {check.expected:9,} {check.found:9,} {check.unexpected:7,}"
        f" {percent(check.recall):>8} {percent(check.precision):>10}"
        for check in scores.checks
    ]
    lines += ["", f"{'alarms of healthy exchanges':36} {'days':>9} {'alarms':>9} {'a year':>9}"]
    lines += [f"{row.tool:36} {row.days:9,} {row.alarms:9,} {float(row.alarms_a_year):9.1f}" for row in scores.healthy]
    lines += ["", f"{'always noticed (innocents: never)':36}" + "".join(f"{form:>15}" for form in FORMS)]
    for tool, cells in _at_a_glance(scores):
        lines.append(f"{tool:36}" + "".join(f"{f'{row.always} of {row.faults}':>15}" for row in cells))
    lines += ["", *_fault_table(scores.faults), ""]
    lines += [f"{len(scores.misses):,} findings missed or found besides"]
    lines += [f"  {miss.kind}: seed {miss.seed} {miss.finding}" for miss in scores.misses[:_MISSES_SHOWN]]
    return lines


def _at_a_glance(scores: Scores) -> list[tuple[str, list[ToolSummary]]]:
    """Each tool with its summaries in the order of the forms."""
    tools = dict.fromkeys(row.tool for row in scores.summaries)
    return [(tool, [row for row in scores.summaries if row.tool == tool]) for tool in tools]


def _fault_table(faults: Sequence[FaultScore]) -> list[str]:
    tools = [score.tool for score in faults[0].tools] if faults else []
    lines = [f"{'fault':36} {'form':9}" + "".join(f"{tool:>20}" for tool in tools)]
    for fault in faults:
        cells = "".join(f"{cell(fault.form, score)[0]:>20}" for score in fault.tools)
        lines.append(f"{fault.fault:36} {fault.form:9}{cells}")
    return lines


def as_json(plan: BenchmarkPlan, scores: Scores) -> str:
    """All figures for machines; shares are left to the reader, counts are exact."""
    return json.dumps({"plan": asdict(plan), **asdict(scores)}, default=str, indent=1)


def as_page(plan: BenchmarkPlan, scores: Scores) -> str:
    """One self-contained page without script."""
    from jinja2 import Environment, StrictUndefined

    from orchestration.bench.rivals import RIVALS

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = percent
    by_check: dict[str, list[dict[str, Any]]] = {}
    for fault in scores.faults:
        cells = [cell(fault.form, score) for score in fault.tools]
        by_check.setdefault(fault.check, []).append({"fault": fault, "cells": cells})
    ranks = {check.check: rank for rank, check in enumerate(scores.checks)}
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        plan=plan,
        scores=scores,
        glance=_at_a_glance(scores),
        forms=FORMS,
        tools=[score.tool for score in scores.faults[0].tools],
        rivals=RIVALS,
        own_name=OWN_NAME,
        groups=sorted(by_check.items(), key=lambda item: ranks[item[0]]),
        checks={check.check: check for check in scores.checks},
        misses_shown=_MISSES_SHOWN,
    )


def write_results(folder: Path, plan: BenchmarkPlan, scores: Scores) -> list[Path]:
    """Write ``detection.txt``, ``.json`` and ``.html`` to the folder; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "detection.txt": "\n".join(text_lines(plan, scores)) + "\n",
        "detection.json": as_json(plan, scores) + "\n",
        "detection.html": as_page(plan, scores),
    }
    for name, content in contents.items():
        (folder / name).write_text(content, encoding="utf-8")
    return [folder / name for name in contents]
