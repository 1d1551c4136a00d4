"""Faults in the delivery itself: the load can't be trusted, and nothing is published."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.assets import SYMBOLS
from orchestration.simulate.clock import DAY, MICROSECONDS
from orchestration.simulate.delivery import PART, Delivery
from orchestration.simulate.faults.base import (
    INNOCENT,
    OBVIOUS,
    QUIET,
    Fault,
    Stage,
    moment,
    rows_where,
    transaction_id,
    with_changes,
    without_rows,
)
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.scenario import Scenario
from orchestration.simulate.today import Today
from orchestration.simulate.world import OPERATOR, World


class _Payment(Fault):
    """A payment of 120 dollars between two accounts of the fault's own, which the fault then spoils."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both accounts."""
        self.payer = self.open_customer(world, USD=500.0, ETH=500.0)
        self.payee = self.open_customer(world, "p", USD=500.0)

    @override
    def evening(self, today: Today) -> None:
        """Pay."""
        if today.day == self.plan.day:
            self.transaction = self.pay(today, self.payer, self.payee, "USD", 12_000)

    def rows_of_payee(self, ledger: pa.Table) -> list[int]:
        """The positions of the entry that credits the payee: a written file may repeat it."""
        return rows_where(ledger, transaction_id=transaction_id(self.transaction), account_id=self.payee)

    def row_of_payee(self, ledger: pa.Table) -> int:
        """The first position of the entry that credits the payee."""
        return self.rows_of_payee(ledger)[0]

    def entry_of_payee(self, ledger: pa.Table) -> str:
        """The identifier of the entry that credits the payee."""
        entry: str = ledger["entry_id"][self.row_of_payee(ledger)].as_py()
        return entry

    def change_entry(self, today: Today, tables: dict[str, pa.Table], **values: Any) -> None:
        """On the planting day deliver the entry that credits the payee with other values, and remember which it is."""
        if today.day == self.plan.day:
            ledger = tables["ledger_entries"]
            self.entry = self.entry_of_payee(ledger)
            tables["ledger_entries"] = with_changes(ledger, self.row_of_payee(ledger), **values)


# --- schema_conforms -------------------------------------------------------------------------------------------------


class _ExtraFile(Fault):
    """A second file in a day's partition."""

    table: str
    header: str
    row: str

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Add the file."""
        date = delivery.clock.date_of(self.plan.day).isoformat()
        text = f"{self.header}\n{self.row.format(date=date)}\n"
        self.file = delivery.add_text(self.table, f"extra-{self.name}.csv", text, self.plan.day)


class TextInAmount(_ExtraFile):
    """Somebody typed the amount."""

    name = "text_in_amount"
    check = "schema_conforms"
    form = OBVIOUS
    stage = Stage.REFUSED
    description = "A transfer in a file added by hand moves 'twelve' bitcoin."
    table = "wallet_transfers"
    header = (
        "transfer_id,wallet_id,counterparty_address,counterparty_wallet_id,asset,amount,transfer_type,block_time,"
        "recorded_at"
    )
    row = "t-by-hand,btc-hot,,,BTC,twelve,other,{date}T10:00:00Z,{date}T10:00:30Z"

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The file."""
        yield self.finds("schema_conforms", self.plan.day, self.file, "an amount in words")


class NineteenPlaces(_ExtraFile):
    """One digit more than the contract can hold, which a careless reader rounds away."""

    name = "nineteen_places"
    check = "schema_conforms"
    form = QUIET
    stage = Stage.REFUSED
    description = "A price is given to 19 places, the last of them not zero."
    table = "token_prices"
    header = "asset,price_usd,volume_usd,as_of,source"
    row = "SOL,210.1234567890123456781,1000,{date}T12:00:00Z,lagoon-feed"

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The file."""
        yield self.finds("schema_conforms", self.plan.day, self.file, "more places than an amount has")


class ColumnMissing(Fault):
    """A source left out a column after an upgrade."""

    name = "column_missing"
    check = "schema_conforms"
    form = QUIET
    stage = Stage.REFUSED
    description = "The file of open positions comes without the column of unrealised profit."

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Deliver the file without the column."""
        positions = delivery.read("open_positions", self.plan.day)
        delivery.replace("open_positions", positions.drop_columns(["unrealised_pnl_usd"]), self.plan.day)
        self.file = f"{delivery.place('open_positions', self.plan.day)}/{PART}"

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The file."""
        yield self.finds("schema_conforms", self.plan.day, self.file, "a required column is missing")


class EncumbranceLeftOpen(Fault):
    """Whether a wallet is pledged isn't said, which isn't the same as not pledged."""

    name = "encumbrance_left_open"
    check = "schema_conforms"
    form = QUIET
    stage = Stage.REFUSED
    description = "The list of wallets doesn't say which share of a wallet is pledged."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Add the wallet."""
        self.wallet = self.open_wallet(world, "USDC", 0.0005)

    @override
    def refer(self, world: World, tables: dict[str, pa.Table]) -> None:
        """Leave the share out in its rows."""
        for row in rows_where(tables["wallets"], wallet_id=self.wallet):
            tables["wallets"] = with_changes(tables["wallets"], row, encumbered_pct=None)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The file, on the day of the run: a reference table has no day of its own."""
        yield self.finds("schema_conforms", outcome.last_day, f"wallets/{PART}", "a share isn't given")


class UnusualSpelling(_ExtraFile):
    """Everything in the file is spelled in another way than usual, and all of it is allowed."""

    name = "unusual_spelling"
    check = "schema_conforms"
    form = INNOCENT
    description = "A file of market depth in scientific notation, with trailing zeros and a column nobody knows."
    table = "market_depth"
    header = "asset,as_of,bid_depth_2pct_usd,volume_30d_avg_usd,volatility_30d,source,comment"
    row = "BTC,{date}T12:00:00+00:00,1.5e6,2000000.00000000000000000000,4.5E-2,lagoon-feed,as agreed by phone"


# --- keys_unique -----------------------------------------------------------------------------------------------------


class TwoContentsInOneBatch(_Payment):
    """The batch holds the same entry with two amounts."""

    name = "two_contents_in_one_batch"
    check = "keys_unique"
    form = OBVIOUS
    stage = Stage.REFUSED
    description = "One entry stands twice in a day's batch, the second time over ten times the amount."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Append the entry with the other amount."""
        if today.day == self.plan.day:
            ledger = tables["ledger_entries"]
            self.entry = self.entry_of_payee(ledger)
            again = ledger.slice(self.row_of_payee(ledger), 1)
            tables["ledger_entries"] = pa.concat_tables([ledger, with_changes(again, 0, amount=Decimal(1_200))])

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The key, dated by its delivery."""
        yield self.finds("keys_unique", self.plan.day, self.entry, "two amounts under one key", "USD")


class OneDigitChanged(_Payment):
    """A source delivers a row again, as it may, but one digit differs."""

    name = "one_digit_changed"
    check = "keys_unique"
    form = QUIET
    stage = Stage.REFUSED
    description = "An entry is delivered a second time three days later with one digit changed."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Remember the entry on its day, and deliver it again later."""
        ledger = tables["ledger_entries"]
        if today.day == self.plan.day:
            self.entry = self.entry_of_payee(ledger)
            self.again = with_changes(ledger.slice(self.row_of_payee(ledger), 1), 0, amount=Decimal(130))
        if today.day == self.plan.day + 3:
            tables["ledger_entries"] = pa.concat_tables([ledger, self.again])

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The key, dated by the later delivery."""
        yield self.finds("keys_unique", self.plan.day + 3, self.entry, "one digit differs", "USD")


class OneDigitChangedLater(_Payment):
    """The same, once the first delivery has been accepted."""

    name = "one_digit_changed_later"
    check = "keys_unique"
    form = QUIET
    stage = Stage.REFUSED_LATER
    description = "An accepted entry comes again in a file added to the next day's batch, one digit changed."

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Add the row to the next day's partition."""
        ledger = delivery.read("ledger_entries", self.plan.day)
        self.entry = self.entry_of_payee(ledger)
        again = with_changes(ledger.slice(self.row_of_payee(ledger), 1), 0, amount=Decimal(130))
        other = delivery.read("ledger_entries", self.plan.day + 1, later=True)
        delivery.replace("ledger_entries", pa.concat_tables([other, again]), self.plan.day + 1, later=True)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The key, dated by the later delivery."""
        yield self.finds("keys_unique", self.plan.day + 1, self.entry, "one digit differs", "USD")


# --- references_resolve ----------------------------------------------------------------------------------------------


class EntryOfUnknownAccount(_Payment):
    """Money goes to an account that isn't in the list of accounts."""

    name = "entry_of_unknown_account"
    check = "references_resolve"
    form = OBVIOUS
    stage = Stage.REFUSED
    description = "A payment is credited to an account that the list of accounts doesn't have."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Credit somebody else."""
        self.change_entry(today, tables, account_id="acct-nobody")

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The entry."""
        yield self.finds("references_resolve", self.plan.day, self.entry, "nobody knows the account", "USD")


class AccountRecordedTooLate(_Payment):
    """The list has the account, but it was recorded after all that happened in it."""

    name = "account_recorded_too_late"
    check = "references_resolve"
    form = QUIET
    stage = Stage.REFUSED
    description = "Money passes through an account within a day; the list has it only from after the last day."

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Record the receiver's account at the end of the last day."""
        self.payer = self.open_customer(world, USD=500.0)
        self.payee = self.open_customer(world, "p")
        world.accounts[-1] = replace(world.accounts[-1], first_day=world.scenario.days)

    @override
    def evening(self, today: Today) -> None:
        """Pay, and pay back, so that no snapshot shows the account."""
        super().evening(today)
        if today.day == self.plan.day:
            self.pay(today, self.payee, self.payer, "USD", 12_000)

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Remember the account's entries."""
        if today.day == self.plan.day:
            ledger = tables["ledger_entries"]
            rows = rows_where(ledger, account_id=self.payee)
            self.entries = [ledger["entry_id"][row].as_py() for row in rows]

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """Both entries."""
        for entry in self.entries:
            yield self.finds("references_resolve", self.plan.day, entry, "the account isn't known by then", "USD")


# --- arrivals_complete -----------------------------------------------------------------------------------------------


class LedgerDayMissing(Fault):
    """A whole day of the ledger never came."""

    name = "ledger_day_missing"
    check = "arrivals_complete"
    form = OBVIOUS
    stage = Stage.REFUSED
    description = "The ledger of one day isn't delivered at all."
    day = 6

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Take the file away, and what the next day repeats of it: a part would leave transactions without a leg."""
        missing = set(delivery.read("ledger_entries", self.plan.day)["entry_id"].to_pylist())
        following = delivery.read("ledger_entries", self.plan.day + 1)
        repeated = [row for row, entry in enumerate(following["entry_id"].to_pylist()) if entry in missing]
        delivery.replace("ledger_entries", without_rows(following, repeated), self.plan.day + 1)
        delivery.remove("ledger_entries", self.plan.day)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The table, on that day."""
        yield self.finds("arrivals_complete", self.plan.day, "ledger_entries", "no partition")


class PricesMissingLastDay(Fault):
    """The newest day came without prices; every older day is whole."""

    name = "prices_missing_last_day"
    check = "arrivals_complete"
    form = QUIET
    stage = Stage.REFUSED
    description = "Of the last day everything is there but the prices, and yesterday's would still do."
    day = -1

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Take the file away."""
        delivery.remove("token_prices", self.plan.day)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The table, on that day."""
        yield self.finds("arrivals_complete", self.plan.day, "token_prices", "no partition")


class EmptyDay(Fault):
    """A day without rows is delivered as one."""

    name = "empty_day"
    check = "arrivals_complete"
    form = INNOCENT
    description = "The file of prices of one day has no row; yesterday's prices are a day old and still do."

    @classmethod
    @override
    def planting_day(cls, scenario: Scenario) -> int:
        """Not a month's last day: what management reports about it is valued at that day's own prices."""
        usual = super().planting_day(scenario)
        return usual - 1 if scenario.date_of(usual + 1).day == 1 else usual

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Deliver none of the usual prices."""
        if today.day == self.plan.day:
            prices = tables["token_prices"]
            usual = [row for symbol in SYMBOLS for row in rows_where(prices, asset=symbol)]
            tables["token_prices"] = without_rows(prices, usual)


# --- ledger_balances -------------------------------------------------------------------------------------------------


class LostLeg(_Payment):
    """One of two legs didn't make it into the batch."""

    name = "lost_leg"
    check = "ledger_balances"
    form = OBVIOUS
    stage = Stage.REFUSED
    description = "The entry that credits a payment's receiver is missing from the batch."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Leave the entry out."""
        if today.day == self.plan.day:
            ledger = tables["ledger_entries"]
            tables["ledger_entries"] = without_rows(ledger, [self.row_of_payee(ledger)])

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The transaction."""
        subject = transaction_id(self.transaction)
        yield self.finds("ledger_balances", self.plan.day, subject, "a leg is missing", "USD")


class LegOffByTheSmallestUnit(_Payment):
    """One leg differs from the other in the last of 18 places."""

    name = "leg_off_by_smallest_unit"
    check = "ledger_balances"
    form = QUIET
    stage = Stage.REFUSED
    description = "A payment's two legs differ in the eighteenth place, which binary floats don't see."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Credit the smallest unit more."""
        self.change_entry(today, tables, amount=Decimal(120) + Decimal(1).scaleb(-18))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The transaction."""
        subject = transaction_id(self.transaction)
        yield self.finds("ledger_balances", self.plan.day, subject, "off by the smallest unit", "USD")


# --- history_unchanged -----------------------------------------------------------------------------------------------


class EntryRemoved(_Payment):
    """A loaded entry isn't in its file any more."""

    name = "entry_removed"
    check = "history_unchanged"
    form = OBVIOUS
    stage = Stage.REFUSED_LATER
    description = "After it was loaded, an entry is gone from its file."
    minimum_days = 14

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Write the partition again without the row."""
        ledger = delivery.read("ledger_entries", self.plan.day, later=True)
        self.entry = self.entry_of_payee(ledger)
        kept = without_rows(ledger, self.rows_of_payee(ledger))
        delivery.replace("ledger_entries", kept, self.plan.day, later=True)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The entry, dated by the day it was delivered for."""
        yield self.finds("history_unchanged", self.plan.day, self.entry, "gone from its file", "USD")


class EntryEditedInPlace(_Payment):
    """A loaded entry is changed in its file days later; the file's other rows stay as they were."""

    name = "entry_edited_in_place"
    check = "history_unchanged"
    form = QUIET
    stage = Stage.REFUSED_LATER
    description = "A week after it was loaded, an entry's amount is one cent higher in its file."
    minimum_days = 14

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Write the partition again with one cent more."""
        ledger = delivery.read("ledger_entries", self.plan.day, later=True)
        self.entry = self.entry_of_payee(ledger)
        for row in self.rows_of_payee(ledger):
            ledger = with_changes(ledger, row, amount=Decimal("120.01"))
        delivery.replace("ledger_entries", ledger, self.plan.day, later=True)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The entry, dated by the day it was delivered for."""
        yield self.finds("history_unchanged", self.plan.day, self.entry, "one cent more than was loaded", "USD")


class OwnerRewritten(_Payment):
    """An account always belonged to somebody else, says the list all at once."""

    name = "owner_rewritten"
    check = "history_unchanged"
    form = QUIET
    stage = Stage.REFUSED_LATER
    description = "The list of accounts names another owner for an account, as if it had always been so."

    @override
    def spoil(self, delivery: Delivery) -> None:
        """Write the list again; the row keeps its time of recording."""
        accounts = delivery.read("accounts", later=True)
        (row,) = rows_where(accounts, account_id=self.payee)
        delivery.replace("accounts", with_changes(accounts, row, entity_id=OPERATOR), later=True)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The account, on the day of the second run."""
        yield self.finds("history_unchanged", outcome.last_day, self.payee, "another owner than was loaded")


# --- times_plausible -------------------------------------------------------------------------------------------------


class EffectiveAfterDelivery(_Payment):
    """An entry is delivered two days before it counts."""

    name = "effective_after_delivery"
    check = "times_plausible"
    form = OBVIOUS
    stage = Stage.REFUSED
    description = "A payment's entry is delivered two days before it is effective."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Move its effect two days on."""
        self.change_entry(today, tables, effective_at=moment(today.clock.at(today.day + 2, 12.0)))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The entry."""
        yield self.finds("times_plausible", self.plan.day, self.entry, "effective after its delivery", "USD")


class RecordedASecondTooLate(_Payment):
    """The clock that stamps records runs a little ahead of what the contract lets pass."""

    name = "recorded_a_second_too_late"
    check = "times_plausible"
    form = QUIET
    stage = Stage.REFUSED
    description = "An entry was recorded a day and a second after the day it is delivered for."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Stamp it so."""
        self.change_entry(today, tables, recorded_at=moment(today.clock.midnight(today.day) + 2 * DAY + MICROSECONDS))

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The entry."""
        yield self.finds("times_plausible", self.plan.day, self.entry, "recorded after its delivery", "USD")


class RecordedJustInTime(_Payment):
    """The latest time that the contract lets pass."""

    name = "recorded_just_in_time"
    check = "times_plausible"
    form = INNOCENT
    description = "An entry was recorded exactly a day after the end of the day it is delivered for."

    @override
    def deliver(self, today: Today, tables: dict[str, pa.Table]) -> None:
        """Stamp it so."""
        self.change_entry(today, tables, recorded_at=moment(today.clock.midnight(today.day) + 2 * DAY))


FAULTS: tuple[type[Fault], ...] = (
    TextInAmount,
    NineteenPlaces,
    ColumnMissing,
    EncumbranceLeftOpen,
    UnusualSpelling,
    TwoContentsInOneBatch,
    OneDigitChanged,
    OneDigitChangedLater,
    EntryOfUnknownAccount,
    AccountRecordedTooLate,
    LedgerDayMissing,
    PricesMissingLastDay,
    EmptyDay,
    LostLeg,
    LegOffByTheSmallestUnit,
    EntryRemoved,
    EntryEditedInPlace,
    OwnerRewritten,
    EffectiveAfterDelivery,
    RecordedASecondTooLate,
    RecordedJustInTime,
)
