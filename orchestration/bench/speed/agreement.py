"""Whether two contenders computed the same, so that nobody is fast by being wrong.

What belongs here: comparing what ``script`` writes. A key that one has and the other hasn't counts as zero there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

FLOAT_TOLERANCE = Decimal("1e-9")
"""How far binary floats may be off, relative to the exact amount."""

Figures = dict[tuple[str, str], tuple[Decimal, ...]]


def figures(rows: Iterable[Sequence[object]]) -> Figures:
    """Rows of day, name and amounts, by day and name."""
    return {(str(row[0])[:10], str(row[1])): tuple(Decimal(str(value)) for value in row[2:]) for row in rows}


def read_figures(path: Path) -> Figures | None:
    """A contender's file; None if it writes none."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8", newline="") as file:
        return figures(csv.reader(file))


def difference(expected: Figures, computed: Figures, *, is_exact: bool, only_common: bool = False) -> str | None:
    """The first figure that differs, in words; None if all agree. With ``only_common`` missing keys are left out."""
    keys = expected.keys() & computed.keys() if only_common else expected.keys() | computed.keys()
    if not keys:
        return "nothing was computed"
    for key in sorted(keys):
        width = len(expected.get(key) or computed[key])
        zeros = (Decimal(0),) * width
        for wanted, got in zip(expected.get(key, zeros), computed.get(key, zeros), strict=True):
            allowed = Decimal(0) if is_exact else abs(wanted) * FLOAT_TOLERANCE
            if abs(got - wanted) > allowed:
                return f"{key[1]} on {key[0]}: {got} instead of {wanted}"
    return None
