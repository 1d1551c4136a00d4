"""Sources that tell only what is so now: which day such an answer may stand for, and how it is stamped.

What belongs here: the one rule for balances at venues and custodians, circulating supply, and whatever else has no
history to ask for. What doesn't: asking.

The rule. An answer is stamped with the moment it was given, by the source's own clock, and never with the end of the
day it is delivered for: money that moved in between would count twice or not at all, and nobody could see it. It is
delivered for day D if D ended no longer than ``grace_hours`` ago; the warehouse then takes it for the closing balance
of D (a snapshot belongs to the day of its stamp, at the latest to the day it was delivered for) and rolls it forward
between the stamps as they are. Later than that D stays missing: it can't be had any more, and what is so today is no
evidence of it. The days after D don't wait for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from orchestration.connectors.base import Order, Services
from orchestration.connectors.errors import AnswerError, TooLateError

GraceHours = Annotated[float, Field(gt=0, le=24)]
"""How long after a day's end an answer of the present may stand for it; a key of such sources, ``grace_hours``."""

DEFAULT_GRACE_HOURS = 6.0
_CLOCKS_DIFFER = timedelta(minutes=5)


def require_in_time(order: Order, services: Services, grace_hours: float, what: str) -> None:
    """Raise TooLateError unless the day asked for ended at most ``grace_hours`` ago; ``what`` is asked for, in words.

    To be called before anything is asked: a pull that comes too late costs nothing.
    """
    if services.clock.now() > order.until + timedelta(hours=grace_hours):
        raise TooLateError(
            f"{what} can only be had as they are now, and {order.day} ended more than {grace_hours:g} hours ago",
            "the day stays missing for this source; schedule the pull right after midnight (UTC), or raise grace_hours",
        )


def stamp(
    order: Order, moment: datetime, grace_hours: float, place: str, *, oldest: timedelta = _CLOCKS_DIFFER
) -> datetime:
    """``moment``, when the source says that its answer was true, if the answer may stand for the order's day.

    ``oldest`` is how long before the day's end it may be; by default as much as two clocks may differ. Raises
    AnswerError for an answer that is older (a cache, a clock that is off) or later than the grace allows.
    """
    if moment < order.until - oldest:
        raise AnswerError(
            f"{place} is of {moment:%Y-%m-%d %H:%M:%S}, before the end of {order.day}",
            "see whether the source's clock is right and its answer isn't an old one",
        )
    if moment > order.until + timedelta(hours=grace_hours) + _CLOCKS_DIFFER:
        raise AnswerError(
            f"{place} is of {moment:%Y-%m-%d %H:%M:%S}, more than {grace_hours:g} hours after the end of {order.day}",
            "see whether the source's clock is right",
        )
    return moment
