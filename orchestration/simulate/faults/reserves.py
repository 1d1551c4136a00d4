"""Faults in what is held for customers: proofs, pledges, wallets that empty, borrowed reserves, too little at hand.

What belongs here: everything between wallets, the register and what is owed in kind. What doesn't: the affiliate's
wallets (affiliates.py). A fault that needs a reserve of its own adds a vault with a custodian, which the treasury
leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import ASSETS, INDEX, OWN_TOKEN
from orchestration.simulate.clock import HOUR
from orchestration.simulate.faults.base import (
    INNOCENT,
    OBVIOUS,
    QUIET,
    Fault,
    MonthEndFault,
    rows_where,
    units_of,
    with_changes,
    without_rows,
)
from orchestration.simulate.outcome import LIQUID_CUSTODY, Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.reports import reserve_quantities
from orchestration.simulate.today import Today
from orchestration.simulate.world import PROOF_HOLDS_DAYS, World

REPORT_TOLERANCE = Decimal("0.005")
SNAPSHOT_SEEN_DAYS = 37
"""Least number of days that holds the first report of reserves and the days after it."""


class ProofExpired(Fault):
    """The signature over the cold wallet was good until yesterday."""

    name = "proof_expired"
    check = "reserves_cover_liabilities"
    form = QUIET
    description = "The proof of ownership of the wallet with most of the XRP ran out yesterday."
    touches = frozenset({"reserves XRP"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Prove the wallet once only: at the end of the planting day the proof is just too old."""
        wallet = world.wallets[world.wallet_index("xrp-cold")]
        wallet.proven_day = self.plan.day - PROOF_HOLDS_DAYS
        wallet.first_day = None

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group is short from then on: the other wallet holds about a third."""
        yield from self.shortfalls(outcome, "XRP", "most of it isn't proven any more")


class EncumberedReserve(Fault):
    """Most of a cold wallet secures somebody's loan; management goes on counting it."""

    name = "encumbered_reserve"
    check = "reserves_cover_liabilities"
    form = QUIET
    description = "Three fifths of the cold SOL wallet are pledged as collateral, and still counted as reserve."
    touches = frozenset({"reserves SOL", "report of reserves in SOL", "report of reserves in total"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Enter the pledge into the register."""
        wallet = world.wallets[world.wallet_index("sol-cold")]
        wallet.changes[self.plan.day] = {"encumbered_pct": 60}

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group is short, and the reserves reported at the month's end are too high."""
        note = "pledged to a lender"
        yield from self.shortfalls(outcome, "SOL", note)
        yield from self.misreported(outcome, note)

    def misreported(self, outcome: Outcome, note: str) -> Iterator[Finding]:
        """The asset, and the total if the pledge is a large enough part of it."""
        sol = INDEX["SOL"]
        for month_end, day in outcome.published_stocks(self.plan.day):
            counted = [outcome.eligible_units(month_end, asset) for asset in range(len(ASSETS))]
            total = sum((outcome.usd(month_end, asset, units) for asset, units in enumerate(counted)), Decimal(0))
            pledged = reserve_quantities(outcome.book, outcome.records, month_end)[sol] - counted[sol]
            yield self.finds("reported_reserves_match", day, "reserves", note, "SOL")
            if outcome.usd(month_end, sol, pledged) > total * REPORT_TOLERANCE:
                yield self.finds("reported_reserves_match", day, "reserves", note)


class CoinsGone(Fault):
    """Three fifths of the cold ether leave for an address that nobody knows."""

    name = "coins_gone"
    check = "reserves_cover_liabilities"
    form = OBVIOUS
    description = "Three fifths of the cold ether are sent to an unknown address."
    touches = frozenset({"reserves ETH"})

    @override
    def evening(self, today: Today) -> None:
        """Send them."""
        if today.day == self.plan.day:
            held = int(today.book.slots[today.book.slot("eth-cold", "ETH")])
            self.move(today, "eth-cold", "ETH", -held * 3 // 5)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group is short from then on."""
        yield from self.shortfalls(outcome, "ETH", "sent to an unknown address")


class BanksEmptied(Fault):
    """Half of the dollars leave both bank accounts: no surplus elsewhere makes up for that."""

    name = "banks_emptied"
    check = "total_reserves_cover_liabilities"
    form = OBVIOUS
    description = "Half of the dollars in both bank accounts are wired away."
    touches = frozenset({"reserves USD"})

    @override
    def evening(self, today: Today) -> None:
        """Wire them away."""
        if today.day == self.plan.day:
            for wallet in ("bank-lakes-usd", "bank-harbor-usd"):
                held = int(today.book.slots[today.book.slot(wallet, "USD")])
                self.move(today, wallet, "USD", -held // 2)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group and the whole are short from then on."""
        yield from self.shortfalls(outcome, "USD", "wired away")
        yield from self.total_shortfalls(outcome, "wired away")


class ReservesSwappedForOwnToken(Fault):
    """Stablecoins become freshly issued own tokens of the same value: the total on paper stays as it was."""

    name = "reserves_swapped_for_own_token"
    check = "total_reserves_cover_liabilities"
    form = QUIET
    description = (
        "Nearly all stablecoins in cold wallets are swapped for own tokens of the same value: the sum looks the same."
    )
    touches = frozenset({"reserves USD"})

    @override
    def evening(self, today: Today) -> None:
        """Swap them at the day's price."""
        if today.day != self.plan.day:
            return
        value = Decimal(0)
        for wallet, symbol in (("tron-cold", "USDT"), ("eth-cold", "USDC")):
            units = int(today.book.slots[today.book.slot(wallet, symbol)]) * 19 // 20
            value += Decimal(units).scaleb(-6)
            self.move(today, wallet, symbol, -units)
        self.move(today, "eth-cold", OWN_TOKEN, units_of(today, OWN_TOKEN, float(value)))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The group and the whole are short: an own token covers only what is owed in it."""
        note = "own tokens instead of stablecoins"
        yield from self.shortfalls(outcome, "USD", note)
        yield from self.total_shortfalls(outcome, note)


class ReserveBorrowedForSnapshot(MonthEndFault):
    """A large loan of bitcoin arrives the day before the snapshot and leaves the day after it."""

    name = "reserve_borrowed_for_snapshot"
    check = "reserves_not_window_dressed"
    form = OBVIOUS
    description = "A quarter of the bitcoin at the month's end is borrowed the day before and returned the day after."
    touches = frozenset({"reserves BTC"})
    minimum_days = SNAPSHOT_SEEN_DAYS
    offset = -1

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the vault that it goes to."""
        self.vault = self.open_wallet(world, "BTC", 0.02)

    @override
    def evening(self, today: Today) -> None:
        """Borrow, and return."""
        if today.day == self.plan.day:
            self.units = group_units(today, "BTC") // 3
            self.move(today, self.vault, "BTC", self.units)
        if today.day == self.month_end + 2:
            self.move(today, self.vault, "BTC", -self.units)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On the day on which it leaves."""
        note = "borrowed over the snapshot"
        yield self.finds("reserves_not_window_dressed", self.month_end + 2, "BTC", note, "BTC")


class ReserveBorrowedForTwoDays(MonthEndFault):
    """Two stablecoins come in on the day of the snapshot and go out in two steps: each alone stays below the limit."""

    name = "reserve_borrowed_for_two_days"
    check = "reserves_not_window_dressed"
    form = QUIET
    description = "Two stablecoins, each below the limit, are borrowed over the snapshot and returned in two steps."
    touches = frozenset({"reserves USD"})
    minimum_days = SNAPSHOT_SEEN_DAYS
    offset = 0

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the vaults that they go to."""
        self.vaults = {symbol: self.open_wallet(world, symbol, 0.02, symbol.lower()) for symbol in ("USDC", "USDT")}

    @override
    def evening(self, today: Today) -> None:
        """Borrow 4.5 % of the group in each, return one on each of the days after the snapshot."""
        if today.day == self.plan.day:
            group = sum(
                group_units(today, symbol) * 10 ** (4 * (symbol == "USD")) for symbol in ("USD", "USDC", "USDT")
            )
            self.units = group * 45 // 1_000
            for symbol, vault in self.vaults.items():
                self.move(today, vault, symbol, self.units)
        for symbol, day in (("USDC", self.month_end + 1), ("USDT", self.month_end + 2)):
            if today.day == day:
                self.move(today, self.vaults[symbol], symbol, -self.units)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On the day on which the second part leaves."""
        note = "borrowed over the snapshot in two parts"
        yield self.finds("reserves_not_window_dressed", self.month_end + 2, "USD", note, "USD")


class LoanBetweenSnapshots(MonthEndFault):
    """The same loan far from any snapshot flatters no report."""

    name = "loan_between_snapshots"
    check = "reserves_not_window_dressed"
    form = INNOCENT
    description = "A quarter of the SOL reserves is borrowed and returned in the middle of the month."
    minimum_days = SNAPSHOT_SEEN_DAYS
    offset = -17

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the vault that it goes to."""
        self.vault = self.open_wallet(world, "SOL", 0.02)

    @override
    def evening(self, today: Today) -> None:
        """Borrow, and return three days later."""
        if today.day == self.plan.day:
            self.units = group_units(today, "SOL") // 3
            self.move(today, self.vault, "SOL", self.units)
        if today.day == self.plan.day + 3:
            self.move(today, self.vault, "SOL", -self.units)


class CustomerMovesAtMonthEnd(MonthEndFault):
    """A customer brings a lot of euros before the snapshot and takes them out after it: that is business."""

    name = "customer_moves_at_month_end"
    check = "reserves_not_window_dressed"
    form = INNOCENT
    description = "A customer deposits a fifth of the euros the day before the month's end, and withdraws it after."
    minimum_days = SNAPSHOT_SEEN_DAYS
    offset = -1

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the customer's account."""
        self.account = self.open_customer(world, EUR=100.0)

    @override
    def evening(self, today: Today) -> None:
        """Deposit, and withdraw."""
        if today.day == self.plan.day:
            self.units = group_units(today, "EUR") // 5
            self.deposit(today, self.account, "bank-lakes-eur", "EUR", self.units)
        if today.day == self.month_end + 1:
            self.withdraw(today, self.account, "bank-lakes-eur", "EUR", self.units)


class WalletDrained(Fault):
    """A vault is emptied in one go; the rest covers what is owed."""

    name = "wallet_drained"
    check = "reserve_not_drained"
    form = OBVIOUS
    description = "A vault with three per cent of the bitcoin is emptied to an unknown address."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the vault."""
        self.vault = self.open_wallet(world, "BTC", 0.05)

    @override
    def evening(self, today: Today) -> None:
        """Empty it."""
        if today.day == self.plan.day:
            self.move(today, self.vault, "BTC", -int(today.book.slots[today.book.slot(self.vault, "BTC")]))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On that day."""
        yield self.finds("reserve_not_drained", self.plan.day, self.vault, "emptied", "BTC")


class WalletGoesSilent(Fault):
    """A vault's balances stop coming, without a word, and come back days later."""

    name = "wallet_goes_silent"
    check = "reserve_not_drained"
    form = QUIET
    description = "A vault with a few per cent of the ether drops out of the balance feed for three days."
    silent_days = 3

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the vault."""
        self.vault = self.open_wallet(world, "ETH", 0.05)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Leave its rows out."""
        if today.day in self.days():
            balances = tables["wallet_balances"]
            tables["wallet_balances"] = without_rows(balances, rows_where(balances, wallet_id=self.vault))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every silent day."""
        for day in self.days():
            yield self.finds("reserve_not_drained", day, self.vault, "no balance any more", "ETH")

    def days(self) -> range:
        """The silent days."""
        return range(self.plan.day, self.plan.day + self.silent_days)


class VaultMoved(Fault):
    """A vault is emptied into another proven wallet of the operator's."""

    name = "vault_moved"
    check = "reserve_not_drained"
    form = INNOCENT
    description = "A vault is emptied into another proven vault."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the vault."""
        self.vault = self.open_wallet(world, "BTC", 0.05)

    @override
    def evening(self, today: Today) -> None:
        """Move everything."""
        if today.day == self.plan.day:
            move_between(today, self.vault, "granite-vault", "BTC")


class LargestHolderLeaves(Fault):
    """One customer takes out most of what the hot wallet serves: what is left couldn't serve such a day again."""

    name = "largest_holder_leaves"
    check = "liquidity_covers_withdrawals"
    form = OBVIOUS
    description = "A customer withdraws nine tenths of the XRP in the hot wallet; the sweep doesn't bring as much back."
    touches = frozenset({"reserves XRP"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open an account that holds twice as much XRP as all others."""
        self.account = self.open_customer(world, XRP=world.owed_usd * 0.06)

    @override
    def evening(self, today: Today) -> None:
        """Withdraw."""
        if today.day == self.plan.day:
            held = int(today.book.slots[today.book.slot("xrp-hot", "XRP")])
            self.withdraw(today, self.account, "xrp-hot", "XRP", held * 9 // 10)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """While that day is within the window."""
        yield from illiquid_days(self, outcome, "XRP", "such a day couldn't be served again")


class HotWalletTurnedCold(Fault):
    """The keys of the only hot wallet go into a safe: nothing is missing, and nothing can be paid."""

    name = "hot_wallet_turned_cold"
    check = "liquidity_covers_withdrawals"
    form = QUIET
    description = "The only hot SOL wallet becomes cold storage: all is there, and no withdrawal can be paid in time."
    touches = frozenset({"reserves SOL"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Change its custody in the register, and open the account of somebody who withdraws."""
        wallet = world.wallets[world.wallet_index("sol-hot")]
        wallet.changes[self.plan.day] = {"custody": "cold"}
        self.account = self.open_customer(world, SOL=1_000.0)

    @override
    def evening(self, today: Today) -> None:
        """Withdraw a little once a week, so that there is something to be paid."""
        if today.day % 5 == self.plan.day % 5:
            self.withdraw(today, self.account, "sol-hot", "SOL", 10**7)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day from then on."""
        yield from illiquid_days(self, outcome, "SOL", "nothing in hot wallets")


class LargeWithdrawal(Fault):
    """A large, genuine withdrawal that the hot wallet could serve again."""

    name = "large_withdrawal"
    check = "liquidity_covers_withdrawals"
    form = INNOCENT
    description = "A customer withdraws a tenth of all ether owed; the hot wallet could pay as much again."
    day = 7

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.account = self.open_customer(world, ETH=world.owed_usd * 0.02)

    @override
    def evening(self, today: Today) -> None:
        """Withdraw a third of what is in the hot wallet, at most what the account holds."""
        if today.day == self.plan.day:
            held = int(today.book.slots[today.book.slot("eth-hot", "ETH")])
            own = int(today.book.balances[today.world.account_index(self.account), INDEX["ETH"]])
            self.withdraw(today, self.account, "eth-hot", "ETH", min(own, held // 3))


class ProofRenewedAtNoon(Fault):
    """A proof is renewed in the last hours that the old one holds."""

    name = "proof_renewed_at_noon"
    check = "reserves_cover_liabilities"
    form = INNOCENT
    description = "The bank's confirmation for all euros is renewed at noon of the day on which the old one runs out."
    touches = frozenset({"register bank-lakes-eur"})

    @override
    def refer(self, world: World, tables: dict[str, pa.Table]) -> None:
        """End the old row at noon, and begin a new one with a confirmation of that morning."""
        noon = world.clock.midnight(self.plan.day) + 12 * HOUR
        wallets = tables["wallets"]
        first, *others = rows_where(wallets, wallet_id="bank-lakes-eur")
        old = wallets.slice(first, 1)
        kept = without_rows(wallets, [first, *others])
        before = world.clock.midnight(self.plan.day - PROOF_HOLDS_DAYS) + 15 * HOUR
        old = with_changes(old, 0, proven_at=before, valid_from=before, valid_to=None, recorded_at=before)
        ended = with_changes(old, 0, valid_to=noon, recorded_at=noon - HOUR)
        new = with_changes(old, 0, proven_at=noon - HOUR, valid_from=noon, recorded_at=noon - HOUR)
        tables["wallets"] = pa.concat_tables([kept, old, ended, new])


class SmallPledge(Fault):
    """A part smaller than the surplus is pledged, and the report says so."""

    name = "small_pledge"
    check = "reserves_cover_liabilities"
    form = INNOCENT
    description = "Four per cent of the euros are pledged; what is left covers what is owed."
    touches = frozenset({"register bank-lakes-eur"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Pledge them from the start, known to management."""
        world.wallets[world.wallet_index("bank-lakes-eur")].encumbered_pct = 4


def group_units(today: Today, symbol: str) -> int:
    """Units of one asset in all of the operator's customer wallets."""
    book, world = today.book, today.world
    own = [world.wallets[int(wallet)].is_reserve for wallet in book.slot_wallet]
    return int(book.slots[np.array(own) & (book.slot_asset == INDEX[symbol])].sum())


def move_between(today: Today, source: str, target: str, symbol: str) -> None:
    """Move all that a wallet holds of an asset to another wallet."""
    book = today.book
    slots = np.array([book.slot(source, symbol), book.slot(target, symbol)])
    units = int(book.slots[slots[0]])
    other, when = book.slot_wallet[slots[::-1]], today.clock.at(today.day, 16.0)
    book.transfer(slots, np.array([-units, units]), "internal", when, counterparty=other)


def illiquid_days(fault: Fault, outcome: Outcome, group: str, note: str) -> Iterator[Finding]:
    """Days from the planting on, on which hot wallets and banks hold less than a day's withdrawals of late."""
    for day in outcome.days_from(fault.plan.day):
        if outcome.largest_withdrawals(day, group) > outcome.eligible(day, group, LIQUID_CUSTODY):
            yield fault.finds("liquidity_covers_withdrawals", day, group, note, group)


FAULTS: tuple[type[Fault], ...] = (
    CoinsGone,
    ProofExpired,
    EncumberedReserve,
    ProofRenewedAtNoon,
    SmallPledge,
    BanksEmptied,
    ReservesSwappedForOwnToken,
    ReserveBorrowedForSnapshot,
    ReserveBorrowedForTwoDays,
    LoanBetweenSnapshots,
    CustomerMovesAtMonthEnd,
    WalletDrained,
    WalletGoesSilent,
    VaultMoved,
    LargestHolderLeaves,
    HotWalletTurnedCold,
    LargeWithdrawal,
)
