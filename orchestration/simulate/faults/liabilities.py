"""Faults in what is owed: accounts in the red, with and without cover, and what only looks like it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import INDEX, OWN_TOKEN, OWN_TOKEN_INDEX
from orchestration.simulate.faults.base import INNOCENT, OBVIOUS, QUIET, Fault, units_of, with_rows
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import World

MAINTENANCE_MARGIN = Decimal("0.05")
STABLECOIN_COUNTED = Decimal("0.98")
LIQUIDATED_DAYS = 3
"""At most 10 % of a day's volume for 30 days can be sold of the own token."""


class SpotAccountOverdrawn(Fault):
    """Owes dollars in a spot account that holds far more in bitcoin: covered, but nothing permits it."""

    name = "spot_account_overdrawn"
    check = "no_negative_balance"
    form = OBVIOUS
    description = "A customer's spot account goes 1,000 dollars negative; its bitcoin would cover them."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that will owe, and the one that is paid."""
        self.account = self.open_customer(world, BTC=5_000.0)
        self.payee = self.open_customer(world, "p", USD=100.0)

    @override
    def evening(self, today: Today) -> None:
        """Pay what isn't there."""
        if today.day == self.plan.day:
            self.pay(today, self.account, self.payee, "USD", 100_000)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("no_negative_balance", day, self.account, "a spot account owes dollars", "USD")


class MarginBelowMaintenance(Fault):
    """A margin account that still is worth something, but less than the maintenance margin asks for."""

    name = "margin_below_maintenance"
    check = "no_negative_balance"
    form = QUIET
    description = "A margin account's stablecoins exceed its debt after haircut, but by half of what is required."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that will borrow."""
        self.house = self.open_house(world)
        self.account = self.open_customer(world, account_class="margin", USDC=10_000.0)

    @override
    def evening(self, today: Today) -> None:
        """Borrow so much that equity is 2.5 % of the debt."""
        if today.day == self.plan.day:
            collateral = today.book.balances[today.world.account_index(self.account), INDEX["USDC"]]
            cents = int(Decimal(int(collateral)).scaleb(-4) * STABLECOIN_COUNTED / Decimal("1.025"))
            self.pay(today, self.account, self.house, "USD", cents)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on: a stablecoin's price moves less than what is missing and what is left."""
        for day in outcome.days_from(self.plan.day):
            usdc = outcome.usd(day, INDEX["USDC"], outcome.special(day, self.account)[INDEX["USDC"]])
            debt = -outcome.usd(day, INDEX["USD"], outcome.special(day, self.account)[INDEX["USD"]])
            equity = usdc * STABLECOIN_COUNTED - debt
            assert 0 < equity < debt * MAINTENANCE_MARGIN
            yield self.finds("no_negative_balance", day, self.account, "below the maintenance margin", "USD")


class DustNegative(Fault):
    """A rounding of half a dollar."""

    name = "dust_negative"
    check = "no_negative_balance"
    form = INNOCENT
    description = "A customer's spot account ends half a dollar below zero in bitcoin, which is dust."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that will owe, and the one that is paid."""
        self.account = self.open_customer(world, USD=50.0)
        self.payee = self.open_customer(world, "p", USD=100.0)

    @override
    def evening(self, today: Today) -> None:
        """Pay half a dollar's worth of bitcoin."""
        if today.day == self.plan.day:
            self.pay(today, self.account, self.payee, "BTC", units_of(today, "BTC", 0.5))


class MarginBorrowCovered(Fault):
    """A loan for which a margin account holds four times as much in bitcoin."""

    name = "margin_borrow_covered"
    check = "no_negative_balance"
    form = INNOCENT
    description = "A margin account borrows a quarter of what its bitcoin is worth."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that will borrow."""
        self.house = self.open_house(world)
        self.account = self.open_customer(world, account_class="margin", BTC=8_000.0)

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        if today.day == self.plan.day:
            self.pay(today, self.account, self.house, "USD", 200_000, "borrow")


class Positions(Fault):
    """A margin account with an open position whose profit or loss the desk states for some days."""

    opening_usd: ClassVar[float] = 2_000.0
    profit_usd: ClassVar[int]
    stated_days: ClassVar[int] = 4

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.account = self.open_customer(world, account_class="margin", USD=self.opening_usd)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """State the position."""
        if today.day not in self.days():
            return
        row = {
            "account_id": self.account,
            "instrument": "BTC-PERP",
            "quantity": 1,
            "entry_price": 50_000,
            "mark_price": 50_000 + self.profit_usd,
            "unrealised_pnl_usd": self.profit_usd,
            "as_of": today.clock.close(today.day),
        }
        tables["open_positions"] = with_rows("open_positions", tables["open_positions"], [row])

    def days(self) -> range:
        """The days on which the position is open."""
        return range(self.plan.day, self.plan.day + self.stated_days)


class LossBeyondTheAccount(Positions):
    """A position has lost three times what the account holds; no balance shows it."""

    name = "loss_beyond_the_account"
    check = "no_negative_equity"
    form = OBVIOUS
    description = "An open position has lost three times what its account holds, and isn't closed for four days."
    profit_usd = -6_000

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """While it is open."""
        for day in self.days():
            yield self.finds("no_negative_equity", day, self.account, "lost more than it holds")


class LossWithinTheAccount(Positions):
    """A loss that the account can bear."""

    name = "loss_within_the_account"
    check = "no_negative_equity"
    form = INNOCENT
    description = "An open position has lost half of what its account holds."
    profit_usd = -1_000


class OwnTokenAtItsOwnMark(Fault):
    """A loan that looks covered one and a half times, in a token that nobody could sell."""

    name = "own_token_at_its_own_mark"
    check = "no_negative_equity"
    form = QUIET
    description = (
        "A margin account's debt is covered one and a half times by own tokens at mark, hardly at all if sold."
    )

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that will borrow."""
        self.house = self.open_house(world)
        self.account = self.open_customer(world, account_class="margin", MRX=max(world.owed_usd * 0.003, 1_500.0))

    @override
    def evening(self, today: Today) -> None:
        """Borrow two thirds of the mark."""
        if today.day == self.plan.day:
            index = today.world.account_index(self.account)
            mark = float(today.book.balances[index, OWN_TOKEN_INDEX]) / 10**6 * float(today.mid[OWN_TOKEN_INDEX])
            self.pay(today, self.account, self.house, "USD", int(mark * 100 / 1.5))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on: of all that the group holds only a few days' part of the volume finds a buyer."""
        slot = outcome.book.slot("house-eth", OWN_TOKEN)
        for day in outcome.days_from(self.plan.day):
            pool = outcome.usd(day, OWN_TOKEN_INDEX, outcome.records.days[day].slots[slot])
            sold = Decimal(LIQUIDATED_DAYS * outcome.records.own_token_volume_usd[day])
            balances = outcome.special(day, self.account)
            mark = outcome.usd(day, OWN_TOKEN_INDEX, balances[OWN_TOKEN_INDEX])
            assert mark * sold / pool < -outcome.usd(day, INDEX["USD"], balances[INDEX["USD"]])
        yield from self.in_the_red(outcome, self.account, "USD", "own tokens count what they would fetch")


class ShortfallNetted(Fault):
    """A customer owes in one account less than it holds in the other: together they look sound."""

    name = "shortfall_netted"
    check = "no_negative_balance"
    form = QUIET
    description = "A customer's negative balance hides behind its other account, which holds more."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both accounts of the customer."""
        self.house = self.open_house(world)
        customer = self.open_entity(world, f"cust-f{self.slug}", "customer")
        self.open_account(world, customer, is_customer=True, USD=2_000.0)
        self.account = self.open_account(world, customer, "b", is_customer=True)

    @override
    def evening(self, today: Today) -> None:
        """Pay what isn't there."""
        if today.day == self.plan.day:
            self.pay(today, self.account, self.house, "USD", 120_000)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The account every day from then on."""
        yield from self.in_the_red(outcome, self.account, "USD", "nothing in this account covers it")


FAULTS: tuple[type[Fault], ...] = (
    SpotAccountOverdrawn,
    MarginBelowMaintenance,
    ShortfallNetted,
    DustNegative,
    MarginBorrowCovered,
    LossBeyondTheAccount,
    OwnTokenAtItsOwnMark,
    LossWithinTheAccount,
)
