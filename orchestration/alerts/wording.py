"""Which messages a look is worth: for each route what it takes, told together where it wants that.

What belongs here: routing and grouping. What doesn't: how one incident reads (``told``), sending (``outbox``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from orchestration.alerts.configuration import AlertsSection, RouteSection
from orchestration.alerts.incidents import Incident, Occasion, Step
from orchestration.alerts.store import Draft
from orchestration.alerts.told import Content, Told

MOST_TOLD = 10
"""So many incidents are told in one message one by one; the others are counted."""


def drafts(
    taken: Sequence[Step],
    alerts: AlertsSection,
    owner_of: Callable[[Incident], str],
    tell: Callable[[Step], Told],
) -> Iterator[Draft]:
    """The messages of one look, route by route; within a message the worst comes first, as in ``taken``."""
    speaking = [step for step in taken if step.occasion is not None]
    for name, route in alerts.routes.items():
        chosen = [step for step in speaking if route.when.takes(step.incident, owner_of(step.incident))]
        for (line, occasion), group in _groups(route, chosen).items():
            told = tuple(tell(step) for step in group[:MOST_TOLD])
            content = Content(
                environment=alerts.environment,
                occasion=occasion,
                told=told,
                grouped_by=_in_common(route, group[0].incident),
                more=max(0, len(group) - MOST_TOLD),
            )
            yield Draft(name, line, occasion, content.as_json(), tuple(step.incident.number for step in group))


def _groups(route: RouteSection, steps: Sequence[Step]) -> Mapping[tuple[str, Occasion], list[Step]]:
    groups: dict[tuple[str, Occasion], list[Step]] = defaultdict(list)
    for step in steps:
        assert step.occasion is not None
        groups[_line(route, step.incident), step.occasion].append(step)
    return groups


def _line(route: RouteSection, incident: Incident) -> str:
    """What messages of one thread have in common."""
    seen = incident.seen
    match route.group_by:
        case "asset" if seen.asset is not None:
            return f"{seen.environment}:asset:{seen.asset}"
        case "subject":
            return f"{seen.environment}:{seen.subject_type}:{seen.subject_id}"
        case "check":
            return f"{seen.environment}:check:{seen.check_name}"
    return f"{seen.fingerprint}:{incident.number}"


def _in_common(route: RouteSection, incident: Incident) -> str:
    seen = incident.seen
    match route.group_by:
        case "asset" if seen.asset is not None:
            return f"asset {seen.asset}"
        case "subject":
            return f"one {seen.subject_type}"
        case "check":
            return seen.check_name
    return seen.check_name
