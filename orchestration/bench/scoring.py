"""From observations to figures: recall and precision by check, delay by fault, alarms of a healthy exchange-year.

What belongs here: counting. Recall is the share of findings that had to be there and were; precision the share of
findings that were there and had to be; both count a finding a day. A fault counts as found if every finding that it
must lead to is there. Delay is the day of the first finding, or alarm, less the day of planting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from statistics import median

from orchestration.bench.detection import Observation, Planted
from orchestration.bench.exchange import Subject
from orchestration.checks import CHECKS
from orchestration.simulate.faults import FAULTS

OWN_NAME = "Ringfence"
FORMS = OBVIOUS, QUIET, INNOCENT = "obvious", "quiet", "innocent"


@dataclass(frozen=True, slots=True)
class CheckScore:
    """One check over all exchanges: findings expected, found of those, and found besides."""

    check: str
    expected: int
    found: int
    unexpected: int

    @property
    def recall(self) -> Fraction | None:
        """Share of expected findings that were found; None if none was expected."""
        return Fraction(self.found, self.expected) if self.expected else None

    @property
    def precision(self) -> Fraction | None:
        """Share of findings that were expected; None if there were no findings."""
        total = self.found + self.unexpected
        return Fraction(self.found, total) if total else None


@dataclass(frozen=True, slots=True)
class ToolScore:
    """One tool on one fault: exchanges that held it, those in which it was noticed, and the median delay in days.

    For an innocent fault ``noticed`` counts alarms that must not be.
    """

    tool: str
    exchanges: int
    noticed: int
    median_delay: float | None


@dataclass(frozen=True, slots=True)
class FaultScore:
    """One fault, as Ringfence over all its exchanges and as every tool saw it where it was planted alone."""

    fault: str
    check: str
    form: str
    description: str
    tools: tuple[ToolScore, ...]

    def of(self, tool: str) -> ToolScore | None:
        """The score of the tool of that name; None if it saw no such exchange."""
        return next((score for score in self.tools if score.tool == tool), None)


@dataclass(frozen=True, slots=True)
class HealthyScore:
    """False alarms of one tool: days that alarmed, over so many healthy days."""

    tool: str
    days: int
    alarm_days: int
    alarms: int

    @property
    def alarms_a_year(self) -> Fraction:
        """Alarms of a healthy exchange in 365 days."""
        return Fraction(self.alarms * 365, self.days) if self.days else Fraction(0)


@dataclass(frozen=True, slots=True)
class ToolSummary:
    """One tool over the whole library: faults of a form that it noticed in every exchange that held them, of so many.

    For innocents ``always`` counts those at which it never raised an alarm.
    """

    tool: str
    form: str
    faults: int
    always: int


@dataclass(frozen=True, slots=True)
class Miss:
    """A finding that had to be there and wasn't, or was there and had not to be."""

    kind: str
    seed: int
    faults: tuple[str, ...]
    finding: Subject


@dataclass(frozen=True, slots=True)
class Scores:
    """All figures of a benchmark."""

    checks: tuple[CheckScore, ...]
    faults: tuple[FaultScore, ...]
    summaries: tuple[ToolSummary, ...]
    healthy: tuple[HealthyScore, ...]
    misses: tuple[Miss, ...]


def score(observations: Sequence[Observation]) -> Scores:
    """Count everything."""
    faults = tuple(_fault_scores(observations))
    return Scores(
        tuple(_check_scores(observations)),
        faults,
        tuple(_summaries(faults)),
        tuple(_healthy_scores(observations)),
        tuple(_misses(observations)),
    )


def _check_scores(observations: Iterable[Observation]) -> Iterable[CheckScore]:
    expected: Counter[str] = Counter()
    found: Counter[str] = Counter()
    unexpected: Counter[str] = Counter()
    for seen in observations:
        expected.update(finding[0] for finding in seen.expected)
        found.update(finding[0] for finding in seen.expected & seen.found)
        unexpected.update(finding[0] for finding in seen.found - seen.expected)
    return [CheckScore(check.name, expected[check.name], found[check.name], unexpected[check.name]) for check in CHECKS]


def _misses(observations: Iterable[Observation]) -> Iterable[Miss]:
    for seen in observations:
        for kind, findings in (("missed", seen.expected - seen.found), ("false alarm", seen.found - seen.expected)):
            for finding in sorted(findings, key=str):
                yield Miss(kind, seen.exchange.seed, seen.exchange.faults, finding)


def _fault_scores(observations: Sequence[Observation]) -> Iterable[FaultScore]:
    healthy = {
        (seen.exchange.seed, tool): alarms
        for seen in observations
        if not seen.exchange.faults
        for tool, alarms in seen.alarms.items()
    }
    tools = sorted({tool for _, tool in healthy}, key=[tool for _, tool in healthy].index)
    for fault in FAULTS.values():
        holding = [(seen, plant) for seen in observations for plant in seen.planted if plant.fault == fault.name]
        own = _own_score(fault.form, holding)
        alone = [(seen, plant) for seen, plant in holding if len(seen.exchange.faults) == 1 and seen.alarms]
        rivals = [_rival_score(tool, alone, healthy) for tool in tools]
        yield FaultScore(fault.name, fault.check, fault.form, fault.description, (own, *rivals))


def _summaries(faults: Sequence[FaultScore]) -> Iterable[ToolSummary]:
    for form in FORMS:
        of_form = [fault for fault in faults if fault.form == form]
        for position, tool in enumerate(faults[0].tools):
            scores = [fault.tools[position] for fault in of_form if fault.tools[position].exchanges]
            wanted = [0 if form == INNOCENT else score.exchanges for score in scores]
            always = sum(score.noticed == number for score, number in zip(scores, wanted, strict=True))
            yield ToolSummary(tool.tool, form, len(scores), always)


def _own_score(form: str, holding: Sequence[tuple[Observation, Planted]]) -> ToolScore:
    noticed, delays = 0, []
    for seen, plant in holding:
        if form == INNOCENT:
            # Nothing had to be found; a false alarm in its exchange is held against it, whatever it names.
            noticed += bool(seen.found - seen.expected)
        elif plant.expected <= seen.found:
            noticed += 1
            delays.append((min(finding[1] for finding in plant.expected) - plant.day).days)
    return ToolScore(OWN_NAME, len(holding), noticed, median(delays) if delays else None)


def _rival_score(
    tool: str,
    alone: Sequence[tuple[Observation, Planted]],
    healthy: dict[tuple[int, str], frozenset[tuple[date, str, str]]],
) -> ToolScore:
    noticed, delays = 0, []
    for seen, plant in alone:
        assets = {finding[3] or "" for finding in plant.expected}
        concerned = {
            day
            for day, asset, what in seen.alarms[tool] - healthy[seen.exchange.seed, tool]
            if day >= plant.day and (not asset or asset in assets or assets <= {""})
        }
        if concerned:
            noticed += 1
            delays.append((min(concerned) - plant.day).days)
    return ToolScore(tool, len(alone), noticed, median(delays) if delays else None)


def _healthy_scores(observations: Sequence[Observation]) -> Iterable[HealthyScore]:
    healthy = [seen for seen in observations if not seen.exchange.faults]
    yield HealthyScore(
        OWN_NAME,
        sum(seen.exchange.days for seen in healthy),
        sum(len({finding[1] for finding in seen.found}) for seen in healthy),
        sum(len(seen.found) for seen in healthy),
    )
    watched = [seen for seen in healthy if seen.alarms]
    for tool in watched[0].alarms if watched else ():
        yield HealthyScore(
            tool,
            sum(seen.exchange.days for seen in watched),
            sum(len({day for day, _, _ in seen.alarms[tool]}) for seen in watched),
            sum(len(seen.alarms[tool]) for seen in watched),
        )
