"""Microsoft Teams, by an Adaptive Card through the address of a workflow (or of an incoming webhook).

What belongs here: the card and its limits (https://adaptivecards.io/explorer, Microsoft's pages on incoming webhooks).
What doesn't: what is said (``told``).
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.fitting import besides, fitting, is_link
from orchestration.alerts.channels.posting import PostingSettings, as_bytes, post, reach
from orchestration.alerts.told import Content
from orchestration.connectors.secrets import Address

BYTES = 20_000
"""Microsoft says 28 KB; what others send was refused from 21,000 bytes on."""
BUTTONS = 4
_CODE = ("query", "command")


class TeamsSettings(PostingSettings):
    """The workflow's address, which is a secret: write ``${NAME}``."""

    url: Address


class TeamsChannel(Channel):
    """Posts to a workflow of Microsoft Teams. Teams knows no key: what is tried again may stand there twice."""

    settings_class: ClassVar[type[ChannelSettings]] = TeamsSettings

    def __init__(self, settings: TeamsSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Post the message as a card."""
        body = as_bytes(teams_message(sending.content, sending.key))
        answer = post(self.services, self.settings.url, body, seconds=self.settings.seconds)
        if b"delivery failed" in answer:  # an incoming webhook says so with the status of success
            said = self.services.outside.secrets.redact(answer.decode(errors="replace"))
            raise ChannelError(f"Teams didn't take it: {said[:200]}")

    def check(self) -> str:
        """Teams can be reached; nothing is posted, since everybody in the channel would see it."""
        return f"{reach(self.services, self.settings.url, self.settings.seconds)} can be reached"


def teams_message(content: Content, key: str) -> dict[str, Any]:
    """The message as an Adaptive Card in the envelope that a workflow wants, within the limit of its size."""
    return fitting(content, partial(_message, key=key), lambda message: len(as_bytes(message)) <= BYTES)


def _message(content: Content, key: str) -> dict[str, Any]:
    body = [_line(content.title, weight="Bolder", size="Medium")]
    for told in content.told:
        lines = [_line(text, f"{name}: ", is_code=name in _CODE) for name, text in told.lines()]
        body += [{**lines[0], "separator": True, "spacing": "Medium"}, *lines[1:]]
    if rest := besides(content):
        body.append({**_line(rest, isSubtle=True), "separator": True})
    body.append(_line(f"message {key}", isSubtle=True, size="Small"))
    runbooks = dict.fromkeys(told.runbook for told in content.told if is_link(told.runbook))
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": body,
        "actions": [
            {"type": "Action.OpenUrl", "title": "Runbook", "url": address} for address in [*runbooks][:BUTTONS]
        ],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _line(text: str, name: str = "", *, is_code: bool = False, **style: Any) -> dict[str, Any]:
    """Runs of text, in which nothing is markup: the text of a TextBlock and a FactSet would be Markdown."""
    font = {"fontType": "Monospace"} if is_code else {}
    runs = [{"type": "TextRun", "text": name, "weight": "Bolder"}] if name else []
    return {"type": "RichTextBlock", "inlines": [*runs, {"type": "TextRun", "text": text, **font, **style}]}
