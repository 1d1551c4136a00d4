"""Faults in which two sources disagree or one is silent: prices, engine, wallets, transfers, reports."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import ASSETS, INDEX, LEDGER_PLACES
from orchestration.simulate.book import Book
from orchestration.simulate.faults.base import (
    INNOCENT,
    OBVIOUS,
    QUIET,
    Fault,
    MonthEndFault,
    rows_where,
    transaction_id,
    units_of,
    with_changes,
    with_rows,
    without_rows,
)
from orchestration.simulate.faults.own_asset import OwnAsset, Row
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import OUTSIDE_SOURCES, PricePaths
from orchestration.simulate.record import Records, cents
from orchestration.simulate.reports import STOCK_DELAY_DAYS
from orchestration.simulate.scenario import Scenario
from orchestration.simulate.today import Today
from orchestration.simulate.world import World

# --- prices_complete, prices_fresh, prices_agree ---------------------------------------------------------------------


class PriceNeverQuoted(OwnAsset):
    """Customers are owed something that nobody prices."""

    name = "price_never_quoted"
    is_from_the_start = True
    check = "prices_complete"
    form = OBVIOUS
    description = "Customers are owed an asset that no source has a price for."

    @override
    def quotes(self, day: int) -> dict[str, Decimal]:
        """None."""
        return {}

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Every day."""
        for day in outcome.days_from(0):
            yield self.finds("prices_complete", day, self.symbol, "no price at all", self.symbol)


class ReserveNeverQuoted(PriceNeverQuoted):
    """Nobody is owed it, but it stands among the reserves."""

    name = "reserve_never_quoted"
    check = "prices_complete"
    form = QUIET
    description = "A wallet of customers' reserves holds an asset without a price that nobody is owed."
    is_owed = False


class PriceStopped(OwnAsset):
    """All sources fall silent at once."""

    name = "price_stopped"
    check = "prices_fresh"
    form = OBVIOUS
    description = "From one day on no source quotes an asset that customers are owed."

    @override
    def quotes(self, day: int) -> dict[str, Decimal]:
        """None from the planting day on."""
        return super().quotes(day) if day < self.plan.day else {}

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """From the second silent day on: on the first the last price is a day old."""
        for day in outcome.days_from(self.plan.day + 1):
            yield self.finds("prices_fresh", day, self.symbol, "the last price is too old", self.symbol)


class PriceFrozen(PriceStopped):
    """The sources keep delivering, but always the same rows."""

    name = "price_frozen"
    check = "prices_fresh"
    form = QUIET
    description = "Prices keep arriving and look plausible, but they are the same day's over and over."

    @override
    def price_rows(self, today: Today) -> list[Row]:
        """Rows of the day before the planting day, again and again."""
        rows = super().price_rows(today)
        if today.day == self.plan.day - 1:
            self.last = rows
        return rows if today.day < self.plan.day else self.last


class PricePause(OwnAsset):
    """A source's holiday."""

    name = "price_pause"
    check = "prices_fresh"
    form = INNOCENT
    description = "One day no source quotes an asset, and the price of the day before is still fresh enough."

    @override
    def quotes(self, day: int) -> dict[str, Decimal]:
        """None on the planting day."""
        return {} if day == self.plan.day else super().quotes(day)


class SourceFarOff(OwnAsset):
    """One source doubles its price for a day."""

    name = "source_far_off"
    check = "prices_agree"
    form = OBVIOUS
    description = "One day one source quotes twice what the other does."

    @override
    def quotes(self, day: int) -> dict[str, Decimal]:
        """Two prices."""
        factor = 2 if day == self.plan.day else 1
        first, second = OUTSIDE_SOURCES[:2]
        return {first: self.usual_price(day), second: self.usual_price(day) * factor}

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """That day."""
        yield self.finds("prices_agree", self.plan.day, self.symbol, "one source quotes twice as much", self.symbol)


class SourcesDriftApart(OwnAsset):
    """One source's price gains nine tenths of a percent a day on the other's."""

    name = "sources_drift_apart"
    check = "prices_agree"
    form = QUIET
    description = "Two sources drift apart by less than a percent a day."
    step: ClassVar[Decimal] = Decimal("0.009")
    widest: ClassVar[int] = 30

    def spread(self, day: int) -> Decimal:
        """How much higher the second source is, as a share of the first's price."""
        return self.step * min(max(day - self.plan.day, 0), self.widest)

    @override
    def quotes(self, day: int) -> dict[str, Decimal]:
        """The lower one counts as the day's price: both trade alike."""
        first, second = OUTSIDE_SOURCES[:2]
        price = self.usual_price(day)
        return {first: price, second: price * (1 + self.spread(day))}

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """From the day on which they are more than 5 % apart."""
        for day in outcome.days_from(self.plan.day):
            if self.spread(day) > Decimal("0.05"):
                yield self.finds("prices_agree", day, self.symbol, "drifted apart by more than 5 %", self.symbol)


class SourcesDifferSlightly(SourcesDriftApart):
    """They part, but never by more than policy lets them."""

    name = "sources_differ_slightly"
    check = "prices_agree"
    form = INNOCENT
    description = "Two sources drift apart until they differ by 4.5 %, and stay so."
    widest = 5


# --- ledger_matches_engine -------------------------------------------------------------------------------------------


class _EngineDiffers(Fault):
    """What the engine shows of an account of the fault's own on one day."""

    symbol: str

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account, large enough for its asset's sum to be off as well, however large the exchange."""
        opening: dict[str, Any] = {self.symbol: max(world.owed_usd * 0.001, 1_000.0)}
        self.account = self.open_customer(world, **opening)

    def row(self, snapshots: pa.Table) -> int:
        """The position of the account's balance."""
        (row,) = rows_where(snapshots, account_id=self.account, asset=self.symbol)
        return row

    def both(self, note: str) -> Iterator[Finding]:
        """The account, and its asset."""
        for subject in (self.account, self.symbol):
            yield self.finds("ledger_matches_engine", self.plan.day, subject, note, self.symbol)


class EngineShowsMore(_EngineDiffers):
    """The engine credits an account with what the ledger never booked."""

    name = "engine_shows_more"
    check = "ledger_matches_engine"
    form = OBVIOUS
    description = "One evening the trading engine shows a customer half as much ether again as the ledger."
    touches = frozenset({"engine ETH"})
    symbol = "ETH"

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Deliver another balance."""
        if today.day == self.plan.day:
            snapshots = tables["balance_snapshots"]
            balance: Decimal = snapshots["balance"][self.row(snapshots)].as_py()
            changed = with_changes(snapshots, self.row(snapshots), balance=balance * 3 / 2)
            tables["balance_snapshots"] = changed

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The account, and the asset."""
        yield from self.both("the engine shows more than the ledger")


class EngineForgetsAccount(_EngineDiffers):
    """The account's row isn't in the snapshot."""

    name = "engine_forgets_account"
    check = "ledger_matches_engine"
    form = QUIET
    description = "One evening a customer's balance is left out of the engine's snapshot."
    touches = frozenset({"engine SOL"})
    symbol = "SOL"

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Leave the row out."""
        if today.day == self.plan.day:
            snapshots = tables["balance_snapshots"]
            tables["balance_snapshots"] = without_rows(snapshots, [self.row(snapshots)])

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The account, and the asset."""
        yield from self.both("the engine has no row of the account")


class EngineShortOfCents(Fault):
    """Ninety cents here and there: nothing in any account, and real money in sum."""

    name = "engine_short_of_cents"
    check = "ledger_matches_engine"
    form = QUIET
    description = "The engine shows many holders of XRP less than a dollar too little, and the sum is too much."
    touches = frozenset({"engine XRP"})
    each_usd = 0.9

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Take ninety cents off as many holders as it takes for three times the tolerance."""
        if today.day != self.plan.day:
            return
        snapshots, xrp = tables["balance_snapshots"], INDEX["XRP"]
        owed_usd = float(today.customer_totals()[xrp]) / 10 ** ASSETS[xrp].places * float(today.mid[xrp])
        needed = max(int(owed_usd * 0.0003 / self.each_usd) + 1, 3)
        drift, least = self.xrp(today, self.each_usd), self.xrp(today, 5.0)
        balances: list[Decimal] = snapshots["balance"].to_pylist()
        holders = [row for row in rows_where(snapshots, asset="XRP") if balances[row] > least][:needed]
        assert len(holders) == needed, "there are holders enough"
        for row in holders:
            balances[row] -= drift
        column = snapshots.schema.get_field_index("balance")
        changed = pa.array(balances, snapshots.schema.field(column).type)
        tables["balance_snapshots"] = snapshots.set_column(column, snapshots.schema.field(column), changed)

    @staticmethod
    def xrp(today: Today, value_usd: float) -> Decimal:
        """XRP worth so many USD."""
        return Decimal(units_of(today, "XRP", value_usd)).scaleb(-ASSETS[INDEX["XRP"]].places)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The asset alone."""
        yield self.finds("ledger_matches_engine", self.plan.day, "XRP", "cents in many accounts", "XRP")


class EngineRoundsDown(Fault):
    """A single account is short of ninety cents."""

    name = "engine_rounds_down"
    check = "ledger_matches_engine"
    form = INNOCENT
    description = "The engine shows one customer ninety cents of bitcoin too little."
    touches = frozenset({"engine BTC"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.account = self.open_customer(world, BTC=500.0)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Take ninety cents off."""
        if today.day == self.plan.day:
            snapshots = tables["balance_snapshots"]
            (row,) = rows_where(snapshots, account_id=self.account, asset="BTC")
            drift = Decimal(units_of(today, "BTC", 0.9)).scaleb(-8)
            balance: Decimal = snapshots["balance"][row].as_py()
            tables["balance_snapshots"] = with_changes(snapshots, row, balance=balance - drift)


# --- wallet_rolls_forward --------------------------------------------------------------------------------------------


class _WalletStatement(Fault):
    """What is said of a wallet of the fault's own, which otherwise never changes."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the wallet."""
        self.wallet = self.open_wallet(world, "USDC", 0.002)

    def state(self, tables: dict[str, pa.Table], factor: Decimal, more: Decimal) -> None:
        """Deliver a balance of so many times the true one, and so much more."""
        balances = tables["wallet_balances"]
        (row,) = rows_where(balances, wallet_id=self.wallet, asset="USDC")
        balance: Decimal = balances["balance"][row].as_py()
        tables["wallet_balances"] = with_changes(balances, row, balance=balance * factor + more)


class WalletShrinks(_WalletStatement):
    """Half of it is gone, and nothing was sent."""

    name = "wallet_shrinks"
    check = "wallet_rolls_forward"
    form = OBVIOUS
    description = "From one day on a wallet holds half of what it held, without any transfer."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """State half the balance."""
        if today.day >= self.plan.day:
            self.state(tables, Decimal("0.5"), Decimal(0))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """On the first of these days: afterwards the balance is what it was the day before."""
        yield self.finds("wallet_rolls_forward", self.plan.day, self.wallet, "half of it gone", "USDC")


class WalletBriefly(_WalletStatement):
    """Two dollars too many, for one snapshot."""

    name = "wallet_briefly_more"
    check = "wallet_rolls_forward"
    form = QUIET
    description = "A wallet holds two dollars too many at one snapshot and the right amount at the next."
    more = Decimal(2)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """State a little more for a day."""
        if today.day == self.plan.day:
            self.state(tables, Decimal(1), self.more)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """There, and back."""
        for day in (self.plan.day, self.plan.day + 1):
            yield self.finds("wallet_rolls_forward", day, self.wallet, "two dollars from nowhere", "USDC")


class WalletRounded(WalletBriefly):
    """Within the tolerance."""

    name = "wallet_rounded"
    check = "wallet_rolls_forward"
    form = INNOCENT
    description = "A custodian's statement is ninety cents too high one day."
    more = Decimal("0.9")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """None."""
        return iter(())


class BankHoliday(Fault):
    """No statement on Saturday and Sunday: policy says which accounts are so large that silence is reported."""

    name = "bank_holiday"
    check = "reserve_not_drained"
    form = QUIET
    description = "A bank that holds three per cent of the dollar reserves sends no statements over a weekend."
    share = 0.05

    @classmethod
    @override
    def planting_day(cls, scenario: Scenario) -> int:
        """The last Saturday up to the usual day."""
        usual = super().planting_day(scenario)
        return next(day for day in range(usual, usual - 7, -1) if scenario.date_of(day).weekday() == 5)

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.wallet = self.open_wallet(world, "USD", self.share, network="bank", proof="bank_confirmation")

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Leave the statement out."""
        if today.day in (self.plan.day, self.plan.day + 1):
            balances = tables["wallet_balances"]
            tables["wallet_balances"] = without_rows(balances, rows_where(balances, wallet_id=self.wallet))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Both days."""
        for day in (self.plan.day, self.plan.day + 1):
            yield self.finds("reserve_not_drained", day, self.wallet, "no statement", "USD")


class SmallBankHoliday(BankHoliday):
    """The same at a bank that hardly matters."""

    name = "small_bank_holiday"
    check = "reserve_not_drained"
    form = INNOCENT
    description = "A bank that holds half a per cent of the dollar reserves sends no statements over a weekend."
    share = 0.008

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """None."""
        return iter(())


# --- deposits_withdrawals_match --------------------------------------------------------------------------------------

BANK = "bank-lakes-usd"


class _Border(Fault):
    """A deposit or withdrawal of 150 dollars, of which one side is not as it should be."""

    units: ClassVar[int] = 15_000
    transaction: int | None = None

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the account."""
        self.account = self.open_customer(world, USD=500.0)

    def book(self, today: Today, units: int, kind: str, reference: Any) -> None:
        """Post an entry of the account against the outside world, under a transfer's number."""
        book, world, usd = today.book, today.world, INDEX["USD"]
        accounts = [world.account_index(self.account), world.external_index(usd)]
        numbers = book.new_transactions(1)
        self.transaction = int(numbers[0])
        book.post(numbers, accounts, usd, [units, -units], kind, today.clock.at(today.day, 15.0), reference=reference)

    def send(self, today: Today, units: int, kind: str) -> Any:
        """Move dollars of the bank, and return the transfer's number."""
        return today.book.transfer(today.book.slot(BANK, "USD"), units, kind, today.clock.at(today.day, 14.5))

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Remember which entry is the account's."""
        self.remember(self.account, today, tables)

    def remember(self, account: str, today: Today, tables: dict[str, pa.Table]) -> None:
        """Remember which entry of the transaction is on an account."""
        if today.day == self.plan.day and self.transaction is not None:
            ledger = tables["ledger_entries"]
            (row,) = rows_where(ledger, transaction_id=transaction_id(self.transaction), account_id=account)
            self.entry = ledger["entry_id"][row].as_py()


class DepositNeverArrived(_Border):
    """A customer is credited with money that no bank has seen."""

    name = "deposit_never_arrived"
    check = "deposits_withdrawals_match"
    form = OBVIOUS
    description = "A customer is credited with a deposit that names a transfer nobody ever sees."

    @override
    def evening(self, today: Today) -> None:
        """Book it under a number that stays unused."""
        if today.day == self.plan.day:
            self.book(today, self.units, "deposit", today.book.new_transfers(1))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Two days later."""
        note = "no transfer within two days"
        yield self.finds("deposits_withdrawals_match", self.plan.day + 2, self.entry, note, "USD")


class WireNeverCredited(_Border):
    """Money came in, and no account shows it."""

    name = "wire_never_credited"
    check = "deposits_withdrawals_match"
    form = QUIET
    description = "A customer's wire reaches the bank and is never credited to anybody."

    @override
    def evening(self, today: Today) -> None:
        """Receive it, and book nothing."""
        if today.day == self.plan.day:
            self.number = int(self.send(today, self.units, "deposit")[0])

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Two days later."""
        subject, note = f"t{self.number:010d}", "no entry within two days"
        yield self.finds("deposits_withdrawals_match", self.plan.day + 2, subject, note, "USD")


class WithdrawalACentMore(_Border):
    """The bank sends a cent more than the customer is charged."""

    name = "withdrawal_a_cent_more"
    check = "deposits_withdrawals_match"
    form = QUIET
    description = "The bank pays out a cent more than the withdrawal that was booked."

    @override
    def evening(self, today: Today) -> None:
        """Send a cent more than is booked."""
        if today.day == self.plan.day:
            reference = self.send(today, -self.units - 1, "withdrawal")
            self.number = int(reference[0])
            self.book(today, -self.units, "withdrawal", reference)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """At once."""
        subject = f"t{self.number:010d}"
        yield self.finds("deposits_withdrawals_match", self.plan.day, subject, "a cent more was sent", "USD")


class AdjustedFromOutside(_Border):
    """Money is written into an account from nowhere, and the ledger balances."""

    name = "adjusted_from_outside"
    check = "deposits_withdrawals_match"
    form = QUIET
    description = "An adjustment against the outside world raises a customer's balance."

    @override
    def evening(self, today: Today) -> None:
        """Book it, without a reference."""
        if today.day == self.plan.day:
            self.book(today, self.units, "adjustment", -1)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Remember the entry that touches the outside."""
        self.remember("external-USD", today, tables)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The outside's entry, at once."""
        note = "only deposits and withdrawals cross the border"
        yield self.finds("deposits_withdrawals_match", self.plan.day, self.entry, note, "USD")


class DepositCreditedLate(_Border):
    """Two days on the way, which policy allows."""

    name = "deposit_credited_late"
    check = "deposits_withdrawals_match"
    form = INNOCENT
    description = "A customer's wire is credited two days after it came in."

    @override
    def evening(self, today: Today) -> None:
        """Receive it, and credit it on the second day after."""
        if today.day == self.plan.day:
            self.reference = self.send(today, self.units, "deposit")
        if today.day == self.plan.day + 2:
            self.book(today, self.units, "deposit", self.reference)


# --- wallets_counted_once --------------------------------------------------------------------------------------------


class WalletListedTwice(Fault):
    """The same wallet under two names, its coins counted twice."""

    name = "wallet_listed_twice"
    check = "wallets_counted_once"
    form = OBVIOUS
    description = "From one day on a custodian's account is listed a second time, with the same balance."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """List it under both names."""
        address = f"GRANITE {self.slug_of(self.name)}"
        self.wallet = self.open_wallet(world, "USDC", 0.0005, address=address)
        self.copy = self.open_wallet(world, "USDC", 0.0005, "c", address=address, first_day=self.plan.day)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Show the first wallet's balance for the second as well."""
        balances = tables["wallet_balances"]
        (row,) = rows_where(balances, wallet_id=self.wallet)
        for copied in rows_where(balances, wallet_id=self.copy):
            tables["wallet_balances"] = with_changes(balances, copied, balance=balances["balance"][row].as_py())

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Both from then on, and the balance that no transfer brought."""
        for day in outcome.days_from(self.plan.day):
            for wallet in (self.wallet, self.copy):
                yield self.finds("wallets_counted_once", day, wallet, "one account under two names")
        yield self.finds("wallet_rolls_forward", self.plan.day, self.copy, "a balance from nowhere", "USDC")


class AddressInOtherCase(Fault):
    """Two spellings of one address."""

    name = "address_in_other_case"
    is_from_the_start = True
    check = "wallets_counted_once"
    form = QUIET
    description = "Two wallets have one address, written in small letters here and in capitals there."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """List both."""
        digits = (f"ab{self.slug_of(self.name)}" * 5)[:40]
        small = self.open_wallet(world, "USDC", 0.0005, network="ethereum", address=f"0x{digits}")
        capital = self.open_wallet(world, "USDC", 0.0005, "c", network="ethereum", address=f"0x{digits.upper()}")
        self.wallets = (small, capital)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Both, every day."""
        for day in outcome.days_from(0):
            for wallet in self.wallets:
                yield self.finds("wallets_counted_once", day, wallet, "one address in two spellings")


class AddressMoved(Fault):
    """An account changes its name overnight; at no moment is it listed twice."""

    name = "address_moved"
    check = "wallets_counted_once"
    form = INNOCENT
    description = "A wallet is listed under a new name from the midnight on at which the old name ends."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """List the old name; the new one's rows are added to what is delivered."""
        self.wallet = self.open_wallet(world, "USDC", 0.0, address=f"GRANITE {self.slug_of(self.name)}")
        self.successor = f"{self.wallet}n"

    @override
    def refer(self, world: World, tables: dict[str, pa.Table]) -> None:
        """End the old name and begin the new one."""
        wallets, midnight = tables["wallets"], world.clock.midnight(self.plan.day)
        rows = rows_where(wallets, wallet_id=self.wallet)
        versions = [wallets.slice(row, 1).to_pylist()[0] for row in rows]
        first = min(versions, key=lambda row: row["valid_from"])
        proven_at = world.clock.midnight(self.plan.day - 1)
        known = {"recorded_at": midnight - 1_000_000}
        old = {**first, "valid_from": _microseconds(first["valid_from"]), "valid_to": midnight, **known}
        new = {**old, "wallet_id": self.successor, "valid_from": midnight, "valid_to": None}
        kept = without_rows(wallets, rows)
        added = [{**row, "proven_at": proven_at} for row in (old, new)]
        tables["wallets"] = with_rows("wallets", kept, added)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """From the day on the balance stands under the new name."""
        if today.day >= self.plan.day:
            balances = tables["wallet_balances"]
            (row,) = rows_where(balances, wallet_id=self.wallet)
            tables["wallet_balances"] = with_changes(balances, row, wallet_id=self.successor)


def _microseconds(when: Any) -> int:
    return int(pa.scalar(when, pa.timestamp("us")).value)


# --- reports ---------------------------------------------------------------------------------------------------------


class _Report(MonthEndFault):
    """What management publishes about the end of the first whole month."""

    minimum_days = 34
    offset = STOCK_DELAY_DAYS

    def scale(self, figures: list[Row], month_end: int, figure: str, asset: str | None, factor: str) -> None:
        """Multiply one figure of the month's report."""
        for row in figures if month_end == self.month_end else []:
            if row["figure"] == figure and row["asset"] == asset:
                scaled = row["amount"] * Decimal(factor)
                row["amount"] = cents(scaled) if asset is None else round(scaled, LEDGER_PLACES)


class LiabilitiesUnderstated(_Report):
    """A tenth of what customers are owed isn't mentioned."""

    name = "liabilities_understated"
    check = "reported_liabilities_match"
    form = OBVIOUS
    description = "The published total of customers' liabilities is a tenth too low."
    touches = frozenset({"report of liabilities in total"})

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish nine tenths."""
        self.scale(figures, month_end, "customer_liabilities", None, "0.9")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The total, when it is published."""
        note = "a tenth less than owed"
        yield self.finds("reported_liabilities_match", self.plan.day, "customer_liabilities", note)


class ShortfallHiddenByNetting(_Report):
    """One customer's debt is set off against what others are owed."""

    name = "shortfall_hidden_by_netting"
    check = "reported_liabilities_match"
    form = QUIET
    description = "Published liabilities are net of a margin customer's permitted debt, which hides it from the total."
    touches = frozenset({"report of liabilities in USD"})
    share = 0.003

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open the margin account with five times the collateral, and the account its dollars go to."""
        self.borrower = self.open_customer(world, account_class="margin", BTC=world.owed_usd * self.share * 5)
        self.payee = self.open_customer(world, "p", USD=100.0)

    @override
    def evening(self, today: Today) -> None:
        """Borrow: nothing is wrong with that."""
        if today.day == 5:
            units = int(today.world.owed_usd * self.share * 100)
            self.pay(today, self.borrower, self.payee, "USD", units, "borrow")

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish dollars owed, and the total, less the debt: the total stays within tolerance, dollars don't."""
        if month_end != self.month_end:
            return
        balances = records.days[month_end].special[book.world.account_index(self.borrower)]
        debt = Decimal(balances[INDEX["USD"]]).scaleb(-LEDGER_PLACES)
        for row in figures:
            if row["figure"] == "customer_liabilities" and row["asset"] in (None, "USD"):
                row["amount"] += debt

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Dollars, when they are published."""
        note = "net of a customer's debt"
        yield self.finds("reported_liabilities_match", self.plan.day, "customer_liabilities", note, "USD")


class LiabilitiesRounded(_Report):
    """A report in round figures."""

    name = "liabilities_rounded"
    check = "reported_liabilities_match"
    form = INNOCENT
    description = "Published liabilities in euro are four tenths of a percent too low."
    touches = frozenset({"report of liabilities in EUR"})

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish a little less."""
        self.scale(figures, month_end, "customer_liabilities", "EUR", "0.996")


class ReservesOverstated(_Report):
    """A fifth of the reserves exists in the report only."""

    name = "reserves_overstated"
    check = "reported_reserves_match"
    form = OBVIOUS
    description = "The published total of reserves is a fifth too high."
    touches = frozenset({"report of reserves in total"})

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish a fifth more."""
        self.scale(figures, month_end, "reserves", None, "1.2")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The total, when it is published."""
        yield self.finds("reported_reserves_match", self.plan.day, "reserves", "a fifth more than held")


class PledgedReserveReported(_Report):
    """What is pledged to a lender is published as if it were customers'."""

    name = "pledged_reserve_reported"
    check = "reported_reserves_match"
    form = QUIET
    description = "Published reserves of SOL count a wallet in full of which half is pledged to a lender."
    touches = frozenset({"report of reserves in SOL"})

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the wallet; what is left of it only adds to the surplus."""
        self.wallet = self.open_wallet(world, "SOL", 0.04, encumbered_pct=50)

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Add the pledged half."""
        if month_end != self.month_end:
            return
        held = records.days[month_end].slots[book.slot(self.wallet, "SOL")]
        for row in figures:
            if row["figure"] == "reserves" and row["asset"] == "SOL":
                row["amount"] += Decimal(held // 2).scaleb(-LEDGER_PLACES)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The asset, when it is published: 2 % more than is eligible."""
        note = "pledged coins counted in full"
        yield self.finds("reported_reserves_match", self.plan.day, "reserves", note, "SOL")


class ReservesRounded(_Report):
    """A report in round figures."""

    name = "reserves_rounded"
    check = "reported_reserves_match"
    form = INNOCENT
    description = "Published reserves of ether are four tenths of a percent too high."
    touches = frozenset({"report of reserves in ETH"})

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish a little more."""
        self.scale(figures, month_end, "reserves", "ETH", "1.004")


class InsuranceFundInvented(_Report):
    """The fund is whatever looks good."""

    name = "insurance_fund_invented"
    check = "insurance_fund_matches"
    form = OBVIOUS
    description = "The published insurance fund is two and a half times what its account holds."
    touches = frozenset({"report of the insurance fund in total"})

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish a multiple."""
        self.scale(figures, month_end, "insurance_fund", None, "2.5")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The figure, when it is published."""
        yield self.finds("insurance_fund_matches", self.plan.day, "insurance_fund", "no account holds it")


class InsuranceFundInAnotherAsset(_Report):
    """The total is right; one of its parts isn't there."""

    name = "insurance_fund_in_another_asset"
    check = "insurance_fund_matches"
    form = QUIET
    description = "The published fund breaks down into assets: its bitcoin isn't held."
    touches = frozenset({"report of the insurance fund in BTC"})

    @override
    def publish(self, figures: list[Row], book: Book, records: Records, month_end: int) -> None:
        """Publish a part in bitcoin next to the total."""
        if month_end == self.month_end:
            total = [row for row in figures if row["figure"] == "insurance_fund" and row["asset"] is None]
            figures += [{**row, "asset": "BTC", "amount": Decimal("0.01")} for row in total]

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The part, when it is published."""
        yield self.finds("insurance_fund_matches", self.plan.day, "insurance_fund", "no bitcoin in it", "BTC")


FAULTS: tuple[type[Fault], ...] = (
    PriceNeverQuoted,
    ReserveNeverQuoted,
    PriceStopped,
    PriceFrozen,
    PricePause,
    SourceFarOff,
    SourcesDriftApart,
    SourcesDifferSlightly,
    EngineShowsMore,
    EngineForgetsAccount,
    EngineShortOfCents,
    EngineRoundsDown,
    WalletShrinks,
    WalletBriefly,
    WalletRounded,
    BankHoliday,
    SmallBankHoliday,
    DepositNeverArrived,
    WireNeverCredited,
    WithdrawalACentMore,
    AdjustedFromOutside,
    DepositCreditedLate,
    WalletListedTwice,
    AddressInOtherCase,
    AddressMoved,
    LiabilitiesUnderstated,
    ShortfallHiddenByNetting,
    LiabilitiesRounded,
    ReservesOverstated,
    PledgedReserveReported,
    ReservesRounded,
    InsuranceFundInvented,
    InsuranceFundInAnotherAsset,
)
