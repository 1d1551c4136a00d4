"""Balances, liabilities, receivables and positions: DOMAIN.md section 3.

What belongs here: what the operator owes and is owed, account by account. What doesn't: what it holds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tests.oracle.books import Books, Row, day_end
from tests.oracle.decimals import ZERO, total, value_usd
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.relations import Relations


@dataclass
class Owed:
    """What one relation's accounts are owed and owe in one asset; both are zero or more."""

    liability: Decimal = ZERO
    receivable: Decimal = ZERO
    accounts: int = 0


def day_of_snapshot(row: Row) -> date:
    """The day that a snapshot describes: of its stamp or of its delivery, whichever is earlier."""
    described: date = row["as_of"].date()
    delivered: date = row["partition_date"]
    return min(described, delivered)


def last_of_day(rows: list[Row], first_key: str, second_key: str) -> dict[tuple[date, str, str], Row]:
    """By day and key the snapshot with the latest stamp."""
    latest: dict[tuple[date, str, str], Row] = {}
    for row in rows:
        identity = (day_of_snapshot(row), str(row[first_key]), str(row[second_key]))
        if identity not in latest or row["as_of"] > latest[identity]["as_of"]:
            latest[identity] = row
    return latest


class Ledger:
    """The ledger without external accounts."""

    def __init__(self, books: Books, policy: Policy, relations: Relations, prices: Prices):
        self.books = books
        self.policy = policy
        self.relations = relations
        self.prices = prices
        self.entries = [
            entry
            for entry in books.rows("ledger_entries")
            if relations.account_class(entry["account_id"]) != "external"
        ]
        self.positions = last_of_day(books.rows("open_positions"), "account_id", "instrument")
        self._balances: dict[datetime, dict[tuple[str, str], Decimal]] = {}

    def balances_before(self, moment: datetime) -> dict[tuple[str, str], Decimal]:
        """B by account and asset from the entries effective before the moment; zero balances are left out."""
        if moment not in self._balances:
            sums: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
            for entry in self.entries:
                if entry["effective_at"] < moment:
                    sums[entry["account_id"], entry["asset"]] += entry["amount"]
            self._balances[moment] = {key: balance for key, balance in sums.items() if balance != 0}
        return self._balances[moment]

    def balances(self, day: date) -> dict[tuple[str, str], Decimal]:
        """B at the end of the day."""
        return self.balances_before(day_end(day))

    def negative_periods(self) -> list[Row]:
        """fct_negative_balance_period: uninterrupted days below zero, and the entry that began them."""
        days: dict[tuple[str, str], dict[date, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for entry in sorted(self.entries, key=lambda entry: (entry["effective_at"], entry["entry_id"])):
            days[entry["account_id"], entry["asset"]][entry["effective_at"].date()].append(entry)
        rows: list[Row] = []
        for (account, asset), history in sorted(days.items()):
            balance = ZERO
            period: Row | None = None
            for day, entries in history.items():
                event: Row = {}
                for entry in entries:
                    before, balance = balance, balance + entry["amount"]
                    if balance < 0 <= before:
                        event = {
                            "event_entry_id": entry["entry_id"],
                            "balance_before": before,
                            "balance_after": balance,
                        }
                if balance < 0 and period is None:
                    period = {"account_id": account, "asset": asset, "from_date": day, "to_date": None} | event
                    period["lowest_balance"] = balance
                    rows.append(period)
                elif period is not None and balance < 0:
                    period["lowest_balance"] = min(period["lowest_balance"], balance)
                elif period is not None:
                    period["to_date"], period = day, None
        return rows

    def owed(self, day: date) -> dict[tuple[str, str], Owed]:
        """By asset and relation; money in a suspense account is owed to customers."""
        result: dict[tuple[str, str], Owed] = defaultdict(Owed)
        for (account, asset), balance in self.balances(day).items():
            relation = self.relations.account(account, day)
            if balance > 0 and self.relations.account_class(account) == "suspense":
                relation = "customer"
            line = result[asset, relation]
            line.accounts += 1
            line.liability += max(balance, ZERO)
            line.receivable += max(-balance, ZERO)
        return result

    def liability(self, asset: str, day: date, relation: str = "customer") -> Decimal:
        """Units owed to accounts of the relation."""
        return self.owed(day).get((asset, relation), Owed()).liability

    def customer_liabilities_usd(self, day: date) -> Decimal:
        """USD owed to customers; assets without a price are left out."""
        return total(
            value_usd(line.liability, self.prices.usd(asset, day))
            for (asset, relation), line in self.owed(day).items()
            if relation == "customer"
        )

    def is_dust(self, quantity: Decimal, asset: str, day: date) -> bool:
        """Worth less than the policy's USD, or without a price fewer than its units."""
        value = value_usd(abs(quantity), self.prices.usd(asset, day))
        if value is None:
            return bool(abs(quantity) < self.policy.dust_unpriced_units)
        return bool(value < self.policy.dust_usd)

    def profit_usd(self, account: str, day: date) -> Decimal:
        """Unrealised profit of the day's positions; an affiliate's profit counts nothing, its loss in full."""
        is_affiliate = self.relations.account(account, day) == "affiliate"
        profits = [row["unrealised_pnl_usd"] for row in self._positions_of(account, day)]
        return total(min(profit, ZERO) if is_affiliate else profit for profit in profits)

    def _positions_of(self, account: str, day: date) -> list[Row]:
        return [row for key, row in self.positions.items() if key[0] == day and key[1] == account]

    def accounts_with_equity(self, day: date) -> list[str]:
        """Accounts that borrow or hold a position; every other account's equity can't be negative."""
        borrowing = {account for (account, _), balance in self.balances(day).items() if balance < 0}
        return sorted(borrowing | {key[1] for key in self.positions if key[0] == day})
