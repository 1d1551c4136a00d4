"""Which incidents somebody means: by number, or by what they have in common.

What belongs here: the choice. What doesn't: what is done with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from orchestration.alerts.incidents import Category, Incident, State
from orchestration.alerts.wording import Wording
from orchestration.checks import Severity
from orchestration.errors import ConfigurationError
from orchestration.keyed_hashes import Hashing


@dataclass(frozen=True, slots=True)
class Choice:
    """What incidents must have; what is empty excludes none.

    ``subjects`` are identifiers, or their keyed hashes as messages have them; ``route`` is one that takes them.
    """

    numbers: tuple[int, ...] = ()
    checks: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    categories: tuple[Category, ...] = ()
    states: tuple[State, ...] = ()
    route: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it means all there are."""
        return not any(getattr(self, field.name) for field in fields(self))

    def among(self, incidents: Sequence[Incident], wording: Wording) -> list[Incident]:
        """Those that are meant; raise ConfigurationError for a number or a route that there isn't."""
        for number in sorted(set(self.numbers) - {incident.number for incident in incidents}):
            raise ConfigurationError(f"no incident {number} stands; 'ringfence alerts list' shows those that do")
        routes = wording.alerts.section.routes
        if self.route and self.route not in routes:
            raise ConfigurationError(f"no route is named {self.route}; there are {', '.join(routes)}")
        return [
            incident
            for incident in incidents
            if self._has(incident, wording.hashing) and (not self.route or wording.takes(self.route, incident))
        ]

    def _has(self, incident: Incident, hashing: Hashing) -> bool:
        seen = incident.seen
        wanted = (
            (self.numbers, incident.number),
            (self.checks, seen.check_name),
            (self.assets, seen.asset),
            (self.severities, seen.severity),
            (self.categories, seen.category),
            (self.states, incident.state),
        )
        names = (seen.subject_id, hashing.of(seen.subject_id))
        is_subject = not self.subjects or any(name in self.subjects for name in names)
        return is_subject and all(not listed or value in listed for listed, value in wanted)
