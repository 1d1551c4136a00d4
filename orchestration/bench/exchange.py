"""Judging one landing zone as a run would (``pipeline.direct``), with its later delivery if it has one.

What belongs here: which runs a simulated exchange needs. What doesn't: their steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from orchestration.pipeline.direct import DirectResult, Subject, run_directly
from orchestration.settings import Settings
from orchestration.simulate.delivery import later_date, lay_over

_HEADLINE_MARTS = ["fct_solvency_daily", "fct_customer_liability_daily", "fct_reserve_coverage_daily"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found in a landing zone, and whether its last delivery was refused."""

    findings: frozenset[Subject]
    is_refused: bool


def judge(settings: Settings, first_date: date, last_date: date) -> Judgement:
    """Load the simulated landing zone, and its second delivery if it has one, and return what all checks find."""
    later_after = later_date(settings.landing)
    if later_after is None:
        only = judge_run(settings, "only", first_date, last_date)
        return Judgement(only.findings, only.is_refused)
    before = judge_run(settings, "first", first_date, later_after)
    lay_over(settings.landing)
    after = judge_run(settings, "second", first_date, last_date)
    return Judgement(before.findings | after.findings, after.is_refused)


def judge_run(settings: Settings, run_id: str, first_date: date, last_date: date) -> DirectResult:
    """One run over those days. Small books are built fastest by one thread; exchanges are judged side by side."""
    return run_directly(settings, run_id, first_date, last_date, models=_HEADLINE_MARTS, threads=1)


def scratch_settings(landing_folder: Path, scratch: Path) -> Settings:
    """Settings of a run over this landing zone with its warehouse in a scratch folder."""
    return Settings(landing=landing_folder.resolve(), warehouse=scratch.resolve())
