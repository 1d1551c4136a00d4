"""Faults around the exchange's own token and what others' tokens fetch."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import ASSETS, OWN_TOKEN, OWN_TOKEN_INDEX
from orchestration.simulate.faults.base import INNOCENT, OBVIOUS, QUIET, Fault, rows_where, with_changes
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import MARKET_MAKER_ACCOUNT, World

START_PRICE = ASSETS[OWN_TOKEN_INDEX].start_price


class SupplyMostlyHeld(Fault):
    """Only a part of the token circulates outside the group."""

    name = "own_token_mostly_held"
    check = "own_token_concentration"
    form = OBVIOUS
    description = "Two thirds of the own token that circulates turn out to be the group's."
    touches = frozenset({"supply own token"})

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """State a circulating supply of one and a half times what the group holds in its house wallet."""
        if today.day < self.plan.day:
            return
        held = int(today.book.slots[today.book.slot("house-eth", OWN_TOKEN)]) // 10**6
        supply = tables["token_supply"]
        (row,) = rows_where(supply, asset=OWN_TOKEN)
        tables["token_supply"] = with_changes(supply, row, circulating=Decimal(held * 3 // 2))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("own_token_concentration", day, OWN_TOKEN, "the group holds most of it", OWN_TOKEN)


class OwnTokenHoarded(Fault):
    """An affiliate buys the token from a customer, day by day, until the group holds more than half of it."""

    name = "own_token_hoarded"
    check = "own_token_concentration"
    form = QUIET
    description = "An affiliate buys up the own token over five days, until the group holds more than half of it."
    touches = frozenset({"supply own token"})
    buying_days = 5

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the buyer's and the seller's accounts: two fifths of what circulates are between them."""
        circulating = world.token_circulating[OWN_TOKEN] * START_PRICE
        self.tranche = world.token_circulating[OWN_TOKEN] * 4 * 10**6 // 100
        self.buyer = self.open_account(world, self.open_affiliate(world), MRX=circulating * 0.27)
        self.seller = self.open_customer(world, "s", MRX=circulating * 0.21)

    @override
    def evening(self, today: Today) -> None:
        """Buy four per cent of what circulates."""
        if self.plan.day <= today.day < self.plan.day + self.buying_days:
            self.pay(today, self.seller, self.buyer, OWN_TOKEN, self.tranche, "trade")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """From the day on which house wallet and affiliates hold more than half."""
        for day in outcome.days_from(self.plan.day):
            if self.is_concentrated(outcome, day):
                yield self.finds("own_token_concentration", day, OWN_TOKEN, "the group holds most of it", OWN_TOKEN)

    def is_concentrated(self, outcome: Outcome, day: int) -> bool:
        """Whether the group holds more than half; small holdings of other faults' affiliates must not matter."""
        held = outcome.records.days[day].slots[outcome.book.slot("house-eth", OWN_TOKEN)]
        held += sum(outcome.special(day, account)[OWN_TOKEN_INDEX] for account in (self.buyer, MARKET_MAKER_ACCOUNT))
        whole = outcome.world.token_circulating[OWN_TOKEN] * 10**18
        assert abs(held * 2 - whole) > whole // 50, "too near the limit to tell"
        return held * 2 > whole


class CustomersHoldTheToken(Fault):
    """Customers keep more than half of the token on the exchange: it is theirs, not the group's."""

    name = "customers_hold_the_token"
    check = "own_token_concentration"
    form = INNOCENT
    description = "A customer keeps three fifths of the circulating own token on the exchange."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        circulating = world.token_circulating[OWN_TOKEN] * START_PRICE
        self.open_customer(world, MRX=circulating * 0.6)


FAULTS: tuple[type[Fault], ...] = (SupplyMostlyHeld, OwnTokenHoarded, CustomersHoldTheToken)
