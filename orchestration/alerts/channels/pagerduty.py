"""PagerDuty, by its Events API v2: an alert is triggered, acknowledged and resolved under one name.

What belongs here: PagerDuty's event and limits (https://developer.pagerduty.com/docs/events-api-v2-overview). What
doesn't: what is said (``told``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.fitting import besides, cut, fitting, is_link
from orchestration.alerts.channels.posting import PostingSettings, as_bytes, post, reach
from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Content
from orchestration.checks import Severity
from orchestration.connectors.secrets import Address, VariableName

BYTES, SUMMARY, DEDUP_KEY, ROUTING_KEY = 512_000, 1024, 255, 32
"""PagerDuty's limits: bytes of an event, characters of its summary and of both keys."""

_ACTIONS = {Occasion.ACKNOWLEDGED: "acknowledge", Occasion.RESOLVED: "resolve"}
_ADDRESSES = {"us": "https://events.pagerduty.com/v2/enqueue", "eu": "https://events.eu.pagerduty.com/v2/enqueue"}

PagerDutySeverity = Literal["critical", "error", "warning", "info"]


class PagerDutySettings(PostingSettings):
    """The variable with the integration's key, where the account is, and what our severities are called there."""

    routing_key_variable: VariableName
    region: Literal["us", "eu"] = "us"
    url: Address | None = None
    severities: Mapping[Severity, PagerDutySeverity] = {}


class PagerDutyChannel(Channel):
    """Pages. A repeat under the same name is added to the alert that stands.

    While that is acknowledged nobody is paged again, whatever is sent. A test stays open until somebody resolves it.
    """

    settings_class: ClassVar[type[ChannelSettings]] = PagerDutySettings
    takes_acknowledgements: ClassVar[bool] = True
    keeps_states: ClassVar[bool] = True

    def __init__(self, settings: PagerDutySettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    @property
    def _address(self) -> str:
        return self.settings.url or _ADDRESSES[self.settings.region]

    def send(self, sending: Sending) -> None:
        """Trigger, acknowledge or resolve the incident's alert."""
        event = self._event(sending, self._routing_key())
        answer = post(self.services, self._address, as_bytes(event), seconds=self.settings.seconds)
        try:
            is_taken = json.loads(answer)["status"] == "success"
        except (ValueError, KeyError, TypeError):
            is_taken = False
        if not is_taken:
            said = self.services.outside.secrets.redact(answer.decode(errors="replace"))
            raise ChannelError(f"PagerDuty answered {said[:100]!r} instead of success")

    def check(self) -> str:
        """PagerDuty can be reached and the key may be one; nothing is sent, since it would page somebody."""
        self._routing_key()
        return f"{reach(self.services, self._address, self.settings.seconds)} can be reached, the key has its length"

    def _routing_key(self) -> str:
        name = self.settings.routing_key_variable
        key = self.services.outside.secrets.read(name)
        if len(key) != ROUTING_KEY:
            raise ChannelError(
                f"{name} holds no key of an Events API v2 integration: those have {ROUTING_KEY} characters",
                is_final=True,
            )
        return key

    def _event(self, sending: Sending, routing_key: str) -> dict[str, Any]:
        line = sending.line
        event: dict[str, Any] = {
            "routing_key": routing_key,
            "event_action": _ACTIONS.get(sending.occasion, "trigger"),
            "dedup_key": line if len(line) <= DEDUP_KEY else hashlib.sha256(line.encode()).hexdigest(),
        }
        if sending.occasion in _ACTIONS:
            return event

        def triggered(content: Content) -> dict[str, Any]:
            return event | self._triggered(content, sending.key)

        return fitting(sending.content, triggered, lambda built: len(as_bytes(built)) <= BYTES)

    def _triggered(self, content: Content, key: str) -> dict[str, Any]:
        first = content.told[0]
        details = dict(first.lines())
        if rest := "\n\n".join([*(one.text() for one in content.told[1:]), *filter(None, [besides(content)])]):
            details["besides"] = rest
        severity = Severity(first.severity)
        return {
            "payload": {
                "summary": cut(f"{content.title}: {first.what} {first.how_much}", SUMMARY),
                "source": content.environment,
                "severity": self.settings.severities.get(severity, severity.value),
                "component": first.affected,
                "group": first.asset or first.category_name,
                "class": first.check_name,
                "custom_details": {**details, "message": key},
            },
            "client": "Ringfence",
            **({"links": [{"href": first.runbook, "text": "Runbook"}]} if is_link(first.runbook) else {}),
        }
