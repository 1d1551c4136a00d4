"""Observations and looks for tests, written in a line each."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from orchestration.alerts.incidents import Category, Incident, Look, Observation, Occasion, Patience, Step, steps
from orchestration.checks import Severity

DAY = date(2026, 3, 4)
NIGHT = datetime(2026, 3, 5, 0, 40)
CHECK = "no_negative_balance"
PATIENCE = Patience({Severity.CRITICAL: timedelta(hours=4), Severity.WARNING: timedelta(days=1)}, Decimal("0.25"))


def seen(impact: str | None = "1000", **changes: Any) -> Observation:
    """A negative balance of account a1 in USD on ``DAY``."""
    observation = Observation(
        environment="production",
        check_name=CHECK,
        category=Category.BREACH,
        severity=Severity.CRITICAL,
        subject_type="account",
        subject_id="a1",
        asset="USD",
        day=DAY,
        since=DAY,
        message="Account a1 owes 1000 USD.",
        observed="-1000",
        expected="0",
        impact_usd=None if impact is None else Decimal(impact),
        evidence="select 1",
        run_id="run-1",
    )
    return replace(observation, **changes)


def look(at: datetime = NIGHT, day: date = DAY, checks: tuple[str, ...] = (CHECK,)) -> Look:
    return Look("production", at, day, checks)


class Watch:
    """Looks one after the other, and what was said at each: occasion and subject."""

    def __init__(self) -> None:
        self.known: list[Incident] = []
        self.numbers = 0

    def look(self, *observations: Observation, at: datetime = NIGHT, day: date = DAY, **rest: Any) -> list[Step]:
        taken = list(steps(self.known, observations, look(at, day, **rest), PATIENCE))
        kept = []
        for step in taken:
            incident = step.incident
            if incident.number == 0:
                self.numbers += 1
                incident = replace(incident, number=self.numbers)
            kept.append(incident)
        self.known = [incident for incident in kept if incident.resolved_at is None]
        return taken

    def said(self, *observations: Observation, **rest: Any) -> list[tuple[Occasion, str]]:
        return [
            (step.occasion, step.incident.seen.subject_id) for step in self.look(*observations, **rest) if step.occasion
        ]
