"""Statements as rows of the landing contract: what each entry is called, and what kind of movement it was.

What belongs here: identifiers and types of transfers, columns. What doesn't: which statements count (``chain``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.connectors.bank_statements.chain import moved_at
from orchestration.connectors.bank_statements.statements import Entry, Statement
from orchestration.connectors.rows import connection

BALANCE_COLUMNS = ("wallet_id", "asset", "balance", "as_of")
TRANSFER_COLUMNS = (
    "transfer_id",
    "wallet_id",
    "counterparty_address",
    "counterparty_wallet_id",
    "asset",
    "amount",
    "transfer_type",
    "block_time",
    "recorded_at",
)
_KNOWN_TYPES = {
    **dict.fromkeys(("CHRG", "COMM", "COMT", "FEES", "CHG", "COM"), "network_fee"),
    **dict.fromkeys(("INTR", "TAXE", "INT"), "other"),
}
"""What codes of the standards (ISO 20022 sub-families, SWIFT's types) say: charges, commissions; interest, taxes."""

_OCCURRENCE = re.compile(r":\d+$")


@dataclass
class Records:
    """The rows of one pull, by column."""

    balances: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in BALANCE_COLUMNS})
    transfers: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in TRANSFER_COLUMNS})

    def add_balance(self, wallets: Iterable[str], asset: str, balance: Decimal, as_of: datetime) -> None:
        """A closing balance; negative for an overdraft."""
        for wallet in wallets:
            for name, value in zip(BALANCE_COLUMNS, (wallet, asset, format(balance, "f"), as_of), strict=True):
                self.balances[name].append(value)

    def add_transfers(
        self,
        statement: Statement,
        wallets: Sequence[str],
        asset: str,
        previous: datetime | None,
        as_of: datetime,
        naming: Naming,
        kinds: Kinds,
    ) -> None:
        """A statement's entries. The bank had recorded them by the close that they are in, whenever it wrote so.

        An account that is listed under a second wallet has them there too, the identifier followed by that wallet.
        """
        for number, entry in enumerate(statement.entries, start=1):
            for place, wallet in enumerate(wallets):
                row = (
                    naming.base(statement, number, entry) + (f":{wallet}" if place else ""),
                    wallet,
                    entry.counterparty,
                    next(iter(kinds.wallets.get(entry.counterparty or "", ())), None),
                    asset,
                    format(entry.amount, "f"),
                    kinds.of(entry),
                    moved_at(entry, statement, previous, as_of),
                    as_of,
                )
                for name, value in zip(TRANSFER_COLUMNS, row, strict=True):
                    self.transfers[name].append(value)

    def number_repeated_names(self, landed: Iterable[str]) -> None:
        """Tell transfers of one reference apart from those here and those that landed: the second ends in ``:2``."""
        taken, names = set(landed), []
        for base in self.transfers["transfer_id"]:
            name, occurrence = base, 1
            while name in taken:
                occurrence += 1
                name = f"{base}:{occurrence}"
            taken.add(name)
            names.append(name)
        self.transfers["transfer_id"] = names


@dataclass(frozen=True, slots=True)
class Naming:
    """Which of the bank's references identifies a transfer (``kind``), and the form it is given."""

    kind: str
    form: str

    def base(self, statement: Statement, number: int, entry: Entry) -> str:
        """The identifier, before it is told from others of the same reference; by place if the bank gave none."""
        reference = entry.reference(self.kind) or f"{statement.closes_on}/{statement.identifier}/{number}"
        return self.form.format(account=statement.account, reference=reference)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Tells transfers' types: by the configuration's codes, the standards' codes, the counterparty, and the sign.

    ``wallets`` are all registered bank accounts, ``codes`` what the configuration says of the bank's codes.
    """

    wallets: Mapping[str, Sequence[str]]
    codes: Mapping[str, str]

    def of(self, entry: Entry) -> str:
        """The type of the contract. A reversal counts by its sign: what comes back is a deposit."""
        for known in (self.codes, _KNOWN_TYPES):
            for code in entry.codes:
                if code in known:
                    return known[code]
        if entry.counterparty in self.wallets:
            return "internal"
        return "deposit" if entry.amount > 0 else "withdrawal"


def landed_identifiers(landing: Path, source: str, bases: Iterable[str]) -> list[str]:
    """Those identifiers of transfers that this source delivered before and that have one of these beginnings."""
    files = [str(path) for path in sorted(landing.glob(f"wallet_transfers/date=*/{source}.parquet"))]
    wanted = sorted(set(bases))
    if not files or not wanted:
        return []
    with connection() as database:
        found = database.execute(
            "select transfer_id from read_parquet($files) where transfer_id in (select unnest($wanted))"
            f" or regexp_replace(transfer_id, '{_OCCURRENCE.pattern}', '') in (select unnest($wanted))",
            {"files": files, "wanted": wanted},
        ).fetchall()
    return [name for (name,) in found]
