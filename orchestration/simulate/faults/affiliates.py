"""Faults around affiliates: privileges, borrowing, customers' money with them, links that vanish or are hidden.

Every fault has an affiliate of its own, a company of the founder's, so that faults don't meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import INDEX
from orchestration.simulate.clock import HOUR
from orchestration.simulate.faults.base import INNOCENT, OBVIOUS, QUIET, Fault, rows_where, units_of, with_changes
from orchestration.simulate.faults.liabilities import Positions
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import (
    FOUNDER,
    MARKET_MAKER_ACCOUNT,
    SUSPENSE_ACCOUNT,
    WalletPlan,
    World,
    attribute,
    link,
    privilege,
)

EXPOSURE_LIMIT = Decimal("0.01")


class _Exposure(Fault):
    """Affiliates that borrow dollars from the house with nothing to cover them, in spot accounts."""

    touches = frozenset({"affiliates' exposure"})
    house: str

    def borrow(self, today: Today, account: str, share: float) -> None:
        """Borrow a share of what customers are owed in all."""
        owed = today.records.liability_usd(today.day - 1)
        self.pay(today, account, self.house, "USD", int(owed * Decimal(str(share)) * 100))

    def uncollateralised(self, outcome: Outcome, day: int, *accounts: str) -> Decimal:
        """What the accounts owe beyond what is free."""
        usd = INDEX["USD"]
        return -sum((outcome.usd(day, usd, outcome.special(day, account)[usd]) for account in accounts), Decimal(0))

    def over_limit(self, outcome: Outcome, subject: str, *accounts: str) -> Iterator[Finding]:
        """The days from the planting on, on which the accounts together owe more than the limit."""
        for day in outcome.days_from(self.plan.day):
            if self.uncollateralised(outcome, day, *accounts) > outcome.records.liability_usd(day) * EXPOSURE_LIMIT:
                yield self.finds("affiliate_exposure_within_limit", day, subject, "borrowed without cover")


class AffiliateBorrows(_Exposure):
    """One affiliate takes a thirtieth of what customers are owed."""

    name = "affiliate_borrows"
    check = "affiliate_exposure_within_limit"
    form = OBVIOUS
    description = "An affiliate borrows three per cent of what customers are owed, without collateral."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the affiliate's account."""
        self.house = self.open_house(world)
        self.affiliate = self.open_affiliate(world)
        self.account = self.open_account(world, self.affiliate)

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        if today.day == self.plan.day:
            self.borrow(today, self.account, 0.03)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The affiliate, the group, and the account."""
        for subject in (self.affiliate, "group"):
            yield from self.over_limit(outcome, subject, self.account)
        yield from self.in_the_red(outcome, self.account, "USD", "borrowed without cover")


class AffiliatesBorrowApart(_Exposure):
    """Each of two affiliates stays below the limit, together they don't."""

    name = "affiliates_borrow_apart"
    check = "affiliate_exposure_within_limit"
    form = QUIET
    description = "Two affiliates borrow seven tenths of a per cent each: only the group is above the limit."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both affiliates' accounts."""
        self.house = self.open_house(world)
        affiliates = [self.open_affiliate(world, suffix) for suffix in "ab"]
        self.accounts = [self.open_account(world, name, name[-1]) for name in affiliates]

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        if today.day == self.plan.day:
            for account in self.accounts:
                self.borrow(today, account, 0.007)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group, and the accounts."""
        yield from self.over_limit(outcome, "group", *self.accounts)
        for account in self.accounts:
            yield from self.in_the_red(outcome, account, "USD", "borrowed without cover")


class HiddenChainBorrows(_Exposure):
    """The founder's company, a nominee and a second company that owns a part of the first: a chain with a cycle."""

    name = "hidden_chain_borrows"
    check = "affiliate_exposure_within_limit"
    form = QUIET
    description = "A company that is the founder's through two companies and a person, in a cycle, borrows."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account and draw the links: founder, first company, nominee, second company, first company."""
        self.house = self.open_house(world)
        before = world.clock.midnight(-40)
        first = self.open_entity(world, f"company-f{self.slug}a", "company")
        nominee = self.open_entity(world, f"person-f{self.slug}", "person")
        self.affiliate = self.open_entity(world, f"company-f{self.slug}b", "company")
        world.links += [
            link(FOUNDER, first, "ownership", 55, before),
            link(first, nominee, "control", None, before),
            link(nominee, self.affiliate, "ownership", 40, before),
            link(self.affiliate, first, "ownership", 45, before),
        ]
        self.account = self.open_account(world, self.affiliate)

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        if today.day == self.plan.day:
            self.borrow(today, self.account, 0.02)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The last company in the chain, the group, and the account."""
        for subject in (self.affiliate, "group"):
            yield from self.over_limit(outcome, subject, self.account)
        yield from self.in_the_red(outcome, self.account, "USD", "borrowed without cover")


class ProfitAsCollateral(Positions):
    """An affiliate's loan is covered by nothing but profit that its own positions show."""

    name = "profit_as_collateral"
    check = "no_negative_equity"
    form = QUIET
    description = "An affiliate's debt is covered only by the unrealised profit of its own position."
    profit_usd = 5_000
    stated_days = 4

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the affiliate's account."""
        self.house = self.open_house(world)
        self.account = self.open_account(world, self.open_affiliate(world), account_class="margin", USD=10.0)

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        if today.day == self.plan.day:
            self.pay(today, self.account, self.house, "USD", 10_000)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The account, while the profit is shown and afterwards."""
        yield from self.in_the_red(outcome, self.account, "USD", "an affiliate's profit counts zero")


class AffiliatePrivileged(Fault):
    """May go negative up to seven times what customers are owed, and is never liquidated."""

    name = "affiliate_privileged"
    check = "affiliate_privileges"
    form = OBVIOUS
    description = "An affiliate's account may go negative, has a huge credit line and is exempt from liquidation."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account and set the privileges."""
        self.account = self.open_account(world, self.open_affiliate(world), account_class="margin", USD=10.0)
        start, limit = world.clock.midnight(self.plan.day), int(world.owed_usd * 7)
        world.privileges += [
            privilege(self.account, "allow_negative_balance", start, by="engineering"),
            privilege(self.account, "liquidation_exempt", start, by="engineering"),
            privilege(self.account, "credit_line", start, limit_usd=limit, by="engineering"),
        ]

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("affiliate_privileges", day, self.account, "may go negative, never liquidated")


class PrivilegeBetweenSnapshots(Fault):
    """Switched on after one end-of-day snapshot and off before the next."""

    name = "privilege_between_snapshots"
    check = "affiliate_privileges"
    form = QUIET
    description = "The market maker may go negative from ten to three one day, and no snapshot shows it."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the privilege with its end."""
        start = world.clock.midnight(self.plan.day) + 10 * HOUR
        row = privilege(MARKET_MAKER_ACCOUNT, "allow_negative_balance", start, by="engineering")
        world.privileges.append({**row, "valid_to": start + 5 * HOUR})

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On that day alone."""
        note = "on and off again within the day"
        yield self.finds("affiliate_privileges", self.plan.day, MARKET_MAKER_ACCOUNT, note)


class SuspenseBypass(Fault):
    """Nobody's account that may withdraw without review."""

    name = "suspense_bypass"
    check = "affiliate_privileges"
    form = QUIET
    description = "The account of unidentified wires may withdraw without review for two days."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the privilege with its end: the second midnight."""
        start = world.clock.midnight(self.plan.day)
        row = privilege(SUSPENSE_ACCOUNT, "withdrawal_bypass", start)
        world.privileges.append({**row, "valid_to": world.clock.midnight(self.plan.day + 2)})

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On both days; the midnight that ends them belongs to neither."""
        for day in (self.plan.day, self.plan.day + 1):
            yield self.finds("affiliate_privileges", day, SUSPENSE_ACCOUNT, "withdraws without review")


class IndependentMarketMaker(Fault):
    """A market maker that is nobody's affiliate: no fees, and a credit line within its collateral."""

    name = "independent_market_maker"
    check = "affiliate_privileges"
    form = INNOCENT
    description = "An independent market maker pays no fees and has a credit line far within its collateral."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account and set the privileges."""
        account = self.open_customer(world, account_class="margin", USD=9_000.0)
        before = world.clock.midnight(-30)
        world.privileges += [
            privilege(account, "fee_exempt", before),
            privilege(account, "credit_line", before, limit_usd=4_000),
        ]


class PrivilegeEndedBefore(Fault):
    """An affiliate's old privilege ended at the midnight with which the records begin."""

    name = "privilege_ended_before"
    check = "affiliate_privileges"
    form = INNOCENT
    description = "An affiliate's privilege ended at the midnight with which the first day begins."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the privilege with its end."""
        account = self.open_account(world, self.open_affiliate(world), USD=10.0)
        row = privilege(account, "allow_negative_balance", world.clock.midnight(-30))
        world.privileges.append({**row, "valid_to": world.clock.midnight(0)})


class _Collateral(Fault):
    """An affiliate that borrows dollars well within what it holds, part of it in own tokens."""

    house: str

    def borrow(self, today: Today, account: str) -> None:
        """Borrow a two-thousandth of what was owed to begin with."""
        if today.day == self.plan.day:
            self.pay(today, account, self.house, "USD", int(today.world.owed_usd * 0.0005 * 100), "borrow")


class CollateralMostlyOwnToken(_Collateral):
    """The loan is covered, but most of the collateral is own tokens."""

    name = "collateral_mostly_own_token"
    check = "affiliate_collateral_quality"
    form = OBVIOUS
    description = "Two thirds of the collateral of a borrowing affiliate are own tokens."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the affiliate's account."""
        self.house = self.open_house(world)
        self.affiliate = self.open_affiliate(world)
        self.account = self.open_account(
            world, self.affiliate, account_class="margin", MRX=world.owed_usd * 0.002, USDC=world.owed_usd * 0.001
        )

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        self.borrow(today, self.account)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("affiliate_collateral_quality", day, self.affiliate, "mostly own tokens")


class OwnTokenInAnotherAccount(_Collateral):
    """The account that borrows holds good collateral; a third of all that the affiliate holds lies elsewhere."""

    name = "own_token_in_another_account"
    check = "affiliate_collateral_quality"
    form = QUIET
    description = "A borrowing affiliate holds a third of its assets in own tokens, in an account that doesn't borrow."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both accounts of the affiliate."""
        self.house = self.open_house(world)
        self.affiliate = self.open_affiliate(world)
        self.account = self.open_account(world, self.affiliate, account_class="margin", USDC=world.owed_usd * 0.0012)
        self.open_account(world, self.affiliate, MRX=world.owed_usd * 0.0006)

    @override
    def evening(self, today: Today) -> None:
        """Borrow."""
        self.borrow(today, self.account)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("affiliate_collateral_quality", day, self.affiliate, "a third own tokens")


class OwnTokenWithoutLoan(Fault):
    """An affiliate that holds nothing but own tokens, and owes nothing."""

    name = "own_token_without_loan"
    check = "affiliate_collateral_quality"
    form = INNOCENT
    description = "An affiliate holds only own tokens, and borrows nothing."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.open_account(world, self.open_affiliate(world), MRX=world.owed_usd * 0.001)


class _AffiliateWallet(Fault):
    """An affiliate with a wallet of its own."""

    def open_affiliates_wallet(
        self, world: World, symbol: str, network: str, custody: str, purpose: str = "house"
    ) -> str:
        """Add an empty wallet of an affiliate's; returns the wallet."""
        self.affiliate = self.open_affiliate(world)
        wallet = f"wallet-f{self.slug}"
        world.wallets.append(WalletPlan(wallet, network, self.affiliate, purpose, custody, "none", {symbol: 0.0}))
        return wallet


class AffiliateKeepsCustomersWallet(_AffiliateWallet):
    """The register itself says that an affiliate keeps a wallet for customers."""

    name = "affiliate_keeps_customers_wallet"
    check = "customer_funds_segregated"
    form = OBVIOUS
    description = "A wallet for customers' stablecoins is listed as an affiliate's, and customers deposit to it."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the wallet, and the account of somebody who deposits."""
        self.wallet = self.open_affiliates_wallet(world, "USDC", "ethereum", "hot", "customer")
        world.wallets[-1].first_day = self.plan.day
        self.account = self.open_customer(world, USD=100.0)

    @override
    def evening(self, today: Today) -> None:
        """Deposit on two days."""
        if today.day in (self.plan.day, self.plan.day + 1):
            self.deposit(today, self.account, self.wallet, "USDC", 150 * 10**6)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day on which it is listed."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("customer_funds_segregated", day, self.wallet, "an affiliate's wallet for customers")


class WireToAffiliatesBank(_AffiliateWallet):
    """A customer's wire goes to a bank account that the affiliate lists as its own house account."""

    name = "wire_to_affiliates_bank"
    check = "customer_funds_segregated"
    form = QUIET
    description = "Customers' wires on one day land in an affiliate's bank account; the customers are no suspects."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the bank account, and the customer's account, which knows the affiliate's bank account number."""
        self.wallet = self.open_affiliates_wallet(world, "USD", "bank", "bank")
        self.account = self.open_customer(world, USD=100.0)
        victim = next(account.entity_id for account in world.accounts if account.account_id == self.account)
        before, that_day = world.clock.midnight(-40), world.clock.midnight(self.plan.day)
        world.attributes += [
            attribute(self.affiliate, "bank_account", f"h-bank-f{self.slug}", before),
            attribute(victim, "bank_account", f"h-bank-f{self.slug}", that_day + HOUR),
        ]

    @override
    def evening(self, today: Today) -> None:
        """Wire."""
        if today.day == self.plan.day:
            self.deposit(today, self.account, self.wallet, "USD", 20_000)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On that day."""
        yield self.finds("customer_funds_segregated", self.plan.day, self.wallet, "a customer's wire")


class _AffiliateReceives(_AffiliateWallet):
    """Ether leaves a customers' wallet for the affiliate's."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the affiliate's wallet and account."""
        self.wallet = self.open_affiliates_wallet(world, "ETH", "ethereum", "hot")
        self.account = self.open_account(world, self.affiliate, ETH=2_000.0)

    def send(self, today: Today, kind: str) -> int:
        """Send 500 dollars' worth between the wallets; returns the number of the outgoing transfer."""
        book = today.book
        slots = np.array([book.slot("eth-cold", "ETH"), book.slot(self.wallet, "ETH")])
        units, other = units_of(today, "ETH", 500.0), book.slot_wallet[slots[::-1]]
        when = today.clock.at(today.day, 20.1)
        numbers = book.transfer(slots, np.array([-units, units]), kind, when, counterparty=other)
        return int(numbers[0])

    def unexplained(self, transfer: int) -> Finding:
        """The outgoing transfer, on its day."""
        note = "no withdrawal behind it"
        return self.finds("transfers_to_affiliates_explained", self.plan.day, f"t{transfer:010d}", note, "ETH")


class SentToAffiliate(_AffiliateReceives):
    """A transfer from a customers' wallet names the affiliate's wallet, and nobody is charged for it."""

    name = "sent_to_affiliate"
    check = "transfers_to_affiliates_explained"
    form = OBVIOUS
    description = "Ether goes from a customers' wallet to an affiliate's, and no account is charged."

    @override
    def evening(self, today: Today) -> None:
        """Send it."""
        if today.day == self.plan.day:
            self.transfer = self.send(today, "other")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The transfer."""
        yield self.unexplained(self.transfer)


class SentAsNetworkFee(_AffiliateReceives):
    """Called a fee, to an address in capitals: nothing in the row says that it is the affiliate's."""

    name = "sent_as_network_fee"
    check = "transfers_to_affiliates_explained"
    form = QUIET
    description = "A network fee goes to an affiliate's address, written in capitals and without the wallet's name."

    @override
    def evening(self, today: Today) -> None:
        """Send it."""
        if today.day == self.plan.day:
            self.transfer = self.send(today, "network_fee")

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Leave the wallet's name out of the row, and write its address in capitals."""
        if today.day == self.plan.day:
            transfers = tables["wallet_transfers"]
            (row,) = rows_where(transfers, transfer_id=f"t{self.transfer:010d}")
            address = "0x" + str(transfers["counterparty_address"][row])[2:].upper()
            changed = with_changes(transfers, row, counterparty_wallet_id=None, counterparty_address=address)
            tables["wallet_transfers"] = changed

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The transfer."""
        yield self.unexplained(self.transfer)


class AffiliateWithdrawsItsOwn(_AffiliateReceives):
    """The affiliate withdraws what its own account holds."""

    name = "affiliate_withdraws_its_own"
    check = "transfers_to_affiliates_explained"
    form = INNOCENT
    description = "An affiliate withdraws ether of its own to its own wallet."

    @override
    def evening(self, today: Today) -> None:
        """Withdraw: the ledger charges the account with the transfer that leaves."""
        if today.day != self.plan.day:
            return
        book, world, ether = today.book, today.world, INDEX["ETH"]
        slots = np.array([book.slot("eth-cold", "ETH"), book.slot(self.wallet, "ETH")])
        units, wallets = units_of(today, "ETH", 500.0), book.slot_wallet[slots]
        when = today.clock.at(today.day, 20.0)
        reference = book.transfer(slots[0], -units, "withdrawal", when + HOUR // 60, counterparty=wallets[1])
        book.transfer(slots[1], units, "internal", when + HOUR // 60, counterparty=wallets[0])
        accounts = [world.account_index(self.account), world.external_index(ether)]
        transaction = book.new_transactions(1)
        book.post(transaction, accounts, ether, [-units, units], "withdrawal", when, reference=reference)


class CustomerSharesBankAccount(Fault):
    """A customer is paid out to the bank account of an affiliate."""

    name = "customer_shares_bank_account"
    check = "undeclared_affiliates"
    form = OBVIOUS
    description = "A customer uses the bank account of an affiliate."
    is_from_the_start = True

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both accounts and give both entities the same bank account."""
        affiliate = self.open_affiliate(world)
        self.open_account(world, affiliate, "a", USD=10.0)
        self.customer = self.open_entity(world, f"cust-f{self.slug}", "customer")
        self.open_account(world, self.customer, is_customer=True, USD=100.0)
        before = world.clock.midnight(-40)
        for entity in (affiliate, self.customer):
            world.attributes.append(attribute(entity, "bank_account", f"h-bank-f{self.slug}", before))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("undeclared_affiliates", day, self.customer, "uses an affiliate's bank account")


class DebtMovedToFriend(Fault):
    """An affiliate's debt moves, minutes after it arose, to an account in the name of somebody neutral."""

    name = "debt_moved_to_friend"
    check = "undeclared_affiliates"
    form = QUIET
    description = "An affiliate's negative balance moves within the hour to an account with a neutral name."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both accounts."""
        self.house = self.open_house(world)
        self.account = self.open_account(world, self.open_affiliate(world), "a")
        self.friend = self.open_entity(world, f"cust-f{self.slug}", "customer")
        self.friends_account = self.open_account(world, self.friend, is_customer=True)

    @override
    def evening(self, today: Today) -> None:
        """Borrow, and move the debt."""
        if today.day == self.plan.day:
            self.pay(today, self.account, self.house, "USD", 90_000)
            self.pay(today, self.friends_account, self.account, "USD", 90_000, hours=13.5)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The friend, and its account."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("undeclared_affiliates", day, self.friend, "took over the affiliate's debt")
        yield from self.in_the_red(outcome, self.friends_account, "USD", "nothing covers it")


class CustomerNeverLiquidated(Fault):
    """A customer that is nobody's affiliate on paper can't be liquidated, for one evening."""

    name = "customer_never_liquidated"
    check = "undeclared_affiliates"
    form = QUIET
    description = "A customer without any link is exempt from liquidation for one evening."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account and set the privilege with its end."""
        self.customer = self.open_entity(world, f"cust-f{self.slug}", "customer")
        account = self.open_account(world, self.customer, account_class="margin", is_customer=True, USD=500.0)
        start = world.clock.midnight(self.plan.day) + 18 * HOUR
        row = privilege(account, "liquidation_exempt", start)
        world.privileges.append({**row, "valid_to": start + 2 * HOUR})

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On that day."""
        yield self.finds("undeclared_affiliates", self.plan.day, self.customer, "never liquidated")


class AddressOfMany(Fault):
    """Eleven entities use one withdrawal address, an affiliate among them: it is some exchange's."""

    name = "address_of_many"
    check = "undeclared_affiliates"
    form = INNOCENT
    description = "Ten customers and an affiliate withdraw to one address, which is another exchange's."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the accounts and give all the same address."""
        entities = [self.open_affiliate(world)]
        self.open_account(world, entities[0], USD=10.0)
        for number in range(10):
            account = self.open_customer(world, f"c{number}", USD=20.0)
            entities.append(next(other.entity_id for other in world.accounts if other.account_id == account))
        before = world.clock.midnight(-40)
        world.attributes += [attribute(entity, "withdrawal_address", f"h-f{self.slug}", before) for entity in entities]


class LinkEndedLoanStays(Fault):
    """The founder's company is sold on paper; its loan stays."""

    name = "link_ended_loan_stays"
    check = "affiliation_removed"
    form = OBVIOUS
    description = "The link to an affiliate ends while its loan, well covered, stays."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account, and end the link."""
        self.house = self.open_house(world)
        self.affiliate = self.open_affiliate(world)
        self.account = self.open_account(world, self.affiliate, account_class="margin", USDC=60.0)
        end = world.clock.midnight(self.plan.day)
        world.links.append({**world.links[-1], "valid_to": end, "recorded_at": end - HOUR})

    @override
    def evening(self, today: Today) -> None:
        """Borrow while it still is an affiliate."""
        if today.day == self.plan.day - 3:
            self.pay(today, self.account, self.house, "USD", 2_000, "borrow")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The end of the link on its day, and the customer that it has become every day from then on."""
        yield self.finds("affiliation_removed", self.plan.day, self.affiliate, "link ended")
        for day in outcome.days_from(self.plan.day):
            yield self.finds("undeclared_affiliates", day, self.affiliate, "still owes what it owed as affiliate")


class StakeDiluted(Fault):
    """A stake falls a little below the threshold; nothing is owed."""

    name = "stake_diluted"
    check = "affiliation_removed"
    form = QUIET
    description = "The founder's stake in a company falls from 21 to 19 per cent."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account, and lower the stake."""
        before, day = world.clock.midnight(-40), world.clock.midnight(self.plan.day)
        self.affiliate = self.open_entity(world, f"company-f{self.slug}", "company")
        self.open_account(world, self.affiliate, USD=10.0)
        stake = link(FOUNDER, self.affiliate, "ownership", 21, before)
        world.links += [
            stake,
            {**stake, "valid_to": day, "recorded_at": day - HOUR},
            {**stake, "ownership_pct": 19, "valid_from": day, "recorded_at": day - HOUR},
        ]

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On that day."""
        yield self.finds("affiliation_removed", self.plan.day, self.affiliate, "stake below the threshold")


class LinkReplaced(Fault):
    """Ownership becomes control by contract at the same moment: an affiliate as before."""

    name = "link_replaced"
    check = "affiliation_removed"
    form = INNOCENT
    description = "An affiliate's ownership link ends at the moment at which a control link begins."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account, and replace the link."""
        affiliate = self.open_affiliate(world)
        self.open_account(world, affiliate, USD=10.0)
        end = world.clock.midnight(self.plan.day) + 11 * HOUR
        world.links.append({**world.links[-1], "valid_to": end, "recorded_at": end - HOUR})
        control = link(FOUNDER, affiliate, "control", None, end)
        world.links.append({**control, "recorded_at": end - HOUR})


FAULTS: tuple[type[Fault], ...] = (
    AffiliateBorrows,
    AffiliatesBorrowApart,
    HiddenChainBorrows,
    ProfitAsCollateral,
    AffiliatePrivileged,
    PrivilegeBetweenSnapshots,
    SuspenseBypass,
    IndependentMarketMaker,
    PrivilegeEndedBefore,
    CollateralMostlyOwnToken,
    OwnTokenInAnotherAccount,
    OwnTokenWithoutLoan,
    AffiliateKeepsCustomersWallet,
    WireToAffiliatesBank,
    SentToAffiliate,
    SentAsNetworkFee,
    AffiliateWithdrawsItsOwn,
    CustomerSharesBankAccount,
    DebtMovedToFriend,
    CustomerNeverLiquidated,
    AddressOfMany,
    LinkEndedLoanStays,
    StakeDiluted,
    LinkReplaced,
)
