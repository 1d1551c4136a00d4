"""Faults in what is owed: accounts in the red, with and without cover."""

from __future__ import annotations

from collections.abc import Iterator

from typing_extensions import override

from orchestration.simulate.faults.base import INNOCENT, OBVIOUS, Fault, units_of
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import World


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


FAULTS: tuple[type[Fault], ...] = (SpotAccountOverdrawn, DustNegative)
