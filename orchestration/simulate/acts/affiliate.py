"""The affiliate's privileges, its borrowing against the own token, and customers' wires that land in its bank.

Shapes follow the FTX/Alameda record (facts F1, B3, B4, B5, D4): a flag that allows a negative balance with a credit
line seven times what customers are owed, collateral that is mostly the exchange's own token, and a debt that is moved
to an account which looks like a customer's.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from typing_extensions import override

from orchestration.simulate.acts.base import Act
from orchestration.simulate.assets import INDEX, OWN_TOKEN, OWN_TOKEN_INDEX
from orchestration.simulate.book import Book
from orchestration.simulate.clock import HOUR
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.payments import Payments, credit
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import (
    FOUNDER,
    HOUSE_ACCOUNT,
    MARKET_MAKER,
    AccountPlan,
    WalletPlan,
    World,
    attribute,
    link,
    privilege,
)

CREDIT_ACCOUNT = "acct-cardinal-credit"
HIDDEN_ENTITY = "cust-friend"
HIDDEN_ACCOUNT = "acct-friend-spot"
BANK_COMPANY = "north-meadow"
BANK_WALLET = "bank-north-meadow"
MARKET_MAKER_WALLET = "cardinal-sol"


class AffiliatePrivileges(Act):
    """The market maker's second account may go negative, has a credit line and can't be liquidated (fact F1)."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account and set its privileges on the act's day."""
        start = world.clock.midnight(self.plan.day)
        world.accounts.append(AccountPlan(CREDIT_ACCOUNT, MARKET_MAKER, "margin", "client 9", first_day=self.plan.day))
        limit = int(world.owed_usd * float(self.value("credit_line_share_of_owed")))
        world.privileges += [
            privilege(CREDIT_ACCOUNT, "allow_negative_balance", start, by="engineering"),
            privilege(CREDIT_ACCOUNT, "credit_line", start, limit_usd=limit, by="engineering"),
            privilege(CREDIT_ACCOUNT, "liquidation_exempt", start, by="engineering"),
        ]

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The privileges, every day."""
        note = "may go negative, never liquidated"
        for day in outcome.days_from(self.plan.day):
            yield self.finds("affiliate_privileges", day, CREDIT_ACCOUNT, note)


class DivertedWires(Act):
    """Customers wire dollars to a bank account of a company of the founder's (fact B5).

    Each day the affiliate's debt for them is booked and, minutes later, moved to an account in the name of a person
    who looks like any customer, so that the affiliate's own account shows nothing at the end of the day.
    """

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the company with its bank account, and the customer who is none."""
        first_day = self.plan.day
        before = world.clock.midnight(-60)
        start = world.clock.midnight(first_day) - 2 * HOUR
        for entity, kind, country, since in (
            (BANK_COMPANY, "company", "US", before),
            (HIDDEN_ENTITY, "customer", "KR", start),
        ):
            world.entities.append(
                {"entity_id": entity, "entity_type": kind, "name": None, "country": country, "recorded_at": since}
            )
        world.links.append(link(FOUNDER, BANK_COMPANY, "ownership", 100, before))
        world.attributes.append(attribute(BANK_COMPANY, "bank_account", "h-bank-north-meadow", before))
        world.accounts.append(AccountPlan(HIDDEN_ACCOUNT, HIDDEN_ENTITY, "spot", None, first_day=first_day))
        world.wallets.append(
            WalletPlan(
                BANK_WALLET,
                "bank",
                BANK_COMPANY,
                "customer",
                "bank",
                "bank_confirmation",
                {"USD": 0.0},
                first_day=first_day,
            )
        )

    @override
    def evening(self, today: Today) -> None:
        """Receive wires, book and hide the debt, and spend most of the money every few days."""
        if today.day < self.plan.day or today.controls.halted:
            return
        wired = self._receive(today)
        _book_and_hide(today, wired)
        slot = today.book.slot(BANK_WALLET, "USD")
        if (today.day - self.plan.day) % 5 == 4:
            spent = int(today.book.slots[slot] * float(self.value("spent_share")))
            today.book.transfer(slot, -spent, "other", today.clock.at(today.day, 19.0))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The affiliate's bank account with customers' wires, and who took over the debt, every day."""
        for day in outcome.days_from(self.plan.day):
            wires = "customers' wires in an affiliate's bank"
            yield self.finds("customer_funds_segregated", day, BANK_WALLET, wires)
            yield self.finds("undeclared_affiliates", day, HIDDEN_ENTITY, "took over the affiliate's debt")

    def _receive(self, today: Today) -> int:
        """Wires of a few customers that add up to a fixed share of the dollars customers are owed; cents."""
        book, usd = today.book, INDEX["USD"]
        free = today.free_accounts()
        total = int(int(today.customer_totals()[usd]) * float(self.value("daily_share_of_dollars")))
        account = today.rng.choice(free, min(max(len(free) // 100, 3), len(free)), replace=False)
        units = np.maximum(np.floor(today.rng.dirichlet(np.full(len(account), 2.0)) * total), 1).astype(np.int64)
        when = today.moments(len(account), 9.0, 16.0)
        numbers = book.transfer(book.slot(BANK_WALLET, "USD"), units, "deposit", when)
        credit(today, Payments(account, np.full(len(account), usd), units, np.zeros_like(units)), when, numbers)
        return int(units.sum())


def _book_and_hide(today: Today, cents: int) -> None:
    """The affiliate owes the house what its bank received; the debt then moves on to the hidden account."""
    book, usd = today.book, INDEX["USD"]
    house = today.world.account_index(HOUSE_ACCOUNT)
    affiliate = today.world.account_index(CREDIT_ACCOUNT)
    hidden = today.world.account_index(HIDDEN_ACCOUNT)
    first, second = book.new_transactions(2)
    booked, moved = today.clock.at(today.day, 17.0), today.clock.at(today.day, 17.1)
    book.post(first, [house, affiliate], usd, [cents, -cents], "transfer", booked, memo=book.memo("fiat received"))
    book.post(second, [affiliate, hidden], usd, [cents, -cents], "transfer", moved, memo=book.memo("reclass"))


class AffiliateBorrowing(Act):
    """The affiliate posts the own token as collateral and withdraws customers' assets against it (B3, B4, D4)."""

    @override
    def morning(self, today: Today) -> None:
        """From now on nobody rebalances wallets: the treasury takes from where something is left."""
        if today.day >= self.plan.day:
            today.controls.sweeps = False

    @override
    def evening(self, today: Today) -> None:
        """Deposit the collateral on the first day, and withdraw the tranches of the day."""
        if today.day == self.plan.day:
            self._post_collateral(today)
        for number, tranche in enumerate(self.value("tranches")):
            if tranche["date"] == today.day:
                _withdraw_tranche(today, number, tranche["wallet"], tranche["asset"], float(tranche["share"]))

    def _post_collateral(self, today: Today) -> None:
        book, value = today.book, today.world.owed_usd * float(self.value("collateral_share_of_owed"))
        units = int(today.units(np.array([value]), OWN_TOKEN_INDEX)[0])
        when = today.clock.at(today.day, 10.0)
        numbers = book.transfer(book.slot("eth-hot", OWN_TOKEN), units, "deposit", when)
        account = today.world.account_index(CREDIT_ACCOUNT)
        credit(today, Payments.one(account, OWN_TOKEN_INDEX, units), when, numbers)


def _withdraw_tranche(today: Today, number: int, wallet: str, symbol: str, share: float) -> None:
    """One withdrawal of the affiliate out of one wallet: a share of what the wallet holds."""
    book, asset = today.book, INDEX[symbol]
    slot = book.slot(wallet, symbol)
    units = int(int(book.slots[slot]) * share)
    account, external = today.world.account_index(CREDIT_ACCOUNT), today.world.external_index(asset)
    when = today.clock.at(today.day, 18.7 + 0.02 * number)
    reference = book.transfer(slot, -units, "withdrawal", when + 60_000_000)
    transaction = book.new_transactions(1)
    book.post(transaction, [account, external], asset, [-units, units], "withdrawal", when, reference=reference)


class UnexplainedTransfer(Act):
    """A wallet is emptied into the affiliate's wallet, and no account is charged for it."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """List the affiliate's wallet from the start: knowing it is what makes the transfer visible."""
        world.wallets.append(
            WalletPlan(MARKET_MAKER_WALLET, "solana", MARKET_MAKER, "house", "hot", "none", {"SOL": 0.0})
        )

    @override
    def evening(self, today: Today) -> None:
        """Move everything the wallet holds."""
        if today.day != self.plan.day:
            return
        book, when = today.book, today.clock.at(today.day, 20.0)
        source, target = self.slots(book)
        units = int(book.slots[source])
        numbers = book.transfer(
            np.array([source, target]),
            np.array([-units, units]),
            "other",
            when,
            counterparty=book.slot_wallet[[target, source]],
        )
        self.transfer_number = int(numbers[0])

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The transfer, and the wallet that it emptied."""
        transfer, wallet = f"t{self.transfer_number:010d}", str(self.value("wallet"))
        note = "no withdrawal behind it"
        yield self.finds("transfers_to_affiliates_explained", self.plan.day, transfer, note, "SOL")
        yield self.finds("reserve_not_drained", self.plan.day, wallet, "emptied into the affiliate's wallet", "SOL")

    def slots(self, book: Book) -> tuple[int, int]:
        """The slots it moves from and to."""
        return book.slot(str(self.value("wallet")), "SOL"), book.slot(MARKET_MAKER_WALLET, "SOL")
