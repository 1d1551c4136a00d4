"""A few wallets, debts and transfers written down in a line each, for testing reserves.

What belongs here: rows for the contract's tables with sensible defaults. What doesn't: what is right about them.
An operator ``op`` with affiliate ``aff`` and customers ``c1`` and ``c2``; accounts carry the names of their owners.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.support.warehouse import Warehouse, build_warehouse

Row = dict[str, Any]
FIRST = date(2022, 3, 1)
LONG_AGO = "2021-01-01T00:00:00"
ACCOUNTS = {
    "c1": ("c1", "spot"),
    "c2": ("c2", "margin"),
    "aff": ("aff", "spot"),
    "house": ("op", "house"),
    "fees": ("op", "fee"),
    "parked": ("op", "suspense"),
    "external": ("op", "external"),
}
TOKENS: dict[str, Row] = {
    "USD": {"asset_class": "fiat"},
    "BTC": {"asset_class": "crypto"},
    "USDC": {"asset_class": "stablecoin", "in_kind_group": "USD"},
    "XT": {"asset_class": "exchange_token", "issuer_entity_id": "op"},
    "NOP": {"asset_class": "other"},
}
PRICES = {"BTC": "40000", "USDC": "1", "XT": "20"}


def day(number: int) -> date:
    """Day 1 is the landing zone's first day."""
    return FIRST + timedelta(days=number - 1)


def moment(number: int, time: str = "12:00:00") -> str:
    """A moment of a numbered day."""
    return f"{day(number)}T{time}"


@dataclass
class ReserveBooks:
    """Rows by table; every method adds some."""

    days: int = 3
    prices: dict[str, str] = field(default_factory=lambda: dict(PRICES))
    tokens: dict[str, Row] = field(default_factory=lambda: dict(TOKENS))
    rows: dict[str, list[Row]] = field(default_factory=dict)
    named: int = 0

    def _add(self, table: str, row: Row) -> None:
        self.rows.setdefault(table, []).append(row)

    def _name(self, prefix: str) -> str:
        self.named += 1
        return f"{prefix}{self.named}"

    def wallet(self, name: str, **columns: Any) -> None:
        """A version of a wallet: the operator's, for customers, cold, proven and unencumbered unless told."""
        self._add(
            "wallets",
            {
                "wallet_id": name,
                "network": "bitcoin",
                "address": f"address of {name}",
                "owner_entity_id": "op",
                "purpose": "customer",
                "custody": "cold",
                "encumbered_pct": "0",
                "ownership_proof": "signature",
                "proven_at": "2022-02-01T00:00:00",
                "valid_from": LONG_AGO,
            }
            | columns,
        )

    def balance(self, wallet: str, asset: str, amount: str, *numbers: int, time: str = "23:59:59") -> None:
        """A wallet's balance on these days, or on every day."""
        for number in numbers or range(1, self.days + 1):
            self._add(
                "wallet_balances",
                {"wallet_id": wallet, "asset": asset, "balance": amount, "as_of": moment(number, time)},
            )

    def entries(
        self, when: str, kind: str, *legs: tuple[str, str, str], name: str | None = None, **columns: Any
    ) -> None:
        """A transaction whose legs are (account, asset, amount); an entry's columns may override its type."""
        name = name or self._name("tx")
        for number, (account, asset, amount) in enumerate(legs, 1):
            self._add(
                "ledger_entries",
                {
                    "entry_id": f"{name}-{number}",
                    "transaction_id": name,
                    "account_id": account,
                    "asset": asset,
                    "amount": amount,
                    "entry_type": kind,
                    "effective_at": when,
                }
                | columns,
            )

    def owed(self, account: str, asset: str, amount: str) -> None:
        """An opening balance on the first day."""
        self.entries(moment(1, "00:00:01"), "opening", (account, asset, amount), ("external", asset, f"-{amount}"))

    def deposit(self, when: str, account: str, asset: str, amount: str, reference: str | None, **columns: Any) -> None:
        """Entries of a deposit; a negative amount is a withdrawal."""
        kind = "withdrawal" if amount.startswith("-") else "deposit"
        outside = amount[1:] if amount.startswith("-") else f"-{amount}"
        self.entries(when, kind, (account, asset, amount), ("external", asset, outside), reference=reference, **columns)

    def transfer(self, name: str, when: str, wallet: str, asset: str, amount: str, kind: str, **columns: Any) -> None:
        """A wallet transfer."""
        row = {"transfer_id": name, "wallet_id": wallet, "asset": asset, "amount": amount, "transfer_type": kind}
        self._add("wallet_transfers", row | {"block_time": when} | columns)

    def report(self, amount: str, published: str, asset: str | None, end: str, start: str | None = None) -> None:
        """A publication of reserves."""
        row = {"figure": "reserves", "asset": asset, "amount": amount, "period_start": start, "period_end": end}
        self._add("reported_figures", row | {"published_at": published})

    def build(self, folder: Path, select: str, policy: str | None = None) -> Warehouse:
        """The warehouse with the selected models; ``policy`` is the text of a policy file."""
        policy_file = None
        if policy is not None:
            policy_file = folder / "policy.yaml"
            policy_file.write_text(policy, encoding="utf-8")
        return build_warehouse(
            folder,
            self._reference() | self.rows,
            first_date=FIRST,
            last_date=day(self.days),
            select=select,
            policy_file=policy_file,
        )

    def _reference(self) -> dict[str, list[Row]]:
        kinds = {"op": "operator", "aff": "company", "c1": "customer", "c2": "customer"}
        link = {"parent_entity_id": "op", "child_entity_id": "aff", "link_type": "ownership", "ownership_pct": "100"}
        return {
            "entities": [{"entity_id": name, "entity_type": kind} for name, kind in kinds.items()],
            "entity_links": [link | {"valid_from": LONG_AGO}],
            "accounts": [
                {"account_id": account, "entity_id": owner, "account_class": kind}
                for account, (owner, kind) in ACCOUNTS.items()
            ],
            "tokens": [{"asset": asset} | columns for asset, columns in self.tokens.items()],
            "token_prices": [
                {"asset": asset, "price_usd": price, "source": "market", "as_of": moment(number, "20:00:00")}
                for asset, price in self.prices.items()
                for number in range(1, self.days + 1)
            ],
        }


def found(warehouse: Warehouse, check: str) -> set[tuple[int, str, str | None]]:
    """A check's findings as (number of the day, subject, asset); their evidence must be queries that return rows."""
    rows = warehouse.query(f"select * from findings.{check}")
    for row in rows:
        assert row["message"].endswith("."), row["message"]
        assert row["impact_usd"] is None or row["impact_usd"] >= 0
        assert row["known_since"] >= datetime.combine(row["as_of_date"] + timedelta(days=1), datetime.min.time())
        if "audit." not in row["evidence"]:
            assert warehouse.query(row["evidence"]), row["evidence"]
    keys = [((row["as_of_date"] - FIRST).days + 1, row["subject_id"], row["asset"]) for row in rows]
    assert len(keys) == len(set(keys))
    return set(keys)
