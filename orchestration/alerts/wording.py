"""Which messages a look is worth: for each route what it takes, told together where it wants that.

What belongs here: routing and grouping, what a route hears in the message of an explanation, what stands for a receiver
that forgets. What doesn't: how one incident reads (``told``), sending (``outbox``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from orchestration.alerts.channels.base import Sending
from orchestration.alerts.channels.fitting import cut
from orchestration.alerts.configuration import Alerts, RouteSection
from orchestration.alerts.incidents import Incident, Occasion, State, Step
from orchestration.alerts.store import Draft
from orchestration.alerts.told import Content, Told, explained, in_a_line, tell
from orchestration.keyed_hashes import Hashing

MOST_TOLD = 10
"""So many incidents are told in one message one by one; the others are counted."""

LINE = 250
"""Characters of a line."""

MOST_EXPLAINED = 20
"""So many explained incidents are listed in a message; the others are counted."""


@dataclass(frozen=True)
class Wording:
    """The words of one environment; ``warehouse`` is named in commands."""

    alerts: Alerts
    hashing: Hashing
    warehouse: str

    def tell(self, step: Step, causes: Sequence[Incident] = ()) -> Told:
        """What is said of a step."""
        assert step.occasion is not None
        check = step.incident.seen.check_name
        return tell(
            step.incident,
            step.before,
            step.occasion,
            hashing=self.hashing,
            warehouse=self.warehouse,
            owner=self.alerts.owner_of(check),
            runbook=self.alerts.runbook_of(check),
            causes=causes,
        )

    def drafts(self, taken: Sequence[Step], heard: Mapping[int, Collection[str]]) -> Iterator[Draft]:
        """The messages of one look, route by route; within a message the worst comes first, as in ``taken``.

        ``heard``: the routes that have had a message about each incident.
        """
        look = _Look(taken)
        for name, route in self.alerts.section.routes.items():
            chosen = [step for step in (self._for_route(name, step, look, heard) for step in taken) if step]
            for (line, occasion), group in self._groups(route, chosen).items():
                yield Draft(
                    name,
                    line,
                    occasion,
                    self._content(route, occasion, group, look).as_json(),
                    tuple(step.incident.number for step in group),
                )

    def standing(self, route: str, taken: Sequence[Step], heard: Mapping[int, Collection[str]]) -> Iterator[Sending]:
        """What a route has heard of and stands, one by one, for a receiver that forgets.

        What is to be kept quiet too: its receiver would take silence for the end of it.
        """
        for incident in (step.incident for step in taken):
            if incident.state is not State.RESOLVED and route in heard.get(incident.number, ()):
                told = self.tell(Step(incident, incident, Occasion.REMINDER))
                line = self._line(self.alerts.section.routes[route], incident)
                content = Content(self.alerts.section.environment, Occasion.REMINDER, (told,))
                yield Sending(f"{route}:{line}", line, Occasion.REMINDER, content)

    def untold(self, taken: Sequence[Step]) -> list[Incident]:
        """New incidents that no route takes, and of which nothing says that nobody is to be told."""
        incidents = [step.incident for step in taken if step.occasion is Occasion.OPENED]
        missed = [one for one in incidents if not any(self.takes(name, one) for name in self.alerts.routes)]
        return [incident for incident in missed if not self.alerts.is_left_out(incident)]

    def takes(self, route: str, incident: Incident) -> bool:
        """Whether an incident goes that way."""
        return self.alerts.section.routes[route].when.takes(incident, self.alerts.owner_of(incident.seen.check_name))

    def _for_route(self, name: str, step: Step, look: _Look, heard: Mapping[int, Collection[str]]) -> Step | None:
        """The step as that route hears of it, None if it doesn't.

        Whatever it hears first of an incident is that it was opened; that it is over it hears only of what it knows.
        """
        has_heard = name in heard.get(step.incident.number, ())
        channel, _ = self.alerts.routes[name]
        if step.occasion is None:
            # Kept quiet, it mustn't stay open for good where a receiver keeps its state.
            is_over = has_heard and step.incident.state is State.RESOLVED
            return replace(step, occasion=Occasion.RESOLVED) if channel.keeps_states and is_over else None
        if step.occasion is Occasion.RESOLVED:
            return step if has_heard else None
        if step.occasion is Occasion.ACKNOWLEDGED:
            return step if has_heard and channel.takes_acknowledgements else None
        cause = look.incidents.get(step.incident.explained_by or "")
        if not self.takes(name, step.incident) or (cause is not None and self.takes(name, cause)):
            return None
        if not has_heard:
            return replace(step, occasion=Occasion.OPENED)
        return replace(step, occasion=Occasion.REMINDER) if step.occasion is Occasion.OPENED else step

    def _content(self, route: RouteSection, occasion: Occasion, group: Sequence[Step], look: _Look) -> Content:
        told = [
            self.tell(step, [look.incidents[cause] for cause in step.follows_from if cause in look.incidents])
            for step in group[:MOST_TOLD]
        ]
        follows = [one for step in group for one in look.explained_by.get(step.incident.seen.fingerprint, ())]
        lines = [explained(incident, self.hashing) for incident in follows[:MOST_EXPLAINED]]
        if len(follows) > MOST_EXPLAINED:
            lines.append(f"and {len(follows) - MOST_EXPLAINED:,} more; ringfence alerts list shows all")
        return Content(
            environment=self.alerts.section.environment,
            occasion=occasion,
            told=tuple(told),
            grouped_by=_in_common(route, group[0].incident, self.hashing),
            more=max(0, len(group) - MOST_TOLD),
            explains=tuple(lines),
        )

    def _groups(self, route: RouteSection, steps: Sequence[Step]) -> Mapping[tuple[str, Occasion], list[Step]]:
        groups: dict[tuple[str, Occasion], list[Step]] = defaultdict(list)
        for step in steps:
            assert step.occasion is not None
            groups[self._line(route, step.incident), step.occasion].append(step)
        return groups

    def _line(self, route: RouteSection, incident: Incident) -> str:
        """What messages of one thread have in common. It leaves the house, so it names nobody either."""
        seen = incident.seen
        hashed = self.hashing.of
        match route.group_by:
            case "asset" if seen.asset is not None:
                return cut(f"{seen.environment}:asset:{in_a_line(seen.asset)}", LINE)
            case "subject":
                return f"{seen.environment}:{seen.subject_type}:{hashed(seen.subject_id)}"
            case "affiliate" if seen.affiliate is not None:
                return f"{seen.environment}:affiliate:{hashed(seen.affiliate)}"
            case "check":
                return f"{seen.environment}:check:{seen.check_name}"
        return f"{hashed(seen.fingerprint)}:{incident.number}"


class _Look:
    """What one look took in, by fingerprint: the incidents that stand, and those that each explains."""

    def __init__(self, taken: Sequence[Step]) -> None:
        standing = [step.incident for step in taken if step.incident.state is not State.RESOLVED]
        self.incidents = {incident.seen.fingerprint: incident for incident in standing}
        self._standing = standing

    @cached_property
    def explained_by(self) -> Mapping[str, Sequence[Incident]]:
        """Incidents by the fingerprint of what explains them, the worst first."""
        explained_by: dict[str, list[Incident]] = defaultdict(list)
        for incident in self._standing:
            if incident.explained_by is not None:
                explained_by[incident.explained_by].append(incident)
        return explained_by


def _in_common(route: RouteSection, incident: Incident, hashing: Hashing) -> str:
    seen = incident.seen
    match route.group_by:
        case "asset" if seen.asset is not None:
            return f"asset {in_a_line(seen.asset)}"
        case "subject":
            return f"one {seen.subject_type}"
        case "affiliate" if seen.affiliate is not None:
            return f"affiliate {hashing.of(seen.affiliate)}"
    return seen.check_name
