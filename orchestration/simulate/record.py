"""What the simulator itself remembers of each day: the exact figures that reports and the planted truth are made of.

What belongs here: sums over the book at the end of a day, in exact integers. What doesn't: comparing them with any
limit (truth.py). Amounts are integer counts of 10**-18 of their asset.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

import numpy as np

from orchestration.simulate.assets import ASSETS, LEDGER_PLACES, PRICE_PLACES, TAIL_ASSET, exact_units
from orchestration.simulate.book import KIND, Book, LegBatch, concatenate
from orchestration.simulate.prices import Integers

REVENUE_KINDS: tuple[str, ...] = ("fee", "interest", "funding", "liquidation", "revenue", "rebate", "reward")
_CENT = Decimal("0.01")


@dataclass
class DayRecord:
    """End-of-day figures by asset index: owed to customers, owed by them, held per slot, special accounts, flows."""

    liability: list[int]
    slots: list[int]
    special: dict[int, list[int]]
    withdrawn: list[int]


@dataclass
class Records:
    """All days' records, and revenue by day of effect, entry type and asset in 10**-18 units."""

    price_units: Integers
    own_token_volume_usd: list[int]
    days: list[DayRecord] = field(default_factory=list)
    revenue: dict[tuple[int, str, int], int] = field(default_factory=lambda: defaultdict(int))

    def value_usd(self, day: int, asset: int, exact: int) -> Decimal:
        """USD value of 10**-18 units at the day's reference price, exact."""
        return Decimal(exact * int(self.price_units[day, asset])).scaleb(-LEDGER_PLACES - PRICE_PLACES)

    def liability_usd(self, day: int) -> Decimal:
        """USD value of what customers are owed at the end of a day."""
        return sum(
            (self.value_usd(day, asset, exact) for asset, exact in enumerate(self.days[day].liability)), Decimal(0)
        )

    def revenue_usd(self, first: int, last: int, kinds: tuple[str, ...] = REVENUE_KINDS) -> Decimal:
        """USD of revenue of the given entry types effective on the days from first to last."""
        return sum(
            (
                self.value_usd(day, asset, exact)
                for (day, kind, asset), exact in self.revenue.items()
                if first <= day <= last and kind in kinds
            ),
            Decimal(0),
        )


def cents(amount: Decimal) -> Decimal:
    """An amount rounded half up to cents, as a management report prints it."""
    return amount.quantize(_CENT, rounding=ROUND_HALF_UP)


def record_day(records: Records, book: Book, day: int, customer_accounts: Integers, suspense: int) -> None:
    """Remember the end of a day; call it after everything of the day is posted and before the day is taken."""
    legs = concatenate(LegBatch, book.legs + book.late_legs)
    liability = _positive(book, customer_accounts)
    for asset, exact in enumerate(_positive(book, np.array([suspense]))):
        liability[asset] += exact
    special = {
        number: [_exact(book, number, asset) for asset in range(len(ASSETS))]
        for number in range(book.world.customers.count, len(book.balances))
    }
    slots = [
        exact_units(int(asset), int(units), int(tail))
        for asset, units, tail in zip(book.slot_asset, book.slots, book.slot_tails, strict=True)
    ]
    withdrawn = _withdrawn(legs, customer_accounts)
    records.days.append(DayRecord(liability, slots, special, withdrawn))
    _add_revenue(records, book, day, legs)


def _exact(book: Book, account: int, asset: int) -> int:
    tail = int(book.tails[account]) if asset == TAIL_ASSET else 0
    return exact_units(asset, int(book.balances[account, asset]), tail)


def _positive(book: Book, accounts: Integers) -> list[int]:
    units = np.maximum(book.balances[accounts], 0).sum(axis=0)
    tail = int(np.where(book.balances[accounts, TAIL_ASSET] >= 0, book.tails[accounts], 0).sum())
    return [exact_units(asset, int(total), tail if asset == TAIL_ASSET else 0) for asset, total in enumerate(units)]


def _withdrawn(legs: LegBatch, customer_accounts: Integers) -> list[int]:
    """Units customers withdrew, by asset."""
    rows = (legs.kind == KIND["withdrawal"]) & np.isin(legs.account, customer_accounts)
    totals = []
    for asset in range(len(ASSETS)):
        chosen = rows & (legs.asset == asset)
        totals.append(-exact_units(asset, int(legs.units[chosen].sum()), int(legs.tail[chosen].sum())))
    return totals


def _add_revenue(records: Records, book: Book, day: int, legs: LegBatch) -> None:
    """Add what entered fee and house accounts by revenue's entry types, by the day it is effective."""
    world = book.world
    earning = [account.account_class in ("fee", "house") for account in world.accounts]
    inside = np.isin(legs.account, world.customers.count + np.flatnonzero(earning))
    for kind in REVENUE_KINDS:
        rows = inside & (legs.kind == KIND[kind])
        for asset in np.unique(legs.asset[rows]):
            chosen = rows & (legs.asset == asset) & (legs.effective >= world.clock.midnight(day))
            records.revenue[day, kind, int(asset)] += exact_units(int(asset), int(legs.units[chosen].sum()))
