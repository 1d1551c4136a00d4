"""Faults in the delivery itself: the load can't be trusted, and nothing is published."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
from typing_extensions import override

from orchestration.simulate.delivery import Delivery
from orchestration.simulate.faults.base import (
    OBVIOUS,
    QUIET,
    Fault,
    Stage,
    rows_where,
    transaction_id,
    with_changes,
    without_rows,
)
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.prices import PricePaths
from orchestration.simulate.today import Today
from orchestration.simulate.world import World


class _Payment(Fault):
    """A payment between two accounts of the fault's own, which the fault then spoils."""

    @override
    def prepare(self, world: World, paths: PricePaths) -> None:
        """Open both accounts."""
        self.payer = self.open_customer(world, USD=500.0)
        self.payee = self.open_customer(world, "p", USD=500.0)

    @override
    def evening(self, today: Today) -> None:
        """Pay 120 dollars."""
        if today.day == self.plan.day:
            self.transaction = self.pay(today, self.payer, self.payee, "USD", 12_000)

    def row_of_payee(self, ledger: pa.Table) -> int:
        """The position of the entry that credits the payee."""
        (row,) = rows_where(ledger, transaction_id=transaction_id(self.transaction), account_id=self.payee)
        return row


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
        row = self.row_of_payee(ledger)
        self.entry = ledger["entry_id"][row].as_py()
        amount: Decimal = ledger["amount"][row].as_py()
        edited = with_changes(ledger, row, amount=amount + Decimal("0.01"))
        delivery.replace("ledger_entries", edited, self.plan.day, later=True)

    @override
    def findings(self, outcome: Outcome) -> Iterator[Finding]:
        """The entry, dated by the day it was delivered for."""
        yield self.finds("history_unchanged", self.plan.day, self.entry, "one cent more than was loaded", "USD")


FAULTS: tuple[type[Fault], ...] = (LostLeg, EntryEditedInPlace)
