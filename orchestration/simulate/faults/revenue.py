"""Faults in what was earned: revenue without entries, from the affiliate, in the own token, or known too late.

All are about the first month, whose revenue is published on the fifth of the next. Amounts are shares of the fees that
the exchange itself took, far above or below a limit, since other faults lift the same month's total.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

from typing_extensions import override

from orchestration.simulate.assets import INDEX, OWN_TOKEN
from orchestration.simulate.book import Book
from orchestration.simulate.faults.base import INNOCENT, OBVIOUS, QUIET, Fault, MonthEndFault, units_of
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.record import Records, cents
from orchestration.simulate.reports import REVENUE_DELAY_DAYS
from orchestration.simulate.today import Today
from orchestration.simulate.world import INVESTOR_ACCOUNT, World

GRACE_DAYS = 10
ORDINARY = ("fee", "interest", "funding", "liquidation")


class _Revenue(MonthEndFault):
    """A fault of the first month's revenue."""

    minimum_days = 37

    def found(self, outcome: Outcome, note: str, day: int | None = None) -> Iterator[Finding]:
        """The month, on a day, or when its revenue is published."""
        known = self.month_end + REVENUE_DELAY_DAYS if day is None else day
        yield self.finds(self.check, known, f"{outcome.clock.date_of(self.month_end):%Y-%m}", note)

    def so_far_usd(self, today: Today, first: int = 0) -> Decimal:
        """What the exchange earned from a day to yesterday, by ordinary entry types."""
        return today.records.revenue_usd(first, min(today.day - 1, self.month_end), ORDINARY)


class RevenueInvented(_Revenue):
    """Two and a half times what the ledger shows."""

    name = "revenue_invented"
    check = "reported_revenue_supported"
    form = OBVIOUS
    description = "The month's revenue is reported two and a half times as high as the ledger shows it."
    touches = frozenset({"reported revenue"})

    @override
    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Lift every line."""
        if month_end == self.month_end:
            for row in figures:
                if row["figure"] == "revenue":
                    row["amount"] = cents(row["amount"] * Decimal("2.5"))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month."""
        yield from self.found(outcome, "more reported than the ledger shows")


class RevenueLineAdded(_Revenue):
    """All lines are right, but there is one more."""

    name = "revenue_line_added"
    check = "reported_revenue_supported"
    form = QUIET
    description = "All lines of the month's revenue are right, but one more of a fifth of them has no entry behind it."
    touches = frozenset({"reported revenue"})

    @override
    def publish(self, figures: list[dict[str, Any]], book: Book, records: Records, month_end: int) -> None:
        """Add the line."""
        lines = [row for row in figures if row["figure"] == "revenue"]
        if month_end == self.month_end and lines:
            total = sum((row["amount"] for row in lines), Decimal(0))
            figures.append({**lines[0], "line": "market data", "amount": cents(total / 5)})

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month."""
        yield from self.found(outcome, "a line without entries")


class _Licence(_Revenue):
    """Somebody pays the operator a licence fee, a share of what it earned so far."""

    share: ClassVar[str]
    house: str
    account: str
    offset = -4

    @override
    def evening(self, today: Today) -> None:
        """Pay."""
        if today.day == self.plan.day:
            units = int(self.so_far_usd(today) * Decimal(self.share) * 100)
            self.pay(today, self.account, self.house, "USD", units, "revenue")


class AffiliatePaysLicence(_Licence):
    """An affiliate pays four fifths of what the exchange earned."""

    name = "affiliate_pays_licence"
    check = "revenue_not_affiliate"
    form = OBVIOUS
    description = "An affiliate pays a licence fee of four fifths of what the exchange earned in the month."
    touches = frozenset({"affiliates' revenue"})
    share = "0.8"

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the affiliate's account."""
        self.house = self.open_house(world)
        self.account = self.open_account(world, self.open_affiliate(world), USD=world.owed_usd * 0.01)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month."""
        yield from self.found(outcome, "paid by an affiliate")


class InvestorPaysLicence(_Licence):
    """The same from an investor below the ownership threshold."""

    name = "investor_pays_licence"
    check = "revenue_not_affiliate"
    form = INNOCENT
    description = "An investor with a tenth of the shares pays a licence fee."
    share = "0.2"

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that earns."""
        self.house, self.account = self.open_house(world), INVESTOR_ACCOUNT


class AffiliatePaysFeesDaily(_Revenue):
    """Two affiliates trade with each other and pay fees, every day a little: it looks like business."""

    name = "affiliate_pays_fees_daily"
    check = "revenue_not_affiliate"
    form = QUIET
    description = "Two affiliates trade with each other and pay trading fees every day, a quarter of all in sum."
    touches = frozenset({"affiliates' revenue"})
    offset = -28

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both affiliates' accounts."""
        self.house = self.open_house(world)
        names = [self.open_affiliate(world, suffix) for suffix in "ab"]
        self.accounts = [self.open_account(world, name, name[-1], USD=world.owed_usd * 0.01) for name in names]

    @override
    def evening(self, today: Today) -> None:
        """Trade, and pay a fee each in the same transaction."""
        if not self.plan.day <= today.day <= self.month_end:
            return
        book, world, usd = today.book, today.world, INDEX["USD"]
        fee = int(self.so_far_usd(today, today.day - 1) * 20)
        buyer, seller = (world.account_index(account) for account in self.accounts[:: 1 if today.day % 2 else -1])
        transaction, when = book.new_transactions(1), today.clock.at(today.day, 12.0)
        book.post(transaction, [buyer, seller], usd, [-1_000, 1_000], "trade", when)
        if fee:
            fees = world.account_index(self.house)
            book.post(transaction, [buyer, seller, fees], usd, [-fee, -fee, 2 * fee], "fee", when)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month."""
        yield from self.found(outcome, "fees of affiliates that trade with each other")


class _OwnTokenIncome(_Revenue):
    """A customer pays fees in own tokens."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that pays."""
        self.house = self.open_house(world)
        self.account = self.open_customer(world, USD=world.owed_usd * 0.01, MRX=world.owed_usd * 0.01)

    def pay_fee(self, today: Today, value_usd: Decimal) -> int:
        """Pay a fee worth so much; returns its units."""
        units = units_of(today, OWN_TOKEN, float(value_usd))
        self.pay(today, self.account, self.house, OWN_TOKEN, units, "fee")
        return units


class FeesInOwnToken(_OwnTokenIncome):
    """One large fee in own tokens."""

    name = "fees_in_own_token"
    check = "revenue_not_own_token"
    form = OBVIOUS
    description = "A customer pays a listing fee in own tokens, worth at mark more than all others paid."
    touches = frozenset({"own-token revenue"})
    offset = -4

    @override
    def evening(self, today: Today) -> None:
        """Pay."""
        if today.day == self.plan.day:
            self.pay_fee(today, self.so_far_usd(today) * Decimal("1.3"))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month."""
        yield from self.found(outcome, "paid in own tokens")


class OwnTokenSoldDown(_OwnTokenIncome):
    """Fees in own tokens every day, sold for dollars the same evening: no balance ever shows them."""

    name = "own_token_sold_down"
    check = "revenue_not_own_token"
    form = QUIET
    description = "Own tokens taken as fees, every day a little, are sold for dollars within hours."
    touches = frozenset({"own-token revenue"})
    offset = -28

    @override
    def evening(self, today: Today) -> None:
        """Pay two fifths of yesterday's fees, and buy the tokens back."""
        if not self.plan.day <= today.day <= self.month_end:
            return
        value = self.so_far_usd(today, today.day - 1) * Decimal("0.4")
        units, cents_paid = self.pay_fee(today, value), int(value * 100)
        book, world, when = today.book, today.world, today.clock.at(today.day, 21.0)
        accounts = [world.account_index(self.house), world.account_index(self.account)]
        transaction = book.new_transactions(1)
        book.post(transaction, accounts, INDEX[OWN_TOKEN], [-units, units], "trade", when)
        book.post(transaction, accounts, INDEX["USD"], [cents_paid, -cents_paid], "trade", when)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month."""
        yield from self.found(outcome, "taken in own tokens and sold")


class SomeFeesInOwnToken(_OwnTokenIncome):
    """A few per cent in own tokens."""

    name = "some_fees_in_own_token"
    check = "revenue_not_own_token"
    form = INNOCENT
    description = "A customer pays three per cent of the month's fees in own tokens."
    touches = frozenset({"own-token revenue"})
    offset = -4

    @override
    def evening(self, today: Today) -> None:
        """Pay."""
        if today.day == self.plan.day:
            self.pay_fee(today, self.so_far_usd(today) * Decimal("0.03"))


class _Backdated(_Revenue):
    """An entry of the month's last days that arrives days after it; the money goes back in the same transaction.

    So no balance of any day ever changes, and ``recorded_at`` says what its author wants.
    """

    share: ClassVar[str]
    minimum_days = 45

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account that pays."""
        self.house = self.open_house(world)
        self.account = self.open_customer(world, USD=100.0)

    @override
    def evening(self, today: Today) -> None:
        """Deliver it."""
        if today.day != self.plan.day:
            return
        units = int(self.so_far_usd(today) * Decimal(self.share) * 100)
        book, world = today.book, today.world
        accounts = [world.account_index(self.account), world.account_index(self.house)]
        when, transaction = today.clock.at(self.month_end - 1, 15.0), book.new_transactions(1)
        book.post(transaction, accounts, INDEX["USD"], [-units, units], "revenue", when)
        book.post(transaction, accounts[::-1], INDEX["USD"], [-units, units], "transfer", when)


class RevenueBackdated(_Backdated):
    """Half of the month's revenue, two weeks late."""

    name = "revenue_backdated"
    check = "revenue_not_backdated"
    form = OBVIOUS
    description = "Two weeks after the month's end an entry of its last days adds half of its revenue."
    touches = frozenset({"backdated revenue"})
    share = "0.5"
    offset = GRACE_DAYS + 4

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month, on the day on which the entry arrives."""
        yield from self.found(outcome, "effective before the month's end, known weeks later", self.plan.day)


class RevenueBackdatedJustOutside(_Backdated):
    """A few per cent, on the first day on which the grace period is over, with a forged time of recording."""

    name = "revenue_backdated_just_outside"
    check = "revenue_not_backdated"
    form = QUIET
    description = "An entry recorded, as it says, in the month arrives on the day after the grace period."
    touches = frozenset({"backdated revenue"})
    share = "0.03"
    offset = GRACE_DAYS + 2

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The month, on the day on which the entry arrives."""
        yield from self.found(outcome, "known just too late", self.plan.day)


class RevenueLateWithinGrace(_Backdated):
    """As much, while the grace period lasts."""

    name = "revenue_late_within_grace"
    check = "revenue_not_backdated"
    form = INNOCENT
    description = "An entry of the month's last days arrives on the tenth of the next month."
    share = "0.03"
    offset = GRACE_DAYS


FAULTS: tuple[type[Fault], ...] = (
    RevenueInvented,
    RevenueLineAdded,
    AffiliatePaysLicence,
    AffiliatePaysFeesDaily,
    InvestorPaysLicence,
    FeesInOwnToken,
    OwnTokenSoldDown,
    SomeFeesInOwnToken,
    RevenueBackdated,
    RevenueBackdatedJustOutside,
    RevenueLateWithinGrace,
)
