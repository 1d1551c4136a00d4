"""Which messages a look is worth: for each route what it takes, told together where it wants that.

What belongs here: routing and grouping. What doesn't: how one incident reads (``told``), sending (``outbox``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from orchestration.alerts.configuration import Alerts, RouteSection
from orchestration.alerts.incidents import Incident, Occasion, Step
from orchestration.alerts.store import Draft
from orchestration.alerts.told import Content, Told

MOST_TOLD = 10
"""So many incidents are told in one message one by one; the others are counted."""


def drafts(taken: Sequence[Step], alerts: Alerts, tell: Callable[[Step], Told]) -> Iterator[Draft]:
    """The messages of one look, route by route; within a message the worst comes first, as in ``taken``."""
    for name, route in alerts.section.routes.items():
        chosen = [step for step in taken if _goes_to(name, step, alerts)]
        for (line, occasion), group in _groups(route, chosen).items():
            told = tuple(tell(step) for step in group[:MOST_TOLD])
            content = Content(
                environment=alerts.section.environment,
                occasion=occasion,
                told=told,
                grouped_by=_in_common(route, group[0].incident),
                more=max(0, len(group) - MOST_TOLD),
            )
            yield Draft(name, line, occasion, content.as_json(), tuple(step.incident.number for step in group))


def _goes_to(name: str, step: Step, alerts: Alerts) -> bool:
    if step.occasion is None:
        return False
    channel, _ = alerts.routes[name]
    if step.occasion is Occasion.ACKNOWLEDGED and not channel.takes_acknowledgements:
        return False
    return alerts.section.routes[name].when.takes(step.incident, alerts.owner_of(step.incident.seen.check_name))


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
