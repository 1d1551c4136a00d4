"""What management makes up: the insurance fund, netted liabilities, and the revenue of the year's last month.

Sources: facts G1 and G2 (backdated transfers from the affiliate that lifted 2021 over its target), G3 (the published
insurance fund grew by a day's volume times a random number near 7500 divided by a billion), D3 and B5 (negative
balances that hid the hole).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
from typing_extensions import override

from orchestration.simulate.acts.affiliate import CREDIT_ACCOUNT, HIDDEN_ACCOUNT
from orchestration.simulate.acts.base import Act
from orchestration.simulate.assets import INDEX, LEDGER_PLACES, SYMBOLS
from orchestration.simulate.book import Book
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.record import REVENUE_KINDS, Records, cents
from orchestration.simulate.scenario import ActPlan
from orchestration.simulate.today import Today
from orchestration.simulate.world import HOUSE_ACCOUNT, World


class InventedInsuranceFund(Act):
    """The insurance fund is published as a number that nothing holds (fact G3)."""

    def __init__(self, plan: ActPlan) -> None:
        """Start without volumes."""
        super().__init__(plan)
        self.volume_usd: list[int] = []

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Remember the day's volumes, which the number is made from."""
        self.volume_usd = [int(volume) for volume in paths.volume_usd.sum(axis=(1, 2))]

    @override
    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Replace the fund by a multiple of it plus a random-looking daily growth."""
        if month_end < self.plan.day:
            return
        draw = np.random.default_rng([7500, month_end])
        growth = sum(
            Decimal(volume) * Decimal(round(float(draw.normal(7500.0, 250.0)), 4)) / 10**9
            for volume in self.volume_usd[: month_end + 1]
        )
        for row in figures:
            if row["figure"] == "insurance_fund":
                row["amount"] = cents(row["amount"] * Decimal(str(self.value("multiple"))) + growth)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The figure, when it is published."""
        for _, day in outcome.published_stocks(self.plan.day):
            yield self.finds("insurance_fund_matches", day, "insurance_fund", "no account holds it")


class NettedLiabilities(Act):
    """Reported customer liabilities are net of what the affiliate and the hidden account owe (facts D3, B5)."""

    @override
    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Take the negative balances off the figures per asset and off the total."""
        if month_end < self.plan.day:
            return
        netted = self.netted(book, records, month_end)
        total = sum((records.value_usd(month_end, asset, exact) for asset, exact in netted.items()), Decimal(0))
        for row in figures:
            if row["figure"] != "customer_liabilities":
                continue
            if row["asset"] is None:
                row["amount"] = cents(row["amount"] - total)
            else:
                row["amount"] -= Decimal(netted.get(INDEX[row["asset"]], 0)).scaleb(-LEDGER_PLACES)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The total and each asset that something was netted in, when they are published."""
        for month_end, day in outcome.published_stocks(self.plan.day):
            netted = self.netted(outcome.book, outcome.records, month_end)
            for asset in (None, *(SYMBOLS[number] for number in netted)):
                note = "negative balances netted"
                yield self.finds("reported_liabilities_match", day, "customer_liabilities", note, asset)

    @staticmethod
    def netted(book: Book, records: Records, month_end: int) -> dict[int, int]:
        """What is netted by asset index, in 10**-18 units; positive."""
        found: dict[int, int] = {}
        for account in (CREDIT_ACCOUNT, HIDDEN_ACCOUNT):
            balances = records.days[month_end].special[book.world.account_index(account)]
            for asset in range(len(SYMBOLS)):
                if balances[asset] < 0:
                    found[asset] = found.get(asset, 0) - balances[asset]
        return found


class YearEndRevenue(Act):
    """The last month's revenue is lifted by affiliate income, by backdated affiliate income, and by nothing at all.

    The backdated entry is effective on the month's last day, arrives weeks later with a ``recorded_at`` of that day,
    and goes back in the same transaction, so that no balance ever showed it (fact G1).
    """

    def __init__(self, plan: ActPlan) -> None:
        """Start before anything is known."""
        super().__init__(plan)
        self.genuine = Decimal(0)
        self.backdated_cents = 0

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Remember which month it is about."""
        self.month_end = int(self.value("month_end"))
        self.first_day = world.clock.day_of(world.clock.date_of(self.month_end).replace(day=1))

    @override
    def evening(self, today: Today) -> None:
        """Pay the affiliate's income on time, and deliver the backdated entry on its day."""
        if today.day == self.plan.day:
            self._pay_on_time(today)
        if today.day == int(self.value("backdated_delivery")):
            self._backdate(today)

    def remember(self, records: Records) -> None:
        """Take the month's genuine revenue from the records; called once, before the entry is backdated."""
        honest = tuple(kind for kind in REVENUE_KINDS if kind != "revenue")
        self.genuine = records.revenue_usd(self.first_day, self.month_end, honest)

    def _pay_on_time(self, today: Today) -> None:
        days_so_far, days = today.day - self.first_day, self.month_end - self.first_day + 1
        honest = tuple(kind for kind in REVENUE_KINDS if kind != "revenue")
        so_far = today.records.revenue_usd(self.first_day, today.day - 1, honest)
        amount = int(so_far * 100 * days / days_so_far * Decimal(str(self.value("affiliate_share_of_genuine"))))
        book, usd = today.book, INDEX["USD"]
        payer, house = today.world.account_index(CREDIT_ACCOUNT), today.world.account_index(HOUSE_ACCOUNT)
        memo, when = book.memo("market data licence"), today.clock.at(today.day, 16.0)
        book.post(book.new_transactions(1), [payer, house], usd, [-amount, amount], "revenue", when, memo=memo)

    def _backdate(self, today: Today) -> None:
        self.remember(today.records)
        amount = int(self.genuine * 100 * Decimal(str(self.value("backdated_share_of_genuine"))))
        book, usd = today.book, INDEX["USD"]
        payer, house = today.world.account_index(CREDIT_ACCOUNT), today.world.account_index(HOUSE_ACCOUNT)
        memo, when = book.memo("platform fee true-up"), today.clock.at(self.month_end, 23.0)
        transaction = book.new_transactions(1)
        book.post(transaction, [payer, house], usd, [-amount, amount], "revenue", when, memo=memo)
        book.post(transaction, [house, payer], usd, [-amount, amount], "transfer", when, memo=memo)
        self.backdated_cents = amount

    @override
    def revenue_day(self, month_end: int) -> int | None:
        """The month's revenue is published late, once the target is met."""
        return int(self.value("published")) if month_end == self.month_end else None

    @override
    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Report the ledger's revenue, backdated part included, and some more."""
        for row in figures:
            if row["figure"] == "revenue" and month_end == self.month_end:
                lifted = row["amount"] + Decimal(self.backdated_cents) / 100
                row["amount"] = cents(lifted * (1 + Decimal(str(self.value("unsupported_share")))))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Three steps of the month's waterfall, on the day the revenue is published."""
        month, day = f"{outcome.clock.date_of(self.month_end):%Y-%m}", int(self.value("published"))
        yield self.finds("reported_revenue_supported", day, month, "more reported than the ledger shows")
        yield self.finds("revenue_not_backdated", day, month, "effective at year end, known weeks later")
        yield self.finds("revenue_not_affiliate", day, month, "paid by the affiliate on time")
