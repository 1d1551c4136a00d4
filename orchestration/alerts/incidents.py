"""What becomes of incidents when one looks again: opened, grown, reminded of, resolved. No clock, no database.

What belongs here: the rules, as a function of what was known and what is seen. What doesn't: keeping (``store``),
seeing (``observing``), sending.

An incident is one environment's check, subject and asset: never a run, so that the same hole seen every night is one
incident. It is open until it isn't seen any more by a look that could have seen it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    zero or more, None if unpriced; ``affiliate`` the related party that it concerns, if any.
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
    affiliate: str | None = None

    @property
    def fingerprint(self) -> str:
        """What makes two observations one incident."""
        parts = (self.environment, self.check_name, self.subject_type, self.subject_id, self.asset or "")
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Incident:
    """An observation's life. ``number`` is given by the store, 0 before; a trouble that comes back is another incident.

    ``told_at``, ``told_impact_usd`` and ``told_severity``: what the last message said and when. ``silenced_until``:
    nothing is said before. ``explained_by``: fingerprint of the incident that it follows from.
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
    explained_by: str | None = None

    def is_silent(self, at: datetime) -> bool:
        """Whether nothing may be said of it at that moment."""
        return self.silenced_until is not None and at < self.silenced_until


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a warehouse could see.

    ``at`` is the wall clock's time (UTC), ``day`` the latest day that is judged. ``checks``: those whose findings it
    would have seen; incidents of others are left as they are, so that a check that didn't run resolves nothing.
    ``judged_until``: checks that are judged up to another day, whatever was published.
    """

    environment: str
    at: datetime
    day: date
    checks: Collection[str]
    judged_until: Mapping[str, date] = field(default_factory=dict)

    def would_have_seen(self, observation: Observation) -> bool:
        """Whether that this look doesn't see it any more means that it is no more."""
        check = observation.check_name
        until = self.judged_until.get(check, self.day if check in self.checks else None)
        return observation.environment == self.environment and until is not None and until >= observation.day


@dataclass(frozen=True, slots=True)
class Patience:
    """When something is said again. ``growth``: the share by which the money at stake must grow to be news."""

    again_after: Mapping[Severity, timedelta]
    growth: Decimal


class Bearing(StrEnum):
    """What data that never came has to do with another incident."""

    EXPLAINS = "explains"
    MAY_EXPLAIN = "may explain"


Bears = Callable[[Incident, Incident], Bearing | None]
"""What the first incident, about data that never came, has to do with the second."""


def bears_on_nothing(cause: Incident, effect: Incident) -> None:
    """For looks that know of no lineage: each incident speaks for itself."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one look makes of an incident, and what there is to say about it; ``before`` is None for a new one.

    ``follows_from``: fingerprints of incidents that explain it, or may. What ``incident.explained_by`` explains is
    said there, for those who hear of that.
    """

    incident: Incident
    before: Incident | None
    occasion: Occasion | None
    follows_from: tuple[str, ...] = ()


def steps(
    known: Iterable[Incident],
    seen: Iterable[Observation],
    look: Look,
    patience: Patience,
    bears: Bears = bears_on_nothing,
) -> list[Step]:
    """What becomes of incidents that stand (``known``) and of what is seen, worst first.

    Of several observations of one incident (a day's and an earlier one's) the latest day's counts. A known incident
    that is resolved but silenced still hands its silence on when the trouble comes back.
    """
    latest: dict[str, Observation] = {}
    for observation in sorted(seen, key=lambda one: (one.day, one.impact_usd or Decimal(0), one.message)):
        latest[observation.fingerprint] = observation
    waiting, silences = {}, {}
    for incident in known:
        if incident.state is not State.RESOLVED:
            waiting[incident.seen.fingerprint] = incident
        elif incident.is_silent(look.at):
            silences[incident.seen.fingerprint] = incident.silenced_until
    taken = []
    for fingerprint, observation in sorted(latest.items(), key=lambda item: _worst_first(item[1])):
        before = waiting.pop(fingerprint, None)
        if before is None:
            opened = Incident(0, observation, State.OPEN, look.at, silenced_until=silences.get(fingerprint))
            taken.append(_speaking(opened, None, Occasion.OPENED, look))
        else:
            taken.append(_seen_again(before, observation, look, patience))
    taken += [_not_seen(one, look) for one in sorted(waiting.values(), key=lambda one: _worst_first(one.seen))]
    return _explained(taken, look, bears)


def _explained(taken: list[Step], look: Look, bears: Bears) -> list[Step]:
    """The same steps with what follows from what, each explanation saying what is new about what it explains."""
    causes = [step.incident for step in taken if _can_explain(step.incident, look)]
    # Wider explanations first: what is explained itself explains nothing.
    roots = [cause for cause in causes if not _explanations(cause, causes, bears)[0]]
    followed = [_following(step, roots, look, bears) for step in taken]
    spoken_for = {
        step.incident.explained_by
        for step in followed
        if step.incident.explained_by is not None
        and (step.occasion in (Occasion.OPENED, Occasion.GREW) or _is_newly_explained(step))
        and not step.incident.is_silent(look.at)
    }
    return [
        _speaking(step.incident, step.before, Occasion.GREW, look, step.follows_from)
        if step.incident.seen.fingerprint in spoken_for and step.occasion in (None, Occasion.REMINDER)
        else step
        for step in followed
    ]


def _can_explain(incident: Incident, look: Look) -> bool:
    """Of what nobody speaks of, nobody learns what it explains."""
    is_told_of = incident.state is not State.RESOLVED and not incident.is_silent(look.at)
    return is_told_of and incident.seen.category is Category.NO_DATA


def _explanations(effect: Incident, causes: Iterable[Incident], bears: Bears) -> tuple[list[str], list[str]]:
    """Fingerprints of those that explain it, and of those that have anything to do with it."""
    bearing = {
        cause.seen.fingerprint: bears(cause, effect)
        for cause in causes
        if cause.seen.fingerprint != effect.seen.fingerprint
    }
    explaining = [fingerprint for fingerprint, kind in bearing.items() if kind is Bearing.EXPLAINS]
    return explaining, [fingerprint for fingerprint, kind in bearing.items() if kind is not None]


def _following(step: Step, roots: Sequence[Incident], look: Look, bears: Bears) -> Step:
    if step.incident.state is State.RESOLVED:
        return step
    explaining, concerned = _explanations(step.incident, roots, bears)
    kept = step.incident.explained_by
    explained_by = kept if kept in explaining else min(explaining, default=None)
    incident = replace(step.incident, explained_by=explained_by)
    speaks_up = kept is not None and explained_by is None and incident.state is State.OPEN
    if speaks_up and step.occasion is None:
        return _speaking(incident, step.before, Occasion.OPENED, look, tuple(concerned))
    return replace(step, incident=incident, follows_from=tuple(concerned))


def _is_newly_explained(step: Step) -> bool:
    return step.before is None or step.before.explained_by != step.incident.explained_by


def _worst_first(observation: Observation) -> tuple[bool, Decimal, str]:
    impact = observation.impact_usd or Decimal(0)
    return observation.severity is not Severity.CRITICAL, -impact, observation.fingerprint


def _speaking(
    incident: Incident, before: Incident | None, occasion: Occasion, look: Look, follows_from: tuple[str, ...] = ()
) -> Step:
    """A step that says something, unless nothing may be said of the incident now."""
    if incident.is_silent(look.at):
        return Step(incident, before, None, follows_from)
    seen = incident.seen
    told = replace(incident, told_at=look.at, told_impact_usd=seen.impact_usd, told_severity=seen.severity)
    return Step(told, before, occasion, follows_from)


def _seen_again(before: Incident, observation: Observation, look: Look, patience: Patience) -> Step:
    # What an older day shows (a back-fill) doesn't take the place of what a newer one showed.
    current = replace(before, seen=observation if observation.day >= before.seen.day else before.seen)
    if current.told_at is None:  # it was silenced when it opened
        return _speaking(current, before, Occasion.OPENED, look)
    if _has_grown(current, patience):
        return _speaking(current, before, Occasion.GREW, look)
    # Either way: a clock that was ahead and is right again must not keep it quiet until it has caught up.
    is_due = abs(look.at - current.told_at) >= patience.again_after[current.seen.severity]
    if current.state is State.OPEN and is_due:
        return _speaking(current, before, Occasion.REMINDER, look)
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
    if not look.would_have_seen(incident.seen):
        return Step(incident, incident, None)
    resolved = replace(incident, state=State.RESOLVED, resolved_at=look.at)
    return Step(resolved, incident, None if incident.is_silent(look.at) else Occasion.RESOLVED)


def acknowledged(incident: Incident, by: str, at: datetime) -> Step:
    """Somebody has taken note of an incident that isn't resolved; who did so first stays."""
    if incident.state is State.ACKNOWLEDGED:
        return Step(incident, incident, None)
    changed = replace(incident, state=State.ACKNOWLEDGED, acknowledged_by=by, acknowledged_at=at)
    if incident.told_at is None:  # whoever takes note of what was silenced knows of it
        seen = incident.seen
        changed = replace(changed, told_at=at, told_impact_usd=seen.impact_usd, told_severity=seen.severity)
    return Step(changed, incident, Occasion.ACKNOWLEDGED)


def silenced(incident: Incident, until: datetime | None) -> Step:
    """Nothing is said of it until then, also if it comes back meanwhile; None: it may be spoken of at once."""
    return Step(replace(incident, silenced_until=until), incident, None)


def acknowledged_no_more(incident: Incident) -> Step:
    """The note is withdrawn, and the incident told again when it is due. No receiver has a word for it."""
    state = State.OPEN if incident.state is State.ACKNOWLEDGED else incident.state
    return Step(replace(incident, state=state, acknowledged_by=None, acknowledged_at=None), incident, None)
