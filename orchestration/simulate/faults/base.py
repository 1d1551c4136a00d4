"""What every planted fault has: its place in the catalogue, accounts of its own, and small helpers.

What belongs here: what faults of several families need. What doesn't: any single fault.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc
from typing_extensions import override

from orchestration import contract
from orchestration.simulate.acts.base import Act
from orchestration.simulate.assets import ASSETS, INDEX
from orchestration.simulate.clock import MINUTE, Clock
from orchestration.simulate.columns import rows_to_table
from orchestration.simulate.outcome import Finding, Outcome
from orchestration.simulate.payments import Payments, credit
from orchestration.simulate.scenario import Scenario
from orchestration.simulate.today import Today
from orchestration.simulate.world import FOUNDER, OPERATOR, AccountPlan, WalletPlan, World, link

OBVIOUS, QUIET, INNOCENT = "obvious", "quiet", "innocent"


class Stage(StrEnum):
    """When a fault shows, and what that does to the load."""

    PUBLISHED = "published"
    REFUSED = "refused at once"
    REFUSED_LATER = "refused after a second delivery"

    @property
    def is_later(self) -> bool:
        """Whether the fault lies in a second delivery."""
        return self is Stage.REFUSED_LATER


class Fault(Act):
    """One fault. Subclasses set the class variables; the class's description is one sentence."""

    name: ClassVar[str]
    check: ClassVar[str]
    form: ClassVar[str]
    description: ClassVar[str]
    stage: ClassVar[Stage] = Stage.PUBLISHED
    touches: ClassVar[frozenset[str]] = frozenset()
    minimum_days: ClassVar[int] = 12
    day: ClassVar[int] = 5
    """The day on which it is planted, counted from the first (0), or from the end if negative (-1 is the last)."""
    is_from_the_start: ClassVar[bool] = False
    """Whether it holds on every day, so that there is no day of planting but the first."""

    @classmethod
    def planting_day(cls, scenario: Scenario) -> int:
        """The number of the day on which the fault is planted in a scenario.

        A longer exchange has more days before it, and as many after it as the shortest.
        """
        if cls.is_from_the_start:
            return 0
        return scenario.days + (cls.day if cls.day < 0 else cls.day - cls.minimum_days)

    @classmethod
    def later_after(cls, scenario: Scenario) -> int:
        """The day after whose run a second delivery is laid over: the last but one, so that one more run follows."""
        return scenario.days - 2

    @staticmethod
    def slug_of(name: str) -> str:
        """A fault's name as it stands in identifiers, where it tells nobody what it is about."""
        return f"{zlib.crc32(name.encode()) % 10**6:06d}"

    @property
    def slug(self) -> str:
        """The fault's own name as it stands in identifiers."""
        return self.slug_of(self.name)

    def open_customer(
        self, world: World, suffix: str = "", *, account_class: str = "spot", **opening_usd: float
    ) -> str:
        """Add a customer with one account of its own, which no ordinary activity touches; returns the account."""
        entity = self.open_entity(world, f"cust-f{self.slug}{suffix}", "customer")
        return self.open_account(world, entity, suffix, account_class=account_class, is_customer=True, **opening_usd)

    def open_affiliate(self, world: World, suffix: str = "") -> str:
        """Add a company that belongs to the founder, who controls the operator; returns the entity."""
        entity = self.open_entity(world, f"company-f{self.slug}{suffix}", "company")
        world.links.append(link(FOUNDER, entity, "ownership", 100, world.clock.midnight(-40)))
        return entity

    def open_house(self, world: World) -> str:
        """Add a house account of the operator's, so that the one that the desks look at stays as it is."""
        return self.open_account(world, OPERATOR, "h", account_class="house")

    def open_entity(self, world: World, entity: str, kind: str) -> str:
        """Add an entity of a kind that nobody is linked to; returns it."""
        row = {"entity_id": entity, "entity_type": kind, "name": None, "country": "GB"}
        world.entities.append({**row, "recorded_at": world.clock.midnight(-40)})
        return entity

    def open_account(
        self,
        world: World,
        entity: str,
        suffix: str = "",
        *,
        account_class: str = "spot",
        is_customer: bool = False,
        **opening_usd: float,
    ) -> str:
        """Add an account of an entity with its opening balances; returns the account."""
        account = f"acct-f{self.slug}{suffix}-{account_class}"
        world.accounts.append(AccountPlan(account, entity, account_class, None, opening_usd, is_customer=is_customer))
        return account

    def open_wallet(self, world: World, symbol: str, share: float, suffix: str = "", **columns: Any) -> str:
        """Add a wallet of the operator's at a custodian that holds a share of an asset's reserves; returns its name.

        Ordinary activity leaves custodians' wallets alone. ``columns`` are those of the plan that shall be otherwise.
        """
        wallet = f"vault-f{self.slug}{suffix}"
        plan = WalletPlan(wallet, "custodian", OPERATOR, "customer", "custodian", "custodian_letter", {symbol: share})
        world.wallets.append(replace(plan, **columns))
        return wallet

    def pay(
        self, today: Today, payer: str, payee: str, symbol: str, units: int, kind: str = "transfer", hours: float = 13.0
    ) -> int:
        """Move units between two accounts that aren't ordinary customers'; returns the transaction's number."""
        book, world = today.book, today.world
        accounts = [world.account_index(payer), world.account_index(payee)]
        transaction = book.new_transactions(1)
        book.post(transaction, accounts, INDEX[symbol], [-units, units], kind, today.clock.at(today.day, hours))
        return int(transaction[0])

    def deposit(self, today: Today, account: str, wallet: str, symbol: str, units: int) -> None:
        """Bring units from outside to a wallet, credited to an account that isn't an ordinary customer's."""
        when = today.clock.at(today.day, 10.0)
        numbers = today.book.transfer(today.book.slot(wallet, symbol), units, "deposit", when)
        credit(today, Payments.one(today.world.account_index(account), INDEX[symbol], units), when, numbers)

    def withdraw(self, today: Today, account: str, wallet: str, symbol: str, units: int) -> None:
        """Take units out of a wallet, charged to an account that isn't an ordinary customer's."""
        book, world, asset, when = today.book, today.world, INDEX[symbol], today.clock.at(today.day, 20.0)
        reference = book.transfer(book.slot(wallet, symbol), -units, "withdrawal", when + MINUTE)
        accounts = [world.account_index(account), world.external_index(asset)]
        transaction = book.new_transactions(1)
        book.post(transaction, accounts, asset, [-units, units], "withdrawal", when, reference=reference)

    def move(self, today: Today, wallet: str, symbol: str, units: int, kind: str = "other") -> int:
        """Change what a wallet holds by a transfer from or to the outside that no entry is behind; its number."""
        slot, when = today.book.slot(wallet, symbol), today.clock.at(today.day, 16.0)
        return int(today.book.transfer(slot, units, kind, when)[0])

    def in_the_red(self, outcome: Outcome, account: str, symbol: str, note: str) -> Iterator[Finding]:
        """A negative balance that nothing covers: the balance and the equity, every day from the planting on."""
        for day in outcome.days_from(self.plan.day):
            yield self.finds("no_negative_balance", day, account, note, symbol)
            yield self.finds("no_negative_equity", day, account, note)

    def shortfalls(self, outcome: Outcome, group: str, note: str) -> Iterator[Finding]:
        """The days from the planting on, on which a group is short."""
        for day in outcome.days_from(self.plan.day):
            if outcome.gap(day, group) < 0:
                yield self.finds("reserves_cover_liabilities", day, group, note, group)

    def total_shortfalls(self, outcome: Outcome, note: str) -> Iterator[Finding]:
        """The days from the planting on, on which the exchange is short in total."""
        for day in outcome.days_from(self.plan.day):
            if outcome.net_gap_usd(day) < 0:
                yield self.finds("total_reserves_cover_liabilities", day, "exchange", note)


class MonthEndFault(Fault):
    """A fault that hangs on the end of the first whole month, however long the exchange is looked at."""

    offset: ClassVar[int] = 0
    """The day of planting, counted from the month's last day."""

    @classmethod
    @override
    def planting_day(cls, scenario: Scenario) -> int:
        """The day of planting."""
        return Clock(scenario.start).month_ends(scenario.days)[0] + cls.offset

    @property
    def month_end(self) -> int:
        """The month's last day."""
        return self.plan.day - self.offset


def units_of(today: Today, symbol: str, value_usd: float) -> int:
    """Whole units of an asset worth about so many USD today."""
    asset = INDEX[symbol]
    return int(value_usd / float(today.mid[asset]) * 10 ** ASSETS[asset].places)


def moment(microseconds: int) -> datetime:
    """A time as tables hold it, from microseconds since the epoch."""
    return datetime(1970, 1, 1) + timedelta(microseconds=microseconds)


def transaction_id(number: int) -> str:
    """The identifier under which a transaction is delivered."""
    return f"x{number:010d}"


def rows_where(table: pa.Table, **values: Any) -> list[int]:
    """Positions of the rows whose columns have these values."""
    found = pa.array([True] * table.num_rows)
    for column, value in values.items():
        found = pc.and_(found, pc.fill_null(pc.equal(table[column], pa.scalar(value, table[column].type)), False))
    return [int(position) for position in pc.indices_nonzero(found).to_pylist()]


def with_changes(table: pa.Table, position: int, **values: Any) -> pa.Table:
    """The table with one row's columns changed."""
    for column, value in values.items():
        number, kind = table.schema.get_field_index(column), table.schema.field(column)
        cells = table[column].combine_chunks()
        new = pa.concat_arrays([cells[:position], pa.array([value], kind.type), cells[position + 1 :]])
        table = table.set_column(number, kind, new)
    return table


def with_rows(name: str, table: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    """A table of the contract with further rows; times are microseconds, decimals int, Decimal or null."""
    return pa.concat_tables([table, rows_to_table(contract.table(name), rows)])


def without_rows(table: pa.Table, positions: list[int]) -> pa.Table:
    """The table without the rows at these positions."""
    gone = set(positions)
    left = [position for position in range(table.num_rows) if position not in gone]
    kept: pa.Table = table.take(pa.array(left, pa.int64()))
    return kept
