"""Wallets as they stand on a date, and what they hold: DOMAIN.md sections 2 and 4.

What belongs here: validity, normalised addresses, the day's balance rows. What doesn't: eligibility.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal

from tests.oracle.books import Books, Row, day_end
from tests.oracle.ledger import last_of_day
from tests.oracle.relations import Relations, holds_at, holds_during


def normalised_address(row: Row) -> tuple[str, str]:
    """Network and address as one and the same place is written: only base58, which mixes cases, knows any.

    A wallet without an address is a place of its own.
    """
    network = row["network"].strip().lower()
    address = f"wallet {row['wallet_id']}" if row["address"] is None else row["address"].strip()
    if address.lower().startswith(("0x", "bc1")) or address in (address.lower(), address.upper()):
        address = address.lower()
    return network, address


class Wallets:
    """Wallets by date."""

    def __init__(self, books: Books, relations: Relations):
        self.books = books
        self.relations = relations
        self.daily_rows = last_of_day(books.rows("wallet_balances"), "wallet_id", "asset")
        self._versions: dict[str, list[Row]] = defaultdict(list)
        for row in sorted(books.rows("wallets"), key=lambda row: row["valid_from"]):
            self._versions[row["wallet_id"]].append(self._ended_by_successor(row))
        self.wallet_ids = sorted(self._versions)

    def _ended_by_successor(self, row: Row) -> Row:
        """The row, ending no later than the wallet's next row begins."""
        successors = [
            other["valid_from"]
            for other in self.books.rows("wallets")
            if other["wallet_id"] == row["wallet_id"] and other["valid_from"] > row["valid_from"]
        ]
        ends = [moment for moment in [row["valid_to"], *successors] if moment is not None]
        return {**row, "valid_to": min(ends) if ends else None}

    def versions(self, wallet_id: str, day: date) -> list[Row]:
        """Every version that holds at any moment of the day, in order of time."""
        return [row for row in self._versions[wallet_id] if holds_during(row, day)]

    def last_version(self, wallet_id: str, day: date) -> Row | None:
        """The version that holds last on the day; None if none does."""
        versions = self.versions(wallet_id, day)
        return versions[-1] if versions else None

    def version_at(self, wallet_id: str, moment: datetime) -> Row | None:
        """The version that holds at the moment; None if none does."""
        versions = [row for row in self._versions[wallet_id] if holds_at(row, moment)]
        return versions[-1] if versions else None

    def is_listed_to_the_end(self, wallet_id: str, day: date) -> bool:
        """Whether a version of the wallet holds until the day is over."""
        return any(row["valid_to"] is None or row["valid_to"] >= day_end(day) for row in self.versions(wallet_id, day))

    def owner_relation(self, wallet_id: str, moment: datetime) -> str | None:
        """The relation, on the day of the moment, of who owns the wallet at the moment."""
        version = self.version_at(wallet_id, moment)
        return self.relations.entity(version["owner_entity_id"], moment.date()) if version else None

    def balance(self, wallet_id: str, asset: str, day: date) -> Decimal | None:
        """The day's balance; None if no row was delivered for it."""
        row = self.daily_rows.get((day, wallet_id, asset))
        return row["balance"] if row else None

    def last_known_balance(self, wallet_id: str, asset: str, day: date) -> Decimal:
        """The balance of the last day on or before the day that has one; raise ValueError if there is none."""
        days = [key[0] for key in self.daily_rows if key[1:] == (wallet_id, asset) and key[0] <= day]
        balance: Decimal = self.daily_rows[max(days), wallet_id, asset]["balance"]
        return balance

    def assets_until(self, wallet_id: str, day: date) -> list[str]:
        """Assets of which the wallet had a balance row on the day or before it."""
        return sorted({key[2] for key in self.daily_rows if key[1] == wallet_id and key[0] <= day})

    def namesakes(self, wallet_id: str, day: date) -> set[str]:
        """Other wallets listed on the day under the same network and address."""
        places = {normalised_address(row) for row in self.versions(wallet_id, day)}
        return {
            other
            for other in self.wallet_ids
            if other != wallet_id and any(normalised_address(row) in places for row in self.versions(other, day))
        }
