"""Text of an amount to an exact decimal that the landing contract can hold, or the reason why not.

What belongs here: one rule for what counts as a number, shared by every importer. What doesn't: layouts of files.
"""

from __future__ import annotations

import re
from decimal import ROUND_HALF_EVEN, Context, Decimal

CONTRACT_PLACES = 18
CONTRACT_INTEGER_DIGITS = 20
EXACT = Context(prec=120)
"""Every sum and product of importers uses this context: the default one rounds at 28 digits."""

_SMALLEST_UNIT = Decimal(1).scaleb(-CONTRACT_PLACES)
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?")
_GROUPED = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d*)?")
_MINUS_SIGN = "\N{MINUS SIGN}"


class AmountError(ValueError):
    """The text is no amount that the contract can hold; the message says why."""


def parse_amount(text: str, *, round_to_contract: bool = False) -> Decimal:
    """Read an amount exactly, as a decimal with 18 places.

    Scientific notation and thousands separators are read; trailing zeros beyond 18 places carry no information and
    are dropped. More than 18 significant places can't be held: AmountError, or, with ``round_to_contract``, rounded
    half to even. Raises AmountError too for text that is no number and for 10^20 or more.
    """
    cleaned = text.strip().replace(_MINUS_SIGN, "-")
    if not cleaned:
        raise AmountError("the amount is missing")
    if _GROUPED.fullmatch(cleaned):
        cleaned = cleaned.replace(",", "")
    if not _NUMBER.fullmatch(cleaned):
        raise AmountError(f"{_shortened(text)!r} is not a number")
    exact = Decimal(cleaned)
    if exact and exact.adjusted() >= CONTRACT_INTEGER_DIGITS:
        raise AmountError(f"the amount {_shortened(text)!r} has more than {CONTRACT_INTEGER_DIGITS} digits")
    held = exact.quantize(_SMALLEST_UNIT, rounding=ROUND_HALF_EVEN, context=EXACT)
    if held != exact and not round_to_contract:
        raise AmountError(
            f"the amount {_shortened(text)!r} has more than {CONTRACT_PLACES} significant places, which would have to"
            " be rounded"
        )
    return held if held else abs(held)


def plain_text(amount: Decimal) -> str:
    """The amount without an exponent and without trailing zeros, for messages."""
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
