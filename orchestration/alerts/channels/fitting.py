"""Making a message as short as a receiver takes it, and no shorter.

What belongs here: what is cut, in which order. What doesn't: any receiver's limits or markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

from orchestration.alerts.channels.base import ChannelError
from orchestration.alerts.told import Content, Told

_LENGTHS = (4000, 2000, 1000, 600, 400, 250, 150, 100, 80, 60)
"""How long the parts of an incident may be, tried in turn; after that fewer incidents are told."""
_LONG = (
    "asset",
    "what",
    "how_much",
    "since",
    "affected",
    "changed",
    "query",
    "command",
    "owner",
    "runbook",
    "follows_from",
)
_EXPLAINED = 10
_T = TypeVar("_T")


def fitting(content: Content, build: Callable[[Content], _T], fits: Callable[[_T], bool]) -> _T:
    """What ``build`` makes of the content, or of as little less of it as ``fits``."""
    for shorter in _shorter(content):
        built = build(shorter)
        if fits(built):
            return built
    raise ChannelError("the message is too long however it is cut; shorten environment and runbook", is_final=True)


def _shorter(content: Content) -> Iterator[Content]:
    yield content
    for most in _LENGTHS:
        yield _with_parts_of(content, most)
    shortest = _with_parts_of(content, _LENGTHS[-1])
    for number in range(len(content.told) - 1, 0, -1):
        yield replace(shortest, told=shortest.told[:number], more=content.more + len(content.told) - number)


def _with_parts_of(content: Content, most: int) -> Content:
    explains = content.explains
    if len(explains) > _EXPLAINED:
        explains = (*explains[:_EXPLAINED], f"and {len(explains) - _EXPLAINED:,} more")
    told = tuple(_told(one, most) for one in content.told)
    return replace(content, told=told, explains=tuple(cut(one, most) for one in explains))


def _told(told: Told, most: int) -> Told:
    shorter: dict[str, Any] = {name: cut(text, most) for name in _LONG if (text := getattr(told, name)) is not None}
    return replace(told, **shorter)


def cut(text: str, most: int) -> str:
    """The text, with its end left out if it is longer than so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def besides(content: Content) -> str:
    """What a message says besides its incidents: how many more there are, and what they explain."""
    parts = [f"and {content.more:,} more; ringfence alerts list shows all"] if content.more else []
    if content.explains:
        parts.append("explains, and so isn't told by itself: " + "; ".join(content.explains))
    return "\n".join(parts)


def is_link(text: str) -> bool:
    """Whether a text is an address that a browser opens."""
    return text.startswith(("https://", "http://")) and not set(text) & set(" <>\"'|…")
