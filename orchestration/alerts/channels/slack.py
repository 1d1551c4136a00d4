"""Slack, by Block Kit through an incoming webhook.

What belongs here: Slack's markup and limits (https://docs.slack.dev/reference/block-kit). What doesn't: what is said
(``told``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.fitting import besides, cut, fitting, is_link
from orchestration.alerts.channels.posting import PostingSettings, as_bytes, post, reach
from orchestration.alerts.told import Content, Told
from orchestration.connectors.secrets import Address

TEXT, HEADER, BLOCKS = 3000, 150, 50
"""Slack's limits: characters of a section's text and of a header, blocks of a message."""
CHARACTERS = 12_000
"""Of all blocks together; undocumented. Slack refuses some 13,200 as msg_blocks_too_long (slackapi/bolt-js#2509)."""

_CODE = ("query", "command")
_LOOK_ALIKES = str.maketrans({"*": "∗", "~": "∼", "`": "ˋ"})
_LOOSE_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


class SlackSettings(PostingSettings):
    """The incoming webhook's address, which is a secret: write ``${NAME}``."""

    url: Address


class SlackChannel(Channel):
    """Posts to Slack. Slack answers ``ok``, and knows no key: a message that is tried again may stand there twice."""

    settings_class: ClassVar[type[ChannelSettings]] = SlackSettings

    def __init__(self, settings: SlackSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Post the message as blocks, with plain text for notifications."""
        body = as_bytes(slack_message(sending.content, sending.key))
        answer = post(self.services, self.settings.url, body, seconds=self.settings.seconds)
        if answer.strip() != b"ok":
            said = self.services.outside.secrets.redact(answer.decode(errors="replace"))
            raise ChannelError(f"Slack answered {said[:100]!r} instead of ok")

    def check(self) -> str:
        """Slack can be reached; nothing is posted, since everybody in the channel would see it."""
        return f"{reach(self.services, self.settings.url, self.settings.seconds)} can be reached"


def slack_message(content: Content, key: str) -> dict[str, Any]:
    """The message as Block Kit wants it, within its limits."""
    return fitting(content, partial(_message, key=key), _fits)


def _message(content: Content, key: str) -> dict[str, Any]:
    header = {"type": "plain_text", "text": cut(content.title, HEADER), "emoji": False}
    blocks: list[dict[str, Any]] = [{"type": "header", "text": header}]
    for told in content.told:
        blocks += [*_incident(told), {"type": "divider"}]
    rest = [text for text in (besides(content), f"message {key}") if text]
    blocks.append({"type": "context", "elements": [_marked_down(plain(text)) for text in rest]})
    # Slack reads the text of a notification as markup too.
    return {"text": plain(cut(content.title, HEADER)), "blocks": blocks}


def _fits(message: dict[str, Any]) -> bool:
    texts = [block["text"]["text"] for block in message["blocks"] if "text" in block]
    texts += [element["text"] for block in message["blocks"] for element in block.get("elements", ())]
    is_short = all(len(text) <= TEXT for text in texts)
    return is_short and len(message["blocks"]) <= BLOCKS and sum(map(len, texts)) <= CHARACTERS


def _incident(told: Told) -> Iterator[dict[str, Any]]:
    chunk = ""
    for line in (f"*{name}:* {_value(name, text)}" for name, text in told.lines()):
        if chunk and len(chunk) + 1 + len(line) > TEXT:
            yield {"type": "section", "text": _marked_down(chunk)}
            chunk = ""
        chunk = f"{chunk}\n{line}" if chunk else line
    yield {"type": "section", "text": _marked_down(chunk)}


def _value(name: str, text: str) -> str:
    if name in _CODE:
        return f"```{_escaped(text.replace('```', 'ˋˋˋ'))}```"
    if name == "runbook" and is_link(text):
        return f"<{_escaped(text)}>"
    return plain(text)


def _marked_down(text: str) -> dict[str, Any]:
    # Verbatim: no name of a channel or person in it becomes a link that calls somebody.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def plain(text: str) -> str:
    """Text in which nothing is taken for Slack's own marks: no links, no mentions, no formatting."""
    return _escaped(_LOOSE_UNDERSCORE.sub("＿", text.translate(_LOOK_ALIKES)))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
