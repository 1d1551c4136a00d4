"""A simulation after its last day, and the findings that what was planted in it must lead to.

What belongs here: what an act may look at to say what must be found. What doesn't: the pipeline, which is never run
here, and consequences that several acts have together (truth.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from orchestration.simulate.assets import LEDGER_PLACES
from orchestration.simulate.book import Book
from orchestration.simulate.clock import Clock
from orchestration.simulate.record import Records
from orchestration.simulate.scenario import Scenario
from orchestration.simulate.world import World


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
