"""Operands for the money macros and what they must come to, in Python's Decimal: the same on every engine."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from functools import wraps

from hypothesis import strategies as st

Pair = tuple[Decimal, Decimal]
LIMIT = Decimal(10) ** 20
"""Where DECIMAL(38,18) ends."""

TIES: list[Pair] = [
    (Decimal("0.5"), Decimal("0.00000001")),
    (Decimal("-0.5"), Decimal("0.00000001")),
    (Decimal("2.5"), Decimal("-0.00000003")),
    (Decimal("0.499999999999999999"), Decimal("0.00000001")),
    (Decimal("0.000000005"), Decimal("1")),
    (Decimal("0.000000004999999999"), Decimal("1")),
    (Decimal("1"), Decimal("8")),
    (Decimal("-1"), Decimal("8")),
    (Decimal("0"), Decimal("-7")),
]


def places(value: Decimal, scale: int, rounding: str = ROUND_HALF_UP) -> Decimal:
    """The value at that many places."""
    return value.quantize(Decimal(1).scaleb(-scale), rounding=rounding)


def exactly(test: Callable[..., None]) -> Callable[..., None]:
    """Run a test with enough digits for any product of two DECIMAL(38,18)."""

    @wraps(test)
    def run(*arguments: object, **named: object) -> None:
        with localcontext() as context:
            context.prec = 120
            test(*arguments, **named)

    return run


def amount(units: int, zeros: int, is_negative: bool) -> Decimal:
    """A signed amount in units of 1e-18, of which the last digits are zeros."""
    kept = units % 10 ** (38 - zeros) * 10**zeros
    return Decimal(f"{'-' if is_negative else ''}{kept}E-18")


def amounts() -> st.SearchStrategy[Decimal]:
    """Signed amounts of the whole of DECIMAL(38,18), round ones as likely as long ones."""
    units = st.one_of(*(st.integers(min_value=0, max_value=10**digits - 1) for digits in (8, 18, 28, 38)))
    return st.builds(amount, units, st.integers(min_value=0, max_value=37), st.booleans())


def pairs() -> st.SearchStrategy[list[Pair]]:
    """Batches of operands; one query a batch keeps the test fast."""
    return st.lists(st.tuples(amounts(), amounts()), min_size=1, max_size=30)


def expected_ratio(dividend: Decimal, divisor: Decimal, scale: int) -> Decimal | None:
    """The ratio as documented: operands cut to the places that leave room, null if undefined."""
    larger = max(abs(dividend), abs(divisor))
    kept = 18 if larger < Decimal("1.7e11") else 12 if larger < Decimal("1.7e17") else 9
    dividend, divisor = places(dividend, kept, ROUND_DOWN), places(divisor, kept, ROUND_DOWN)
    if divisor == 0 or abs(dividend) >= abs(divisor) * LIMIT:
        return None
    return places(dividend / divisor, scale, ROUND_DOWN if scale == 18 else ROUND_HALF_UP)
