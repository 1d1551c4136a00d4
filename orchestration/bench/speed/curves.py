"""The curves of the speed benchmark and their usual points, apart so that the command line knows them at once."""

from __future__ import annotations

from enum import StrEnum


class Curve(StrEnum):
    """What is varied while all else stays."""

    ENTRIES = "entries"
    DAYS = "days"
    ACCOUNTS = "accounts"


DEFAULT_POINTS: dict[Curve, tuple[int, ...]] = {
    Curve.ENTRIES: (1_000_000, 10_000_000),
    Curve.DAYS: (30, 365),
    Curve.ACCOUNTS: (10_000, 100_000, 1_000_000),
}
