"""What reading a claims schedule yields, whichever its layout: balances, and the fate of every line.

What belongs here: the reading's record and its accounting of lines. What doesn't: layouts, the landing zone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from orchestration.imports.amounts import EXACT
from orchestration.imports.text_lines import RejectedLine


@dataclass(slots=True)
class ScheduleReading:
    """Balances read from a schedule and what became of each of its lines.

    ``balances`` holds, per account and asset, the sum of what is listed; ``occurrences`` counts the listings of a
    pair that is listed more than once. Every line is exactly one of heading, page furniture, blank, rejected (some
    of it was refused) or read.
    """

    file: str
    layout: str
    lines_total: int
    balances: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    occurrences: dict[tuple[str, str], int] = field(default_factory=dict)
    rejects: list[RejectedLine] = field(default_factory=list)
    heading_lines: int = 0
    furniture_lines: int = 0
    blank_lines: int = 0
    rejected_lines: set[int] = field(default_factory=set)
    items_read: int = 0

    @property
    def lines_read(self) -> int:
        """Lines whose whole content was read."""
        set_aside = self.heading_lines + self.furniture_lines + self.blank_lines + len(self.rejected_lines)
        return self.lines_total - set_aside

    def add(self, account: str, asset: str, amount: Decimal) -> None:
        """Add one listed balance to what the account has of the asset."""
        assets = self.balances.setdefault(account, {})
        if asset in assets:
            assets[asset] = EXACT.add(assets[asset], amount)
            self.occurrences[account, asset] = self.occurrences.get((account, asset), 1) + 1
        else:
            assets[asset] = amount
        self.items_read += 1

    def reject(self, lines: Iterable[int], text: str, reason: str) -> None:
        """Record that the text, which stands on these lines, wasn't read."""
        numbers = sorted(lines)
        self.rejects.append(RejectedLine(self.file, numbers[0], text, reason))
        self.rejected_lines.update(numbers)
