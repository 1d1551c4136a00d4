"""A small exchange written by hand from DOMAIN.md, healthy until a test plants something in it.

Independent of the simulator on purpose: it is what somebody who only read the contract would write. Six weeks
(1 January to 14 February 2022), three customers, a founder who controls the operator and a market maker, and eight
wallets. Snapshots and wallet balances are derived from entries and transfers, so that a planted entry is consistent
with the engine and the chain unless the test says otherwise.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.contract import TABLES

FIRST_DAY = date(2022, 1, 1)
LAST_DAY = date(2022, 2, 14)
LONG_AGO = "2021-01-01T00:00:00Z"

Row = dict[str, Any]
Tables = dict[str, list[Row]]

PRICES = {"BTC": Decimal(40000), "USDC": Decimal(1), "XT": Decimal(20)}
LEDGER_OPENING = {
    ("c1-spot", "BTC"): "10",
    ("c1-spot", "USD"): "100000",
    ("c2-margin", "USD"): "500000.25",
    ("c2-margin", "BTC"): "2.00000001",
    ("c3-spot", "USDC"): "50000.123456",
    ("c3-spot", "XT"): "1000.000000000000000001",
    ("mm-spot", "BTC"): "5",
    ("mm-spot", "USD"): "200000",
    ("op-house", "USD"): "50000",
    ("op-insurance", "USD"): "25000",
}
WALLET_OPENING = {
    ("w-btc-cold", "BTC"): "20",
    ("w-btc-hot", "BTC"): "5",
    ("w-bank", "USD"): "1200000",
    ("w-usdc-hot", "USDC"): "60000",
    ("w-xt-hot", "XT"): "2000",
    ("w-house", "XT"): "10000",
    ("w-house-bank", "USD"): "75000",
}


def days(first: date = FIRST_DAY, last: date = LAST_DAY) -> list[date]:
    """Every day from first to last, both included."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def at(day: date | str, hour: int = 12, minute: int = 0, second: int = 0) -> str:
    """An ISO moment on that day, UTC."""
    day = date.fromisoformat(day) if isinstance(day, str) else day
    return f"{day.isoformat()}T{hour:02}:{minute:02}:{second:02}Z"


def day_of(moment: str) -> date:
    """The UTC day of an ISO moment."""
    return date.fromisoformat(moment[:10])


@dataclass
class SmallExchange:
    """The plan of the exchange; ``tables`` derives the landing zone's rows from it."""

    reference: Tables = field(default_factory=dict)
    entries: list[Row] = field(default_factory=list)
    transfers: list[Row] = field(default_factory=list)
    other: Tables = field(default_factory=lambda: defaultdict(list))
    wallet_opening: dict[tuple[str, str], str] = field(default_factory=lambda: dict(WALLET_OPENING))
    afterwards: list[Callable[[Tables], None]] = field(default_factory=list)

    def transaction(self, name: str, when: str, legs: list[tuple[str, str, str, str]], **columns: Any) -> None:
        """Add a transaction; legs are (account, asset, amount, entry type)."""
        for number, (account, asset, amount, entry_type) in enumerate(legs, 1):
            self.entries.append(
                {
                    "entry_id": f"{name}-{number}",
                    "transaction_id": name,
                    "account_id": account,
                    "asset": asset,
                    "amount": amount,
                    "entry_type": entry_type,
                    "effective_at": when,
                    "recorded_at": when,
                    "reference": None,
                    "memo": None,
                    "partition_date": day_of(when),
                }
                | columns
            )

    def transfer(self, name: str, when: str, wallet: str, asset: str, amount: str, kind: str, **columns: Any) -> None:
        """Add a wallet transfer."""
        self.transfers.append(
            {
                "transfer_id": name,
                "wallet_id": wallet,
                "counterparty_address": None,
                "counterparty_wallet_id": None,
                "asset": asset,
                "amount": amount,
                "transfer_type": kind,
                "block_time": when,
                "recorded_at": when,
                "partition_date": day_of(when),
            }
            | columns
        )

    def deposit(self, name: str, when: str, account: str, wallet: str, asset: str, amount: str) -> None:
        """A customer's deposit: two ledger legs and the transfer behind them."""
        legs = [(account, asset, amount, "deposit"), ("external", asset, str(-Decimal(amount)), "deposit")]
        self.transaction(name, when, legs, reference=f"t-{name}")
        self.transfer(f"t-{name}", when, wallet, asset, amount, "deposit")

    def withdrawal(self, name: str, when: str, account: str, wallet: str, asset: str, amount: str) -> None:
        """A customer's withdrawal: two ledger legs and the transfer behind them."""
        legs = [(account, asset, str(-Decimal(amount)), "withdrawal"), ("external", asset, amount, "withdrawal")]
        self.transaction(name, when, legs, reference=f"t-{name}")
        self.transfer(f"t-{name}", when, wallet, asset, str(-Decimal(amount)), "withdrawal")

    def fee(self, name: str, when: str, payer: str, asset: str, amount: str, kind: str = "fee") -> None:
        """Income of the operator: the payer's negative leg and the fee account's positive one."""
        self.transaction(name, when, [(payer, asset, str(-Decimal(amount)), kind), ("op-fee", asset, amount, kind)])

    def tables(self) -> Tables:
        """All rows of the landing zone, every row with its ``partition_date`` (null for reference tables)."""
        tables: Tables = {table.name: [] for table in TABLES}
        tables |= {name: [dict(row) for row in rows] for name, rows in self.reference.items()}
        tables["ledger_entries"] = [dict(row) for row in self.entries]
        tables["wallet_transfers"] = [dict(row) for row in self.transfers]
        for name, rows in self.other.items():
            tables[name] = [dict(row) for row in rows]
        tables["balance_snapshots"] = self._snapshots()
        tables["wallet_balances"] = self._wallet_balances()
        for change in self.afterwards:
            change(tables)
        return tables

    def _snapshots(self) -> list[Row]:
        rows: list[Row] = []
        balances: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        by_day: dict[date, list[Row]] = defaultdict(list)
        for entry in self.entries:
            by_day[day_of(entry["effective_at"])].append(entry)
        for day in days():
            for entry in by_day[day]:
                balances[entry["account_id"], entry["asset"]] += Decimal(entry["amount"])
            rows += [
                {"account_id": a, "asset": k, "balance": str(b), "as_of": at(day, 23, 59, 59), "partition_date": day}
                for (a, k), b in balances.items()
                if a != "external"
            ]
        return rows

    def _wallet_balances(self) -> list[Row]:
        rows: list[Row] = []
        balances = {key: Decimal(amount) for key, amount in self.wallet_opening.items()}
        by_day: dict[date, list[Row]] = defaultdict(list)
        for transfer in self.transfers:
            by_day[day_of(transfer["block_time"])].append(transfer)
        for day in days():
            for transfer in by_day[day]:
                key = (transfer["wallet_id"], transfer["asset"])
                balances[key] = balances.get(key, Decimal(0)) + Decimal(transfer["amount"])
            rows += [
                {"wallet_id": w, "asset": k, "balance": str(b), "as_of": at(day, 23, 59, 59), "partition_date": day}
                for (w, k), b in balances.items()
            ]
        return rows


def _reference() -> Tables:
    def entity(name: str, kind: str) -> Row:
        return {"entity_id": name, "entity_type": kind, "name": name.title(), "country": "XX", "recorded_at": LONG_AGO}

    def link(parent: str, child: str, kind: str, share: str | None) -> Row:
        return {
            "parent_entity_id": parent,
            "child_entity_id": child,
            "link_type": kind,
            "ownership_pct": share,
            "valid_from": LONG_AGO,
            "valid_to": None,
            "recorded_at": LONG_AGO,
        }

    def account(name: str, owner: str, kind: str) -> Row:
        return {
            "account_id": name,
            "entity_id": owner,
            "account_class": kind,
            "label": name,
            "opened_at": LONG_AGO,
            "closed_at": None,
            "recorded_at": LONG_AGO,
        }

    def wallet(name: str, network: str, custody: str, proof: str, purpose: str = "customer") -> Row:
        return {
            "wallet_id": name,
            "network": network,
            "address": f"address-of-{name}",
            "owner_entity_id": "op",
            "purpose": purpose,
            "custody": custody,
            "encumbered_pct": "0",
            "ownership_proof": proof,
            "proven_at": "2021-12-15T00:00:00Z",
            "valid_from": LONG_AGO,
            "valid_to": None,
            "recorded_at": LONG_AGO,
        }

    def token(name: str, kind: str, issuer: str | None, group: str) -> Row:
        return {"asset": name, "asset_class": kind, "issuer_entity_id": issuer, "decimals": 8, "in_kind_group": group}

    return {
        "entities": [
            entity("op", "operator"),
            entity("founder", "person"),
            entity("mm", "company"),
            entity("c1", "customer"),
            entity("c2", "customer"),
            entity("c3", "customer"),
        ],
        "entity_links": [link("founder", "op", "control", None), link("founder", "mm", "ownership", "90")],
        "entity_attributes": [
            {"entity_id": name, "attribute_type": "device", "attribute_hash": f"d-{name}", "recorded_at": LONG_AGO}
            for name in ("c1", "c2", "c3", "mm", "op")
        ],
        "accounts": [
            account("c1-spot", "c1", "spot"),
            account("c2-margin", "c2", "margin"),
            account("c3-spot", "c3", "spot"),
            account("mm-spot", "mm", "spot"),
            account("op-house", "op", "house"),
            account("op-fee", "op", "fee"),
            account("op-insurance", "op", "insurance_fund"),
            account("external", "op", "external"),
        ],
        "account_privileges": [],
        "tokens": [
            token("USD", "fiat", None, "USD"),
            token("BTC", "crypto", None, "BTC"),
            token("USDC", "stablecoin", None, "USD"),
            token("XT", "exchange_token", "op", "XT"),
        ],
        "wallets": [
            wallet("w-btc-cold", "bitcoin", "cold", "signature"),
            wallet("w-btc-hot", "bitcoin", "hot", "signature"),
            wallet("w-bank", "bank", "bank", "bank_confirmation"),
            wallet("w-usdc-hot", "ethereum", "hot", "signature"),
            wallet("w-xt-hot", "ethereum", "hot", "signature"),
            wallet("w-house", "ethereum", "cold", "signature", "house"),
            wallet("w-house-bank", "bank", "bank", "bank_confirmation", "house"),
        ],
    }


def _markets() -> Tables:
    tables: Tables = defaultdict(list)
    for day in days():
        for asset, price in PRICES.items():
            for source, factor in (("alpha", "1"), ("beta", "1.001"), ("op", "1.002")):
                tables["token_prices"].append(
                    {
                        "asset": asset,
                        "price_usd": str(price * Decimal(factor)),
                        "volume_usd": "1000000",
                        "as_of": at(day, 23, 50),
                        "source": source,
                        "partition_date": day,
                    }
                )
        for source, volume in (("alpha", "2000000"), ("op", "9000000")):
            tables["market_depth"].append(
                {
                    "asset": "XT",
                    "as_of": at(day, 23, 50),
                    "bid_depth_2pct_usd": "100000",
                    "volume_30d_avg_usd": volume,
                    "volatility_30d": "0.05",
                    "source": source,
                    "partition_date": day,
                }
            )
        tables["token_supply"].append(
            {"asset": "XT", "as_of": at(day, 12), "circulating": "100000", "total": "200000", "partition_date": day}
        )
    return tables


def _report(figure: str, amount: str, published: str, asset: str | None = None, end: str | None = None) -> Row:
    return {
        "figure": figure,
        "line": None,
        "asset": asset,
        "amount": amount,
        "period_start": "2022-01-01T00:00:00Z",
        "period_end": end or "2022-02-01T00:00:00Z",
        "published_at": published,
        "partition_date": day_of(published),
    }


def healthy_exchange() -> SmallExchange:
    """The exchange with nothing wrong: no check may find anything in it."""
    exchange = SmallExchange(reference=_reference(), other=_markets())
    opening: list[tuple[str, str, str, str]] = []
    for (account, asset), amount in LEDGER_OPENING.items():
        opening.append((account, asset, amount, "opening"))
        opening.append(("external", asset, str(-Decimal(amount)), "opening"))
    exchange.transaction("open", at(FIRST_DAY, 0, 0, 1), opening)
    for number, day in enumerate(days()[1:], 1):
        exchange.transaction(
            f"trade{number}",
            at(day, 9),
            [
                ("c1-spot", "BTC", "0.01", "trade"),
                ("c2-margin", "BTC", "-0.01", "trade"),
                ("c2-margin", "USD", "400", "trade"),
                ("c1-spot", "USD", "-400", "trade"),
                ("c1-spot", "USD", "-10", "fee"),
                ("op-fee", "USD", "10", "fee"),
            ],
        )
        if number % 3 == 0:
            exchange.deposit(f"dep{number}", at(day, 10), "c1-spot", "w-bank", "USD", "1000.50")
        if number % 4 == 0:
            exchange.withdrawal(f"wd{number}", at(day, 11), "c2-margin", "w-btc-hot", "BTC", "0.02")
    exchange.fee("mmfee", at("2022-01-20", 14), "mm-spot", "USD", "5")
    exchange.fee("xtfee", at("2022-01-20", 15), "c3-spot", "XT", "0.5")
    # January: 30 daily fees of 10 USD, 5 USD from the market maker and 0.5 XT at 20.02 USD (the median source).
    exchange.other["reported_figures"] = [
        _report("revenue", "315.01", at("2022-02-03", 8)),
        _report("insurance_fund", "25000", at("2022-02-03", 8), end="2022-02-01T00:00:00Z"),
    ]
    return exchange


def write_landing(exchange: SmallExchange, folder: Path) -> Path:
    """Write the exchange as a landing zone of CSV files (ledger entries gzipped) and return its folder."""
    for name, rows in exchange.tables().items():
        _write_table(folder / name, name, rows)
    return folder


def _write_table(folder: Path, name: str, rows: list[Row]) -> None:
    definition = next(table for table in TABLES if table.name == name)
    if not definition.dated:
        _write_csv(folder / "rows.csv", definition.column_names, rows)
        return
    by_day: dict[date, list[Row]] = {day: [] for day in days()} if definition.required_daily else {}
    for row in rows:
        by_day.setdefault(row["partition_date"], []).append(row)
    suffix = "csv.gz" if name == "ledger_entries" else "csv"
    for day, day_rows in by_day.items():
        _write_csv(folder / f"date={day.isoformat()}" / f"rows.{suffix}", definition.column_names, day_rows)


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, extrasaction="ignore", restval="")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
