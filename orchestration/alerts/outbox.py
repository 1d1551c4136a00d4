"""Sending what waits in the outbox until a receiver has taken it: at least once, in order, never lost.

What belongs here: when something is tried again, and what becomes of it. What doesn't: what a receiver wants
(``channels``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.alerts.channels.base import Channel, Sending
from orchestration.alerts.store import LONGEST_WAIT, Message, Store
from orchestration.alerts.told import Content
from orchestration.errors import RingfenceError
from orchestration.progress import report

FIRST_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of one message: taken, or why not and when it is tried again."""

    message: Message
    error: str | None = None
    due_at: datetime | None = None


def deliver(
    store: Store,
    channels: Mapping[str, Channel],
    now: Callable[[], datetime],
    redact: Callable[[str], str] = lambda text: text,
) -> list[Delivered]:
    """Try every message that is due, once. A receiver that fails holds up its own line only.

    A message whose route the configuration no longer has waits until it has it again.
    """
    tried: list[Delivered] = []
    done: set[int] = set()
    while due := [message for message in store.due_messages(now()) if message.number not in done]:
        done |= {message.number for message in due}
        tried += [_try(store, channels, message, now, redact) for message in due]
    return tried


def _try(
    store: Store,
    channels: Mapping[str, Channel],
    message: Message,
    now: Callable[[], datetime],
    redact: Callable[[str], str],
) -> Delivered:
    report("alerting", f"{message.route}, message {message.number}")
    channel = channels.get(message.route)
    try:
        if channel is None:
            raise RingfenceError(f"no route is named {message.route} any more; name it again, or resend elsewhere")
        channel.send(Sending(message.key, message.line, message.occasion, Content.read(message.body)))
    except Exception as error:  # noqa: BLE001 (whatever fails, the message stays, and the others go out)
        asked = timedelta(seconds=getattr(error, "retry_after", None) or 0)
        due_at = now() + max(wait_after(message.attempts), min(asked, LONGEST_WAIT))
        what = str(error) if isinstance(error, RingfenceError) else f"{type(error).__name__}: {error}"
        told = redact(what)
        store.mark_failed(message, told, due_at)
        return Delivered(message, told, due_at)
    store.mark_sent(message, now())
    return Delivered(message)


def wait_after(attempts: int) -> timedelta:
    """How long to wait after so many attempts before: a minute, doubled each time, an hour at most."""
    doublings = min(attempts, 10)
    return min(LONGEST_WAIT, FIRST_WAIT * (1 << doublings))
