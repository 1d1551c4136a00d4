"""The detection benchmark counts what it should: checked on observations written by hand, and on one small run."""

from __future__ import annotations

import json
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest

from orchestration.bench.detection import BenchmarkPlan, Exchange, Observation, Planted, observe
from orchestration.bench.detection_output import cell, percent, text_lines, write_results
from orchestration.bench.rivals import RIVALS
from orchestration.bench.scoring import OWN_NAME, Scores, score
from orchestration.simulate.faults import FAULTS

DAY = date(2021, 11, 10)
FAULT = "spot_account_overdrawn"
FINDING = ("no_negative_balance", DAY, "acct-1", "USD")
OTHER = ("no_negative_equity", DAY, "acct-1", None)
PLAN = BenchmarkPlan(seeds=1, rival_seeds=1, days=12, accounts=20)


def observation(
    *faults: str, expected: set = frozenset(), found: set = frozenset(), alarms: dict | None = None
) -> Observation:
    planted = tuple(Planted(name, DAY, frozenset(expected)) for name in faults)
    exchange = Exchange(0, 12, 20, faults, alarms is not None)
    return Observation(exchange, date(2021, 11, 1), DAY, planted, frozenset(found), False, alarms or {})


def of_check(scores: Scores, check: str) -> object:
    return next(row for row in scores.checks if row.check == check)


def test_a_miss_lowers_recall_and_a_false_alarm_precision() -> None:
    scores = score([observation(FAULT, expected={FINDING}, found={OTHER})])
    missed, besides = of_check(scores, FINDING[0]), of_check(scores, OTHER[0])
    assert (missed.recall, missed.precision) == (Fraction(0), None)
    assert (besides.recall, besides.precision) == (None, Fraction(0))
    assert {(miss.kind, miss.finding) for miss in scores.misses} == {("missed", FINDING), ("false alarm", OTHER)}


def test_a_fault_counts_as_found_only_with_all_it_leads_to() -> None:
    both, half = {FINDING, OTHER}, {FINDING}
    scores = score([observation(FAULT, expected=both, found=both), observation(FAULT, expected=both, found=half)])
    own = next(row for row in scores.faults if row.fault == FAULT).of(OWN_NAME)
    assert (own.exchanges, own.noticed, own.median_delay) == (2, 1, 0)


@pytest.mark.parametrize(
    ("alarm", "is_credited"),
    [
        ((DAY, "USD", "held"), True),
        ((DAY, "", "rows"), True),
        ((DAY, "BTC", "held"), False),
        ((date(2021, 11, 9), "USD", "held"), False),
        ((DAY, "USD", "also when healthy"), False),
    ],
)
def test_an_alarm_is_credited_by_day_asset_and_the_healthy_twin(alarm: tuple, is_credited: bool) -> None:
    healthy = observation(alarms={"tool": frozenset({(DAY, "USD", "also when healthy")})})
    planted = observation(FAULT, expected={FINDING}, found={FINDING}, alarms={"tool": frozenset({alarm})})
    rival = next(row for row in score([healthy, planted]).faults if row.fault == FAULT).of("tool")
    assert (rival.exchanges, rival.noticed) == (1, int(is_credited))


def test_false_alarms_of_healthy_exchanges_are_counted_by_year() -> None:
    scores = score([observation(found={FINDING, OTHER}, alarms={"tool": frozenset()})])
    own, tool = scores.healthy
    assert (own.days, own.alarms, own.alarm_days) == (12, 2, 1)
    assert own.alarms_a_year == Fraction(2 * 365, 12)
    assert (tool.tool, tool.alarms) == ("tool", 0)


def test_almost_all_is_not_all() -> None:
    assert percent(Fraction(9_999, 10_000)) == "99.9 %"
    assert percent(Fraction(1)) == "100 %"
    assert percent(Fraction(1, 8)) == "12.5 %"
    assert cell("quiet", None) == ("–", "none")


def test_a_small_benchmark_from_end_to_end(tmp_path: Path) -> None:
    observations = [observe(Exchange(5, 22, 20, faults, has_rivals=True)) for faults in ((), (FAULT,))]
    scores = score(observations)
    assert scores.misses == ()
    row = next(row for row in scores.faults if row.fault == FAULT)
    assert [tool.tool for tool in row.tools] == [OWN_NAME, *(rival.name for rival in RIVALS)]
    assert (row.of(OWN_NAME).exchanges, row.of(OWN_NAME).noticed) == (1, 1)
    text, numbers, page = write_results(tmp_path, PLAN, scores)
    assert text.read_text().splitlines() == text_lines(PLAN, scores)
    assert json.loads(numbers.read_text())["misses"] == []
    assert all(name in page.read_text() for name in FAULTS)
    assert "<script" not in page.read_text()
