"""Lengths of time as configuration files write them: a number and a unit.

What belongs here: the one spelling. What doesn't: which lengths a setting allows.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator

_WRITTEN = re.compile(r"([0-9]+) ?(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _duration(written: Any) -> Any:
    if isinstance(written, timedelta):
        return written
    found = _WRITTEN.fullmatch(str(written))
    if found is None:
        raise ValueError("no length of time; write a number and s, m, h or d, such as 1h")
    return timedelta(**{_UNITS[found.group(2)]: int(found.group(1))})


Duration = Annotated[timedelta, BeforeValidator(_duration)]
"""A length of time such as ``90s``, ``15m``, ``4h`` or ``1d``."""
