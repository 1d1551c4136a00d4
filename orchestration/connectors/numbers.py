"""Numbers and moments as interfaces write them, exactly or not at all; and arithmetic that rounds only where it says.

What belongs here: reading single values, and the roundings of prices and statistics. What doesn't: amounts of money,
which are never rounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

from orchestration.connectors.errors import AnswerError

PRICE, VOLUME, STATISTIC = Decimal(1).scaleb(-18), Decimal(1).scaleb(-8), Decimal(1).scaleb(-18)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_EPOCH = datetime(1970, 1, 1)
_MOST_DIGITS = 120


def number_of(value: Any, place: str) -> Decimal:
    """A number written as text, or one that was read exactly; raise AnswerError for anything else, floats included."""
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return Decimal(value)
    if isinstance(value, str) and len(value) <= _MOST_DIGITS and _NUMBER.fullmatch(value):
        return Decimal(value)
    raise AnswerError(f"{place} is {_shown(value)}, which is no number", "see what the source says there")


def moment_of(milliseconds: Any, place: str) -> datetime:
    """A moment in milliseconds since 1970 (UTC), without a zone; raise AnswerError if it is none."""
    count = number_of(milliseconds, place)
    try:
        moment = _EPOCH + timedelta(microseconds=int(count * 1000))
    except OverflowError:
        moment = _EPOCH
    if moment.year < 2000 or moment.year > 2200:
        raise AnswerError(f"{place} is {_shown(milliseconds)}, which is no time in milliseconds", "see what it says")
    return moment


def milliseconds_of(moment: datetime) -> int:
    """Milliseconds since 1970 of a moment in UTC without a zone."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


@contextmanager
def exactly() -> Iterator[None]:
    """Decimal arithmetic with room for every digit of a product, in this block."""
    with localcontext(prec=200):
        yield


def rounded(value: Decimal, step: Decimal) -> Decimal:
    """Half up to a multiple of ``step``."""
    with exactly():
        return value.quantize(step, ROUND_HALF_UP)


def _shown(value: Any) -> str:
    return repr(value)[:60]
