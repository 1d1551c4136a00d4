"""A simulation after its last day, and the findings that what was planted in it must lead to.

What belongs here: what an act may look at to say what must be found. What doesn't: the pipeline, which is never run
here, and consequences that several acts have together (truth.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from orchestration.simulate.assets import GROUPS, INDEX, LEDGER_PLACES, OWN_TOKEN, members
from orchestration.simulate.book import Book
from orchestration.simulate.clock import Clock
from orchestration.simulate.record import Records
from orchestration.simulate.reports import ELIGIBLE_CUSTODY, STOCK_DELAY_DAYS
from orchestration.simulate.scenario import Scenario
from orchestration.simulate.world import World

LIQUID_CUSTODY = ("hot", "bank")
LIQUIDITY_WINDOW_DAYS = 7


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding that must be there, on the day number it is dated; ``cause`` names the act or fault behind it."""

    check: str
    day: int
    subject: str
    asset: str | None
    cause: str
    note: str


@dataclass(frozen=True)
class Outcome:
    """One simulation after its last day."""

    scenario: Scenario
    book: Book
    records: Records

    @property
    def world(self) -> World:
        """The world of the simulation."""
        return self.book.world

    @property
    def clock(self) -> Clock:
        """Simulated time."""
        return self.book.world.clock

    @property
    def last_day(self) -> int:
        """The number of the last day."""
        return self.scenario.days - 1

    def days_from(self, day: int) -> range:
        """All day numbers from a day to the last."""
        return range(day, self.scenario.days)

    def special(self, day: int, account_id: str) -> list[int]:
        """End-of-day balances of an account that isn't an ordinary customer's, in 10**-18 units by asset index."""
        return self.records.days[day].special[self.world.account_index(account_id)]

    def usd(self, day: int, asset: int, exact: int) -> Decimal:
        """USD value of 10**-18 units at the day's reference price."""
        return self.records.value_usd(day, asset, exact)

    def liability(self, day: int, asset: int) -> Decimal:
        """Units of an asset that customers are owed at the end of a day."""
        return Decimal(self.records.days[day].liability[asset]).scaleb(-LEDGER_PLACES)

    def owed(self, day: int, group: str) -> int:
        """What customers are owed in a group at the end of a day, in 10**-18 of its reference asset."""
        return sum(self.records.days[day].liability[asset] for asset in members(group))

    def eligible(self, day: int, group: str, custody: tuple[str, ...] = ELIGIBLE_CUSTODY) -> int:
        """Unpledged reserves of a group in proven wallets of the given custody; own tokens without their cap."""
        return sum(self.eligible_units(day, asset, custody) for asset in members(group))

    def eligible_units(self, day: int, asset: int, custody: tuple[str, ...] = ELIGIBLE_CUSTODY) -> int:
        """The same of one asset."""
        total = 0
        for slot in (int(found) for found in np.flatnonzero(self.book.slot_asset == asset)):
            wallet = self.world.wallets[int(self.book.slot_wallet[slot])]
            if wallet.is_reserve and wallet.is_proven_on(day) and wallet.value_on(day, "custody") in custody:
                free = 100 - int(wallet.value_on(day, "encumbered_pct"))
                total += self.records.days[day].slots[slot] * free // 100
        return total

    def gap(self, day: int, group: str) -> int:
        """Eligible reserves of a group less what is owed; own tokens count up to what is owed in them."""
        eligible, owed = self.eligible(day, group), self.owed(day, group)
        return min(eligible, owed) - owed if group == OWN_TOKEN else eligible - owed

    def net_gap_usd(self, day: int) -> Decimal:
        """All groups' gaps together, at the day's reference prices."""
        return sum((self.usd(day, INDEX[group], self.gap(day, group)) for group in GROUPS), Decimal(0))

    def largest_withdrawals(self, day: int, group: str) -> int:
        """The most that customers withdrew of a group in a day, of the last seven."""
        window = range(max(day - LIQUIDITY_WINDOW_DAYS + 1, 0), day + 1)
        return max(sum(self.records.days[other].withdrawn[asset] for asset in members(group)) for other in window)

    def published_stocks(self, first_day: int) -> Iterator[tuple[int, int]]:
        """Months' ends from a day on, with the day on which stocks at that end are published."""
        for month_end in self.clock.month_ends(self.scenario.days):
            published = month_end + STOCK_DELAY_DAYS
            if month_end >= first_day and published <= self.last_day:
                yield month_end, published
