"""What becomes of incidents when one looks again: opened, grown, reminded of, resolved. No clock, no database.

What belongs here: the rules, as a function of what was known and what is seen. What doesn't: keeping (``store``),
seeing (``observing``), sending.

An incident is one environment's check, subject and asset: never a run, so that the same hole seen every night is one
incident. It is open until it isn't seen any more by a look that could have seen it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from orchestration.checks import Severity


class Category(StrEnum):
    """What kind of trouble it is; each asks for another person."""

    BAD_DATA = "bad_data"
    BREACH = "breach"
    CHECK_FAILED = "check_failed"
    NO_DATA = "no_data"


class State(StrEnum):
    """Where an incident stands. Being silenced is no state: it ends by itself."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Occasion(StrEnum):
    """Why a message is sent."""

    OPENED = "opened"
    GREW = "grew"
    REMINDER = "reminder"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Observation:
    """One trouble as one look sees it.

    ``day`` is the day (UTC) it is about, ``since`` the first of the unbroken days; ``impact_usd`` the money at stake,
    zero or more, None if unpriced.
    """

    environment: str
    check_name: str
    category: Category
    severity: Severity
    subject_type: str
    subject_id: str
    asset: str | None
    day: date
    since: date
    message: str
    observed: str | None = None
    expected: str | None = None
    impact_usd: Decimal | None = None
    evidence: str | None = None
    run_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """What makes two observations one incident."""
        parts = (self.environment, self.check_name, self.subject_type, self.subject_id, self.asset or "")
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Incident:
    """An observation's life. ``number`` is given by the store, 0 before; a trouble that comes back is another incident.

    ``told_at``, ``told_impact_usd`` and ``told_severity``: what the last message said and when. ``silenced_until``:
    nothing is said before.
    """

    number: int
    seen: Observation
    state: State
    opened_at: datetime
    told_at: datetime | None = None
    told_impact_usd: Decimal | None = None
    told_severity: Severity | None = None
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    silenced_until: datetime | None = None
    resolved_at: datetime | None = None

    def is_silent(self, at: datetime) -> bool:
        """Whether nothing may be said of it at that moment."""
        return self.silenced_until is not None and at < self.silenced_until


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a warehouse could see.

    ``at`` is the wall clock's time (UTC), ``day`` the latest day that is judged. ``checks``: those whose findings it
    would have seen; incidents of others are left as they are, so that a check that didn't run resolves nothing.
    """

    environment: str
    at: datetime
    day: date
    checks: Collection[str]


@dataclass(frozen=True, slots=True)
class Patience:
    """When something is said again. ``growth``: the share by which the money at stake must grow to be news."""

    again_after: Mapping[Severity, timedelta]
    growth: Decimal


@dataclass(frozen=True, slots=True)
class Step:
    """What one look makes of an incident, and what there is to say about it; ``before`` is None for a new one."""

    incident: Incident
    before: Incident | None
    occasion: Occasion | None


def steps(known: Iterable[Incident], seen: Iterable[Observation], look: Look, patience: Patience) -> Iterator[Step]:
    """What becomes of the incidents that aren't resolved (``known``) and of what is seen, worst first.

    Of several observations of one incident (a day's and an earlier one's) the latest day's counts.
    """
    latest: dict[str, Observation] = {}
    for observation in sorted(seen, key=lambda one: (one.day, one.impact_usd or Decimal(0), one.message)):
        latest[observation.fingerprint] = observation
    waiting = {incident.seen.fingerprint: incident for incident in known}
    for fingerprint, observation in sorted(latest.items(), key=lambda item: _worst_first(item[1])):
        before = waiting.pop(fingerprint, None)
        if before is None:
            opened = Incident(0, observation, State.OPEN, look.at)
            yield Step(_told(opened, look), None, Occasion.OPENED)
        else:
            yield _seen_again(before, observation, look, patience)
    for incident in sorted(waiting.values(), key=lambda one: _worst_first(one.seen)):
        yield _not_seen(incident, look)


def acknowledged(incident: Incident, by: str, at: datetime) -> Step:
    """Somebody has taken note of an incident that isn't resolved; who did so first stays."""
    if incident.state is State.ACKNOWLEDGED:
        return Step(incident, incident, None)
    changed = replace(incident, state=State.ACKNOWLEDGED, acknowledged_by=by, acknowledged_at=at)
    return Step(changed, incident, Occasion.ACKNOWLEDGED)


def acknowledged_no_more(incident: Incident) -> Step:
    """The note is withdrawn, and the incident told again when it is due. No receiver has a word for it."""
    state = State.OPEN if incident.state is State.ACKNOWLEDGED else incident.state
    return Step(replace(incident, state=state, acknowledged_by=None, acknowledged_at=None), incident, None)


def _worst_first(observation: Observation) -> tuple[bool, Decimal, str]:
    impact = observation.impact_usd or Decimal(0)
    return observation.severity is not Severity.CRITICAL, -impact, observation.fingerprint


def _told(incident: Incident, look: Look) -> Incident:
    seen = incident.seen
    return replace(incident, told_at=look.at, told_impact_usd=seen.impact_usd, told_severity=seen.severity)


def _seen_again(before: Incident, observation: Observation, look: Look, patience: Patience) -> Step:
    # What an older day shows (a back-fill) doesn't take the place of what a newer one showed.
    current = replace(before, seen=observation if observation.day >= before.seen.day else before.seen)
    if current.is_silent(look.at):
        return Step(current, before, None)
    if _has_grown(current, patience):
        return Step(_told(current, look), before, Occasion.GREW)
    again_after = patience.again_after[current.seen.severity]
    is_due = current.told_at is None or look.at - current.told_at >= again_after
    if current.state is State.OPEN and is_due:
        return Step(_told(current, look), before, Occasion.REMINDER)
    return Step(current, before, None)


def _has_grown(incident: Incident, patience: Patience) -> bool:
    """Whether more is at stake than was told: the share more, priced where it wasn't, or a critical warning."""
    if incident.told_severity is Severity.WARNING and incident.seen.severity is Severity.CRITICAL:
        return True
    impact, told = incident.seen.impact_usd, incident.told_impact_usd
    if impact is None:
        return False
    return impact > 0 if not told else impact >= told * (1 + patience.growth) and impact > told


def _not_seen(incident: Incident, look: Look) -> Step:
    """Resolved if this look would have seen it."""
    seen = incident.seen
    is_judged = seen.check_name in look.checks and seen.environment == look.environment and look.day >= seen.day
    if not is_judged:
        return Step(incident, incident, None)
    resolved = replace(incident, state=State.RESOLVED, resolved_at=look.at)
    return Step(resolved, incident, None if incident.is_silent(look.at) else Occasion.RESOLVED)
