"""Chats: Slack by Block Kit, Microsoft Teams by an Adaptive Card, both through an incoming webhook's address.

What belongs here: the two markups. What doesn't: what is said (``told``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.posting import as_bytes, post
from orchestration.alerts.told import Content, Told
from orchestration.connectors.secrets import Address

SLACK_TEXT, SLACK_HEADER, SLACK_BLOCKS = 3000, 150, 50
"""Slack's limits: characters of a section's text and of a header, blocks of a message."""


class ChatSettings(ChannelSettings):
    """The incoming webhook's address, which is a secret: write ``${NAME}``."""

    url: Address


class _Chat(Channel):
    settings_class: ClassVar[type[ChannelSettings]] = ChatSettings

    def __init__(self, settings: ChatSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def check(self) -> str:
        """The address is there; nothing is posted, since everybody in the channel would see it."""
        self.services.outside.secrets.fill(self.settings.url)
        return "its address is set; 'ringfence alerts test' posts to it"


class SlackChannel(_Chat):
    """Posts to Slack. Slack answers ``ok``, and knows no key: a message that is tried again may stand there twice."""

    def send(self, sending: Sending) -> None:
        """Post the message as blocks, with plain text for notifications."""
        answer = post(self.services, self.settings.url, as_bytes(slack_message(sending.content)), {})
        if answer.strip() != b"ok":
            raise ChannelError(f"Slack answered {answer[:100].decode(errors='replace')!r} instead of ok")


class TeamsChannel(_Chat):
    """Posts to a workflow of Microsoft Teams that takes Adaptive Cards."""

    def send(self, sending: Sending) -> None:
        """Post the message as a card."""
        post(self.services, self.settings.url, as_bytes(teams_message(sending.content)), {})


def slack_message(content: Content) -> dict[str, Any]:
    """The message as Block Kit wants it, within its limits."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": _cut(content.title, SLACK_HEADER), "emoji": False}}
    ]
    for told in content.told:
        blocks += [*_slack_incident(told), {"type": "divider"}]
    rest = _rest(content)
    if rest:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _cut(_escaped(rest), SLACK_TEXT)}]})
    return {"text": content.title, "blocks": blocks[:SLACK_BLOCKS]}


def _slack_incident(told: Told) -> Iterator[dict[str, Any]]:
    code = {"query", "command"}
    lines = [
        f"*{name}:* ```{_escaped(text)}```" if name in code else f"*{name}:* {_escaped(text)}"
        for name, text in told.lines()
    ]
    for text in _chunks(lines, SLACK_TEXT):
        yield {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _chunks(lines: list[str], most: int) -> Iterator[str]:
    """Lines joined into texts of at most so many characters."""
    chunk = ""
    for line in (_cut(line, most) for line in lines):
        if chunk and len(chunk) + 1 + len(line) > most:
            yield chunk
            chunk = line
        else:
            chunk = f"{chunk}\n{line}" if chunk else line
    if chunk:
        yield chunk


def teams_message(content: Content) -> dict[str, Any]:
    """The message as an Adaptive Card in the envelope that a workflow wants."""
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": content.title, "weight": "Bolder", "size": "Medium", "wrap": True}
    ]
    for told in content.told:
        facts = [{"title": name, "value": text} for name, text in told.lines()]
        body.append({"type": "FactSet", "facts": facts, "separator": True})
    if rest := _rest(content):
        body.append({"type": "TextBlock", "text": rest, "wrap": True, "isSubtle": True})
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": body,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _rest(content: Content) -> str:
    parts = [f"and {content.more:,} more; ringfence alerts list shows all"] if content.more else []
    if content.explains:
        parts.append("explains, and so isn't told by itself: " + "; ".join(content.explains))
    return "\n".join(parts)


def _escaped(text: str) -> str:
    """Text in which nothing is taken for Slack's own marks: no links, no mentions."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
