"""What a day's activity may look at: the book, the prices, the random draws, the records so far, and its controls.

What belongs here: the context shared by activity, margin desk and acts. What doesn't: anything that posts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestration.simulate.assets import ASSETS, HAIRCUT
from orchestration.simulate.book import Book
from orchestration.simulate.clock import MICROSECONDS, Clock
from orchestration.simulate.prices import Floats, Integers
from orchestration.simulate.record import Records
from orchestration.simulate.world import Customers, World

PLACES: Floats = np.array([10.0**asset.places for asset in ASSETS])
COLLATERAL_SHARE: Floats = np.array([1.0 - HAIRCUT[asset.asset_class] for asset in ASSETS])


@dataclass
class Controls:
    """What acts may change about ordinary activity; the defaults are an ordinary day.

    ``run_share`` above zero lets customers withdraw that part of what the hot wallets of ``run_assets`` hold.
    ``halted`` stops customers' trades, deposits and withdrawals; without ``sweeps`` wallets are left as they are.
    """

    run_share: float = 0.0
    run_assets: tuple[str, ...] = ()
    sweeps: bool = True
    halted: bool = False


@dataclass
class Today:
    """One simulated day. ``mid`` are prices in USD for sizing; ``locked`` marks accounts of the margin desk."""

    day: int
    last_day: int
    book: Book
    rng: np.random.Generator
    mid: Floats
    price_units: Integers
    locked: Any
    records: Records
    controls: Controls = field(default_factory=Controls)
    fees_usd: float = 0.0

    @property
    def world(self) -> World:
        """The world that the book is kept for."""
        return self.book.world

    @property
    def customers(self) -> Customers:
        """Ordinary customers."""
        return self.book.world.customers

    @property
    def clock(self) -> Clock:
        """Simulated time."""
        return self.book.world.clock

    @property
    def is_last(self) -> bool:
        """Whether nothing can be delivered later any more."""
        return self.day == self.last_day

    def moments(self, count: int, begin_hour: float, end_hour: float) -> Integers:
        """Random moments of the day between two hours, to the microsecond."""
        begin, end = self.clock.at(self.day, begin_hour), self.clock.at(self.day, end_hour)
        return self.rng.integers(begin, end - 30 * MICROSECONDS, count)

    def free_accounts(self) -> Integers:
        """Customers' accounts that are open and not bound by the margin desk or as cover for a credit line."""
        free = (self.customers.opened_day <= self.day) & ~self.locked
        free[self.customers.credit_line] = False
        return np.flatnonzero(free)

    def usd(self, account: Any) -> Floats:
        """USD value of each asset that accounts hold, for sizing."""
        value: Floats = self.book.balances[account] / PLACES * self.mid
        return value

    def units(self, value_usd: Any, asset: Any) -> Integers:
        """Whole units of assets worth at most ``value_usd``."""
        units: Integers = np.floor(np.asarray(value_usd) / self.mid[asset] * PLACES[asset]).astype(np.int64)
        return units

    def customer_totals(self) -> Integers:
        """Units per asset that ordinary customers hold in positive balances."""
        balances = self.book.balances[: self.customers.count]
        totals: Integers = np.maximum(balances, 0).sum(axis=0)
        return totals
