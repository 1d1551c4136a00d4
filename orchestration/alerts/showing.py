"""One incident as it is shown to whoever may read the warehouse: everything, names too.

What belongs here: putting together what is known of it, as text and as JSON. What doesn't: messages (``told``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from orchestration.alerts.incidents import Incident
from orchestration.alerts.store import Message, Store
from orchestration.alerts.wording import Wording


@dataclass(frozen=True, slots=True)
class Shown:
    """An incident, its messages, the numbers of incidents that it explains and of the one that explains it."""

    incident: Incident
    messages: Sequence[Message]
    explains: Sequence[int]
    explained_by: int | None
    command: str
    owner: str
    runbook: str

    def lines(self) -> list[str]:
        """The whole as text."""
        incident, seen = self.incident, self.incident.seen
        stake = "not priced" if seen.impact_usd is None else f"{seen.impact_usd:,f} USD"
        lines = [
            f"incident {incident.number}: {seen.check_name}, {seen.subject_type} {seen.subject_id}"
            f" {seen.asset or ''}".rstrip(),
            f"  {seen.message}",
            f"  {incident.state.value}, {seen.severity.value}, {seen.category.value}, since {seen.since},"
            f" last seen for {seen.day}",
            f"  observed {seen.observed}, expected {seen.expected}, at stake {stake}",
        ]
        if incident.acknowledged_by:
            lines.append(
                f"  acknowledged by {incident.acknowledged_by} at {incident.acknowledged_at:%Y-%m-%d %H:%M} UTC"
            )
        if incident.silenced_until:
            lines.append(f"  silenced until {incident.silenced_until:%Y-%m-%d %H:%M} UTC")
        if seen.affiliate:
            lines.append(f"  concerns affiliate {seen.affiliate}")
        if self.explained_by is not None:
            lines.append(f"  explained by incident {self.explained_by}")
        if self.explains:
            lines.append(f"  explains incidents {', '.join(map(str, self.explains))}")
        lines.append(f"  owner {self.owner}" + (f", runbook {self.runbook}" if self.runbook else ""))
        if seen.evidence:
            lines += [f"  evidence: {seen.evidence}", f"  command: {self.command}"]
        return [*lines, "", *(f"  {_line(message)}" for message in self.messages)]

    def as_json(self) -> str:
        """The whole as JSON; amounts are exact text, times ISO 8601 in UTC."""
        content = {
            **asdict(self.incident),
            "messages": [{**asdict(message), "body": json.loads(message.body)} for message in self.messages],
            "explains": list(self.explains),
            "explained_by": self.explained_by,
            "command": self.command,
            "owner": self.owner,
            "runbook": self.runbook,
        }
        return json.dumps(content, indent=2, ensure_ascii=False, default=_text)


def shown(store: Store, number: int, wording: Wording) -> Shown:
    """What is known of an incident; raise ConfigurationError if there is none of that number."""
    incident, messages, standing = store.incident(number), store.messages(number), store.incidents()
    seen = incident.seen
    query = (seen.evidence or "").replace('"', '\\"')
    return Shown(
        incident=incident,
        messages=messages,
        explains=sorted(one.number for one in standing if one.explained_by == seen.fingerprint),
        explained_by=next((one.number for one in standing if one.seen.fingerprint == incident.explained_by), None),
        command=f'ringfence query --warehouse {wording.warehouse} "{query}"',
        owner=wording.alerts.owner_of(seen.check_name),
        runbook=wording.alerts.runbook_of(seen.check_name),
    )


def _line(message: Message) -> str:
    sent = f"sent {message.sent_at:%Y-%m-%d %H:%M}" if message.sent_at else f"waiting: {message.last_error or 'due'}"
    return f"{message.created_at:%Y-%m-%d %H:%M} {message.occasion.value} to {message.route}: {sent}"


def _text(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    assert isinstance(value, (date, datetime))
    return value.isoformat()
