"""Exact conversions and the reference price, against plain Python."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestration.simulate.columns import decimals, numbered
from orchestration.simulate.prices import reference_prices

UNITS = st.integers(min_value=-(2**62), max_value=2**62)


@given(st.lists(st.tuples(UNITS, st.integers(2, 18), st.integers(-(2**62), 2**62)), min_size=1, max_size=20))
def test_decimals_lose_nothing(rows: list[tuple[int, int, int]]) -> None:
    units, places, tails = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    expected = [_exact(*row) for row in rows]
    assert decimals(units, places, tails).to_pylist() == expected


def _exact(unit: int, places: int, tail: int) -> Decimal:
    whole = unit * 10 ** (18 - places) + tail
    digits = tuple(int(digit) for digit in str(abs(whole)))
    return Decimal((int(whole < 0), digits, -18))


def test_identifiers_keep_their_order_and_absence() -> None:
    assert numbered("e", np.array([7, 123456789, -1])).to_pylist() == ["e0000000007", "e0123456789", None]


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=6))
def test_the_reference_price_is_the_lowest_that_reaches_half_the_volume(quotes: list[tuple[int, int]]) -> None:
    prices = np.array([[[price for price, _ in quotes]]], dtype=np.int64)
    volumes = np.array([[[volume for _, volume in quotes]]], dtype=np.int64)
    whole = sum(volume for _, volume in quotes)
    expected = min(
        price for price, _ in quotes if 2 * sum(volume for other, volume in quotes if other <= price) >= whole
    )
    assert reference_prices(prices, volumes)[0, 0] == expected
