"""Exact arithmetic for the oracle: one wide context, one rounding rule.

What belongs here: rounding and ratios. What doesn't: any rule of the exchange.
"""

from __future__ import annotations

import decimal
from collections.abc import Callable, Iterable
from decimal import ROUND_HALF_UP, Decimal
from functools import wraps
from typing import ParamSpec, TypeVar

CONTEXT = decimal.Context(prec=150, rounding=ROUND_HALF_UP, Emax=999999, Emin=-999999)

P = ParamSpec("P")
R = TypeVar("R")
ZERO = Decimal(0)
ONE = Decimal(1)
HUNDRED = Decimal(100)


def exactly(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in the wide context: the default one cuts sums at 28 digits without a word."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with decimal.localcontext(CONTEXT):
            return function(*args, **kwargs)

    return wrapper


def rounded(value: Decimal, places: int) -> Decimal:
    """The value at ``places`` places, half away from zero."""
    with decimal.localcontext(CONTEXT):
        return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def value_usd(quantity: Decimal, price: Decimal | None) -> Decimal | None:
    """DOMAIN.md section 5: quantity x price rounded half up to 8 places; None without a price."""
    if price is None:
        return None
    with decimal.localcontext(CONTEXT):
        return rounded(quantity * price, 8)


def product(*factors: Decimal) -> Decimal:
    """The exact product of the factors."""
    with decimal.localcontext(CONTEXT):
        result = ONE
        for factor in factors:
            result *= factor
        return result


def quotient(numerator: Decimal, denominator: Decimal) -> Decimal:
    """The quotient to 150 digits; raise ZeroDivisionError if the denominator is zero."""
    with decimal.localcontext(CONTEXT):
        return numerator / denominator


def square_root(value: Decimal) -> Decimal:
    """The square root to 150 digits."""
    with decimal.localcontext(CONTEXT):
        return value.sqrt()


def total(values: Iterable[Decimal | None]) -> Decimal:
    """The exact sum; None counts as nothing."""
    with decimal.localcontext(CONTEXT):
        result = ZERO
        for value in values:
            if value is not None:
                result += value
        return result
