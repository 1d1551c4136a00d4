"""Values as JSON-RPC writes them, read strictly: what is missing, cut or garbled is an error and never a zero.

What belongs here: hexadecimal to numbers, bytes and addresses, and whole units to amounts. What doesn't: where they
come from.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from orchestration.connectors.errors import AnswerError

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HASH = re.compile(r"0x[0-9a-fA-F]{64}")
_REMEDY = "ask another node; nothing of it was taken"


def quantity(value: Any, place: str) -> int:
    """A whole number; raise AnswerError, naming ``place``, if it is none."""
    return int(_matched(_QUANTITY, value, place, "number"), 16)


def data(value: Any, place: str) -> bytes:
    """Bytes, possibly none; raise AnswerError if it is cut within one or is something else."""
    return bytes.fromhex(_matched(_DATA, value, place, "data")[2:])


def address(value: Any, place: str) -> str:
    """An address in lower case."""
    return _matched(_ADDRESS, value, place, "address").lower()


def hash_(value: Any, place: str) -> str:
    """A hash of 32 bytes in lower case."""
    return _matched(_HASH, value, place, "hash").lower()


def word(value: bytes, place: str) -> int:
    """A uint256 of exactly 32 bytes, as a call answers it; raise AnswerError for any other length."""
    if len(value) != 32:
        what = f"{len(value)} bytes where one number of 32 belongs" if value else "nothing (is there a contract?)"
        raise AnswerError(f"{place}: {what}", "see whether the contract is the token's on this network")
    return int.from_bytes(value, "big")


def mapping(value: Any, place: str) -> dict[str, Any]:
    """A JSON object; raise AnswerError if it is none."""
    if not isinstance(value, dict):
        raise AnswerError(f"{place} is missing or no object", _REMEDY)
    return value


def sequence(value: Any, place: str) -> list[Any]:
    """A JSON list; raise AnswerError if it is none."""
    if not isinstance(value, list):
        raise AnswerError(f"{place} is missing or no list", _REMEDY)
    return value


def amount(units: int, decimals: int) -> str:
    """Whole units as text of the asset's own unit, exact however large: 1500000 with 6 decimals is 1.500000."""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    sign, whole, fraction = "-" if units < 0 else "", digits[: len(digits) - decimals], digits[len(digits) - decimals :]
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def moment(seconds: int) -> str:
    """A block's time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _matched(pattern: re.Pattern[str], value: Any, place: str, what: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        shown = "missing" if value is None else f"no {what} ({str(value)[:40]!r})"
        raise AnswerError(f"{place} is {shown}", _REMEDY)
    return value
