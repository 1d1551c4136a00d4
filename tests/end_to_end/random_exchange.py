"""Small, nasty landing zones by seed: valid for every integrity check, full of breaches.

What belongs here: a random exchange of a few dozen accounts over a week or two, in every file format.
What doesn't: a plausible business (that is the simulator's), expected results (those are the oracle's).
"""

from __future__ import annotations

import csv
import gzip
import json
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

from orchestration.contract import ColumnKind, table, tables_by_name
from tests.oracle.decimals import exactly, total, value_usd
from tests.oracle.exchange import Exchange, read_exchange
from tests.oracle.reported import first_of_next_month

Row = dict[str, Any]
Leg = tuple[str, str, Decimal, str]
Place = tuple[str, str]
ONE_DAY = timedelta(days=1)
FIRST_DAYS = (date(2026, 1, 28), date(2026, 1, 30), date(2026, 2, 26), date(2026, 3, 20))
OWN_VENUE = "Venue One"
ASSETS: tuple[tuple[str, str, str | None, str | None], ...] = (
    ("USD", "fiat", None, None),
    ("EUR", "fiat", None, "EUR"),
    ("USDC", "stablecoin", "circle", "USD"),
    ("BTC", "crypto", None, None),
    ("WBTC", "tokenized", None, "BTC"),
    ("ETH", "crypto", None, None),
    ("ONE", "exchange_token", "operator", None),
    ("MAPS", "crypto", None, None),
    ("THIN", "other", None, None),
    ("DEAD", "other", None, None),
    ("AFFI", "other", "alpha", None),
)
PRICES = {
    "EUR": "1.08",
    "USDC": "1",
    "BTC": "61234.5",
    "WBTC": "61100",
    "ETH": "3011.77",
    "ONE": "25.3",
    "MAPS": "0.8",
    "THIN": "4",
    "AFFI": "2.5",
}
TYPICAL = {"USD": 20000, "EUR": 9000, "USDC": 15000, "BTC": 1, "WBTC": 1, "ETH": 9, "ONE": 900, "MAPS": 9000}
TABLE_FORMATS = ("csv", "csv.gz", "jsonl", "parquet")


def at(day: date, hours: float = 0.0) -> datetime:
    """A moment of the day, to the second."""
    return datetime(day.year, day.month, day.day) + timedelta(seconds=int(hours * 3600))


@dataclass
class RandomExchange:
    """Builds the rows of one landing zone; ``rows[table]`` holds (partition or None, row)."""

    seed: int
    length: int | None = None
    rows: dict[str, list[tuple[date | None, Row]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.first = self.random.choice(FIRST_DAYS)
        self.days = [self.first + ONE_DAY * offset for offset in range(self.length or self.random.randint(5, 17))]
        self.last = self.days[-1]
        self.rows = {name: [] for name in tables_by_name()}
        self.before = at(self.first) - timedelta(days=40)
        self.counter = 0
        self.held: dict[tuple[str, str], Decimal] = {}

    # small helpers ----------------------------------------------------------------------------------------------

    def identifier(self, prefix: str) -> str:
        """The next identifier with that prefix."""
        self.counter += 1
        return f"{prefix}{self.counter:05d}"

    def chance(self, probability: float) -> bool:
        """True with that probability."""
        return self.random.random() < probability

    def moment(self, day: date) -> datetime:
        """A random moment of the day; now and then its very first or last."""
        if self.chance(0.05):
            return at(day)
        if self.chance(0.05):
            return at(day + ONE_DAY) - timedelta(microseconds=1)
        return at(day) + timedelta(seconds=self.random.randrange(86400))

    def amount(self, asset: str, scale: float = 1.0, places: int | None = None) -> Decimal:
        """A positive amount of a typical size with up to 18 places."""
        decimals = self.random.choice((0, 2, 6, 8, 18)) if places is None else places
        size = TYPICAL.get(asset, 500) * scale * self.random.lognormvariate(0, 1)
        digits = Decimal(self.random.randrange(1, 10**18)).scaleb(-18)
        raw = Decimal(int(size * 1000)) / 1000 + digits
        return max(raw.quantize(Decimal(1).scaleb(-decimals)), Decimal(1).scaleb(-decimals))

    def add(self, table_name: str, partition: date | None, /, **values: Any) -> Row:
        """Add one row; columns that aren't given are null."""
        row = {column: values.get(column) for column in table(table_name).column_names}
        assert set(values) <= set(row), sorted(set(values) - set(row))
        self.rows[table_name].append((partition, row))
        return row

    # reference tables -------------------------------------------------------------------------------------------

    def build_references(self) -> None:
        """Entities, links, accounts, privileges, tokens and wallets."""
        self.build_entities()
        self.build_links()
        self.build_accounts()
        self.build_privileges()
        self.build_attributes()
        self.prices = {**PRICES, "DEAD": "0.05"} if self.chance(0.6) else dict(PRICES)
        for asset, asset_class, issuer, group in ASSETS:
            self.add("tokens", None, asset=asset, asset_class=asset_class, issuer_entity_id=issuer, in_kind_group=group)
        self.build_wallets()

    def build_entities(self) -> None:
        """The operator, its neighbourhood, and customers; some rows in more than one version."""
        fixed = {
            "operator": ("operator", OWN_VENUE),
            "circle": ("company", "Circle"),
            "boss": ("person", "Boss"),
            "spouse": ("person", "Spouse"),
            "director": ("person", "Director"),
            "custody": ("custodian", "Custody"),
            "bank": ("bank", "Bank"),
            **{name: ("company", name) for name in self.companies()},
        }
        self.customers = [f"customer{number:02d}" for number in range(self.random.randint(5, 10))]
        for entity, (entity_type, name) in fixed.items():
            self.add("entities", None, entity_id=entity, entity_type=entity_type, name=name, recorded_at=self.before)
        for entity in self.customers:
            self.add("entities", None, entity_id=entity, entity_type="customer", country="XX", recorded_at=self.before)
        renamed = self.random.choice(self.customers)
        for late in (self.moment(self.days[1]), at(self.last + ONE_DAY)):
            self.add("entities", None, entity_id=renamed, entity_type="customer", name="new", recorded_at=late)

    def companies(self) -> list[str]:
        """Companies around the operator, related or nearly so."""
        return ["holding", "alpha", "beta", "gamma", "delta", "below", "minority", "ring", "spouses", "directors"]

    def link(self, parent: str, child: str, kind: str, pct: str | None = None, **dates: datetime | None) -> None:
        """One link, valid since long ago unless dates are given."""
        self.add(
            "entity_links",
            None,
            parent_entity_id=parent,
            child_entity_id=child,
            link_type=kind,
            ownership_pct=None if pct is None else Decimal(pct),
            valid_from=dates.get("valid_from") or self.before,
            valid_to=dates.get("valid_to"),
            recorded_at=dates.get("recorded_at") or self.before,
        )

    def build_links(self) -> None:
        """Relations by every path: ownership above, below and beside, control, directors, family, cycles."""
        pick = self.random.choice
        self.link("boss", "holding", "ownership", pick(["51", "50.000001", "100"]))
        self.link("holding", "operator", "ownership", pick(["60", "50", "75.5"]))
        self.link("boss", "alpha", "ownership", pick(["20", "90", "19.999999", "33.3"]))
        self.link("holding", "beta", "ownership", pick(["10", "15", "40"]))
        self.link("boss", "beta", "ownership", pick(["10", "9.99", "5"]))
        self.link("operator", "below", "ownership", pick(["45", "50", "19"]))
        self.link("below", "minority", "ownership", pick(["44", "45", "50.01"]))
        self.link("minority", "ring", "ownership", "30")
        self.link("ring", "below", "ownership", pick(["10", "40"]))
        self.link("boss", "spouse", "family")
        self.link("spouse", "spouses", "ownership", pick(["50", "51"]))
        self.link("director", pick(["operator", "holding", "circle"]), "director")
        self.link("director", "directors", pick(["control", "ownership"]), None)
        self.rows["entity_links"][-1][1]["ownership_pct"] = (
            None if self.rows["entity_links"][-1][1]["link_type"] == "control" else Decimal(70)
        )
        middle = self.moment(pick(self.days))
        self.link("operator", "gamma", "control", valid_to=middle, recorded_at=self.before)
        ends = at(pick(self.days))
        self.link("boss", "delta", "ownership", "25", valid_from=ends, valid_to=ends + timedelta(hours=pick([1, 60])))
        if self.chance(0.5):
            self.link("holding", pick(self.customers), "ownership", "100", valid_from=self.moment(pick(self.days)))
        if self.chance(0.5):
            self.link("holding", "beta", "ownership", "0.5", recorded_at=self.moment(pick(self.days)))
        if self.chance(0.7):
            self.rewrite_link()

    def rewrite_link(self) -> None:
        """A later version of a link that says something else of its whole past."""
        pick = self.random.choice
        parent, child = pick([("boss", "alpha"), ("operator", "below"), ("boss", "holding"), ("boss", "beta")])
        said_at, ends = self.moment(pick(self.days)), pick([None, self.before + timedelta(days=1), at(pick(self.days))])
        self.link(parent, child, "ownership", pick(["1", "19", "30", "55"]), valid_to=ends, recorded_at=said_at)

    def build_accounts(self) -> None:
        """Spot and margin accounts of customers and affiliates, the operator's own, suspense and external."""
        self.accounts: dict[str, tuple[str, str]] = {}
        for entity in [*self.customers, *self.companies()]:
            for account_class in ("spot", "margin"):
                if self.chance(0.75):
                    self.accounts[f"{entity}-{account_class}"] = (entity, account_class)
        for account_class in ("house", "fee", "insurance_fund", "external", "suspense"):
            self.accounts[f"op-{account_class}"] = ("operator", account_class)
        self.accounts["fiat-suspense"] = (self.random.choice([self.customers[0], "alpha"]), "suspense")
        self.accounts["directors-spot"] = ("directors", "spot")
        self.accounts["alpha-margin"] = ("alpha", "margin")
        for account, (entity, account_class) in self.accounts.items():
            self.add(
                "accounts",
                None,
                account_id=account,
                entity_id=entity,
                account_class=account_class,
                label=self.random.choice([None, 'a, quoted "label"']),
                opened_at=self.before,
                recorded_at=self.before,
            )
        moved = self.random.choice([a for a, (_, c) in self.accounts.items() if c == "spot"])
        for recorded in (self.moment(self.random.choice(self.days)), self.moment(self.last + ONE_DAY)):
            latest = next(row for _, row in self.rows["accounts"] if row["account_id"] == moved)
            owner = self.random.choice(self.customers)
            self.rows["accounts"].append((None, {**latest, "entity_id": owner, "recorded_at": recorded}))
        self.own = [a for a, (_, c) in self.accounts.items() if c in ("house", "fee", "insurance_fund")]
        self.trading = [a for a, (_, c) in self.accounts.items() if c in ("spot", "margin")]
        self.inside = [a for a, (_, c) in self.accounts.items() if c != "external"]

    def build_privileges(self) -> None:
        """Privileges with odd validity: within a day, at midnight, empty, ended, superseded, recorded later."""
        kinds = table("account_privileges").column("privilege").values
        for account in self.random.sample(self.inside, min(len(self.inside), 9)):
            day = self.random.choice(self.days)
            start = self.random.choice([self.before, at(day), self.moment(day)])
            end = self.random.choice([None, None, start + timedelta(minutes=7), at(day + ONE_DAY)])
            privilege = self.random.choice(kinds)
            limit = Decimal(self.random.choice([1, 5000, 10**9])) if privilege == "credit_line" else None
            first = self.add(
                "account_privileges",
                None,
                account_id=account,
                privilege=privilege,
                limit_usd=limit,
                valid_from=start,
                valid_to=end,
                recorded_at=self.random.choice([self.before, self.moment(day)]),
                set_by=self.random.choice([None, "admin"]),
            )
            if self.chance(0.3):
                late = self.moment(self.last) + ONE_DAY * self.random.choice([0, 1])
                ended = {**first, "valid_to": start + timedelta(hours=30), "recorded_at": late}
                self.rows["account_privileges"].append((None, ended))

    def build_attributes(self) -> None:
        """Attributes shared by two, by many, and by whole crowds."""
        everyone = [*self.customers, *self.companies()]
        for number in range(6):
            kind = self.random.choice(table("entity_attributes").column("attribute_type").values)
            sharers = self.random.sample(everyone, self.random.choice([1, 2, 2, 3, 10, 11]))
            for entity in sharers:
                recorded = self.random.choice([self.before, self.moment(self.random.choice(self.days))])
                self.add(
                    "entity_attributes",
                    None,
                    entity_id=entity,
                    attribute_type=kind,
                    attribute_hash=f"hash{number}",
                    recorded_at=recorded,
                )

    def build_wallets(self) -> None:
        """Wallets of every owner, purpose, custody and proof; one version change; one address listed twice."""
        self.wallets: dict[str, tuple[str, str]] = {}
        plans = [
            ("hot-btc", "bitcoin", "operator", "customer", "hot", "BTC WBTC"),
            ("hot-eth", "ethereum", "operator", "customer", "hot", "ETH USDC ONE MAPS"),
            ("cold-eth", "ethereum", "operator", "customer", "cold", "ETH USDC THIN AFFI DEAD"),
            ("op-bank", "bank", "operator", "customer", "bank", "USD EUR"),
            ("pledged", "custodian", "operator", "customer", "custodian", "BTC USDC"),
            ("op-house", "ethereum", "operator", "house", "cold", "ONE MAPS THIN ETH"),
            ("alpha-wallet", "ethereum", "alpha", "house", "cold", "ONE MAPS AFFI"),
            ("alpha-bank", "bank", "alpha", self.random.choice(["house", "customer"]), "bank", "USD"),
            ("venue", "venue", "operator", "customer", "venue", "BTC"),
            ("staked", "ethereum", "operator", self.random.choice(["customer", "unknown"]), "staked", "ETH"),
            ("collateral", "custodian", "operator", "collateral", "custodian", "BTC ONE"),
            ("beta-wallet", "ethereum", "beta", self.random.choice(["customer", "unknown"]), "hot", "ETH ONE"),
        ]
        for wallet_id, network, owner, purpose, custody, assets in plans:
            address = "0xAbC" + wallet_id if network == "ethereum" else wallet_id
            self.wallets[wallet_id] = (network, assets)
            self.add_wallet(wallet_id, (network, address), owner, purpose, custody)
        if self.chance(0.6):
            original = self.random.choice(["hot-eth", "op-house", "alpha-wallet", "cold-eth"])
            owner, purpose = self.random.choice([("operator", "customer"), ("operator", "house"), ("alpha", "house")])
            self.wallets["twin"] = ("ethereum", self.wallets[original][1])
            self.add_wallet("twin", ("Ethereum", " 0XABC" + original.upper()), owner, purpose, "cold")

    def add_wallet(self, wallet_id: str, place: tuple[str, str], owner: str, purpose: str, custody: str) -> None:
        """One wallet at a network and address; now and then replaced by another version at a moment of a day."""
        proof = self.random.choice(["signature", "custodian_letter", "bank_confirmation", "signature", "none"])
        stale = at(self.random.choice(self.days)) - timedelta(days=self.random.choice([90, 91, 92, 93]))
        row = self.add(
            "wallets",
            None,
            wallet_id=wallet_id,
            network=place[0],
            address=place[1],
            owner_entity_id=owner,
            purpose=purpose,
            custody=custody,
            encumbered_pct=Decimal(self.random.choice(["12.5", "100", "0.01"]) if wallet_id == "pledged" else 0),
            ownership_proof=proof,
            proven_at=self.random.choice([self.before + ONE_DAY, self.before + ONE_DAY, stale, None]),
            valid_from=self.before,
            recorded_at=self.before,
        )
        if self.chance(0.15):
            proven = {**row, "proven_at": self.moment(self.first), "ownership_proof": "signature"}
            proven["recorded_at"] = self.moment(self.random.choice(self.days))
            self.rows["wallets"].append((None, proven))
        elif self.chance(0.1):
            row["valid_to"] = self.random.choice([self.moment, at])(self.random.choice(self.days[1:]))
        elif self.chance(0.1):
            later = self.random.choice([self.moment, at])(self.random.choice(self.days[1:]))
            self.rows["wallets"].append((None, {**row, "valid_from": later, "purpose": "house"}))
        elif self.chance(0.2):
            change = self.random.choice([self.moment, at])(self.random.choice(self.days[1:]))
            row["valid_to"] = change
            newer = {
                **row,
                "valid_from": change,
                "valid_to": None,
                "purpose": self.random.choice(["customer", "house"]),
            }
            newer["owner_entity_id"] = self.random.choice([owner, "operator"])
            self.rows["wallets"].append((None, newer))

    # ledger -----------------------------------------------------------------------------------------------------

    def transaction(self, day: date, legs: list[Leg], reference: str | None = None, lateness: float = 0.15) -> datetime:
        """Entries of one transaction: account, asset, amount, type; perhaps late, perhaps redelivered."""
        effective = self.moment(day)
        partition = self.random.choice([other for other in self.days if other >= day]) if self.chance(lateness) else day
        honest = at(partition) + timedelta(seconds=self.random.randrange(86400))
        recorded = max(effective, honest if self.chance(0.7) else effective)
        if self.chance(0.04):
            recorded = at(partition + ONE_DAY) + timedelta(hours=self.random.choice([0, 5, 24]))
        identifier = self.identifier("t")
        again = self.chance(0.05)
        for account, asset, amount, entry_type in legs:
            entry = self.add(
                "ledger_entries",
                partition,
                entry_id=self.identifier("e"),
                transaction_id=identifier,
                account_id=account,
                asset=asset,
                amount=amount,
                entry_type=entry_type,
                effective_at=effective,
                recorded_at=recorded,
                reference=reference,
                memo=self.random.choice([None, 'memo, with "quotes" and\nlines']) if self.chance(0.1) else None,
            )
            if again:
                self.rows["ledger_entries"].append(
                    (self.random.choice([d for d in self.days if d >= partition]), entry)
                )
        return effective

    def build_opening(self) -> None:
        """Opening balances of accounts and wallets on the first day."""
        for account in self.inside:
            for asset, *_ in self.random.sample(ASSETS, 4):
                amount = self.amount(asset) * self.random.choice([1, 1, 1, 1, -1 if self.chance(0.3) else 1])
                legs = [(account, asset, amount, "opening"), ("op-external", asset, -amount, "opening")]
                self.transaction(self.first, legs, lateness=0)
        if self.chance(0.3):
            whale = self.random.choice(self.trading)
            for asset, amount in (("USD", Decimal("99999999999999.987654321")), ("DEAD", Decimal(10) ** 15 / 3)):
                exact = amount.quantize(Decimal("1e-18"))
                legs = [(whale, asset, exact, "opening"), ("op-external", asset, -exact, "opening")]
                self.transaction(self.first, legs, lateness=0)
        for wallet_id, (_, assets) in self.wallets.items():
            for asset in assets.split():
                places = 12 if wallet_id == "pledged" else None
                self.held[wallet_id, asset] = self.amount(asset, self.random.choice([0.1, 4, 30]), places)
        if "twin" in self.wallets:
            self.held.update({("twin", asset): self.amount(asset) for asset in self.wallets["twin"][1].split()})

    def build_day(self, day: date) -> None:
        """What happens on one day."""
        for _ in range(self.random.randint(3, 8)):
            self.trade(day)
        for _ in range(self.random.randint(0, 4)):
            self.revenue(day)
        for _ in range(self.random.randint(0, 4)):
            self.outside(day)
        if self.chance(0.5):
            self.internal_transfer(day)
        if self.chance(0.3):
            self.stray_transfer(day)

    def trade(self, day: date) -> None:
        """A trade with a fee, or a plain transfer, borrowing or adjustment between two accounts."""
        seller, buyer = self.random.sample(self.trading, 2)
        base, quote = self.random.choice(["BTC", "ETH", "ONE", "MAPS", "WBTC"]), self.random.choice(["USD", "USDC"])
        sold, paid = self.amount(base, 0.5), self.amount(quote, 0.5)
        kind = self.random.choice(["trade", "trade", "trade", "transfer", "borrow", "repay", "adjustment"])
        legs = [(seller, base, -sold, kind), (buyer, base, sold, kind)]
        if kind == "trade":
            fee = self.amount(quote, 0.01)
            legs += [(buyer, quote, -paid, "trade"), (seller, quote, paid, "trade")]
            legs += [(buyer, quote, -fee, "fee"), ("op-fee", quote, fee, "fee")]
        self.transaction(day, legs)

    def revenue(self, day: date) -> None:
        """Income of every type, with one or two payers, by the legs of its type or by the net of the transaction."""
        kind = self.random.choice(["fee", "interest", "funding", "liquidation", "revenue", "rebate", "reward"])
        asset = self.random.choice(["USD", "USDC", "BTC", "ONE", "MAPS", "DEAD", "EUR"])
        income = self.random.choice(["op-fee", "op-house"])
        first, second = self.random.sample([*self.trading, "op-house" if income == "op-fee" else "op-fee"], 2)
        one, two = self.amount(asset, 0.02), self.amount(asset, 0.02)
        if kind in ("rebate", "reward"):
            self.transaction(day, [(first, asset, one, kind), (income, asset, -one, kind)])
        elif self.chance(0.5):
            self.transaction(day, [(first, asset, -one, kind), (income, asset, one, kind)])
        elif self.chance(0.5):
            legs = [(first, asset, -one, kind), (second, asset, -two, kind), (income, asset, one + two, kind)]
            self.transaction(day, legs)
        else:
            legs = [(first, asset, -one - two, "trade"), (second, asset, two, "trade"), (income, asset, one, kind)]
            self.transaction(day, legs)

    def outside(self, day: date) -> None:
        """A deposit or a withdrawal with its transfer; sometimes without, or of another amount, or in two entries."""
        account = self.random.choice([*self.trading, *self.trading, "op-suspense", "fiat-suspense"])
        wallet_id = self.random.choice(["hot-btc", "hot-eth", "cold-eth", "op-bank", "alpha-bank", "op-bank"])
        asset = self.random.choice(self.wallets[wallet_id][1].split())
        is_deposit = self.chance(0.5)
        kind = "deposit" if is_deposit else "withdrawal"
        amount = self.amount(asset, 0.3) * (1 if is_deposit else -1)
        transfer_id = self.identifier("x")
        legs = [(account, asset, amount, kind), ("op-external", asset, -amount, kind)]
        if self.chance(0.2):
            half = (amount / 2).quantize(Decimal("1e-18"))
            other = self.random.choice(self.trading)
            legs = [(account, asset, half, kind), (other, asset, amount - half, kind), legs[1]]
        if self.chance(0.9):
            effective = self.transaction(day, legs, transfer_id if self.chance(0.93) else None)
        else:
            effective = self.moment(day)
        if self.chance(0.9):
            moved = amount if self.chance(0.93) else amount * 2
            self.transfer(transfer_id, (wallet_id, asset), moved, kind, moment=effective)

    def transfer(
        self, transfer_id: str, place: Place, amount: Decimal, kind: str, *, moment: datetime, other: str | None = None
    ) -> None:
        """One transfer, delivered on its day or later; the wallet's true balance follows."""
        wallet_id, asset = place
        day = moment.date()
        partition = self.random.choice([d for d in self.days if d >= day]) if self.chance(0.1) else day
        self.held[wallet_id, asset] = self.held.get((wallet_id, asset), Decimal(0)) + amount
        address = next((r["address"] for _, r in self.rows["wallets"] if r["wallet_id"] == other), "elsewhere")
        self.add(
            "wallet_transfers",
            partition,
            transfer_id=transfer_id,
            wallet_id=wallet_id,
            counterparty_address=self.random.choice([address, None]),
            counterparty_wallet_id=other,
            asset=asset,
            amount=amount,
            transfer_type=kind,
            block_time=moment,
            recorded_at=max(moment, at(partition)) + timedelta(minutes=1),
        )

    def internal_transfer(self, day: date) -> None:
        """From one known wallet to another, both sides recorded."""
        asset = self.random.choice(["ETH", "ONE", "USDC", "BTC", "USD"])
        holders = [wallet for wallet, (_, assets) in self.wallets.items() if asset in assets.split()]
        holders = [wallet for wallet in holders if wallet != "pledged"]
        if len(holders) < 2:
            return
        source, target = self.random.sample(holders, 2)
        amount = self.amount(asset, 0.5, 12)
        if self.chance(0.4):
            amount = self.held.get((source, asset), amount)
        if amount <= 0:
            return
        moment = self.moment(day)
        self.transfer(self.identifier("x"), (source, asset), -amount, "internal", moment=moment, other=target)
        self.transfer(self.identifier("x"), (target, asset), amount, "internal", moment=moment, other=source)

    def stray_transfer(self, day: date) -> None:
        """In or out of a reserve wallet without any entry: network fees, loans for a snapshot, leaks."""
        wallet_id = self.random.choice(["hot-btc", "hot-eth", "op-bank", "cold-eth"])
        asset = self.random.choice(self.wallets[wallet_id][1].split())
        kind = self.random.choice(["network_fee", "other", "other", "withdrawal"])
        share = Decimal(self.random.choice(["0.0001", "0.3", "1"]))
        amount = (self.held.get((wallet_id, asset), Decimal(1)) * share).quantize(Decimal("1e-12"))
        sign = -1 if kind != "other" or self.chance(0.5) else 1
        if amount > 0:
            other = self.random.choice([None, None, "alpha-wallet", "alpha-bank"])
            place = (wallet_id, asset)
            self.transfer(self.identifier("x"), place, sign * amount, kind, moment=self.moment(day), other=other)

    # what others say ----------------------------------------------------------------------------------------------

    def build_snapshots(self) -> None:
        """The engine's balances: the ledger's at the snapshot's moment, with gaps and drifts; some days twice."""
        rounds = random.Random(f"snapshots {self.seed}")
        for day in self.days:
            moment = self.random.choice([at(day + ONE_DAY), at(day + ONE_DAY) - timedelta(seconds=1), at(day, 18.5)])
            self.add_snapshots(day, moment, self.random)
            if rounds.random() < 0.3:
                self.add_snapshots(day, at(day, rounds.choice([0, 6.5, 12])), rounds)

    def add_snapshots(self, day: date, moment: datetime, chances: random.Random) -> None:
        """One round of snapshots."""
        unique = {row["entry_id"]: row for _, row in self.rows["ledger_entries"]}
        balances: dict[tuple[str, str], Decimal] = {}
        for row in unique.values():
            if row["effective_at"] < moment and row["account_id"] != "op-external":
                key = (row["account_id"], row["asset"])
                balances[key] = balances.get(key, Decimal(0)) + row["amount"]
        for (account, asset), balance in balances.items():
            if chances.random() < 0.02:
                continue
            drift = Decimal(chances.choice(["0.0000001", "0.2", "-0.9", "77.123456789012345678"]))
            stated = balance + drift if chances.random() < 0.02 else balance
            self.add("balance_snapshots", day, account_id=account, asset=asset, balance=stated, as_of=moment)

    def record_wallets(self, day: date) -> None:
        """The wallets' balances at the end of the day; sometimes none, sometimes wrong, sometimes twice."""
        stamp = self.random.choice([at(day + ONE_DAY), at(day + ONE_DAY) - timedelta(microseconds=1)])
        for (wallet_id, asset), balance in self.held.items():
            if self.chance(0.04):
                continue
            stated = max(Decimal(0), balance + self.amount(asset, 0.1, 6) if self.chance(0.03) else balance)
            partition = self.random.choice([d for d in self.days if d >= day]) if self.chance(0.03) else day
            late = stamp - timedelta(microseconds=1) if partition != day else stamp
            self.add("wallet_balances", partition, wallet_id=wallet_id, asset=asset, balance=stated, as_of=late)
            if self.chance(0.05):
                noon = {"balance": balance + 1, "as_of": at(day, 12)}
                self.add("wallet_balances", day, wallet_id=wallet_id, asset=asset, **noon)

    def build_prices(self) -> None:
        """Prices from several sources: with and without volume, stale, apart, missing, off parity."""
        sources = {asset: self.random.sample(["alpha-x", "beta-x", "gamma-x", OWN_VENUE], 3) for asset in self.prices}
        sources["THIN"] = ["venue one" if self.chance(0.5) else "OPERATOR"]
        quiet = {asset: self.random.choice(self.days) for asset in self.prices if self.chance(0.2)}
        for asset, base in self.prices.items():
            depegged = self.random.choice(self.days) if asset in ("USDC", "WBTC") and self.chance(0.5) else None
            for day in self.days:
                if asset in quiet and day >= quiet[asset]:
                    continue
                factor = Decimal("0.97") if depegged and day >= depegged else Decimal(1)
                for source in sources[asset]:
                    if self.chance(0.2):
                        continue
                    wobble = Decimal(self.random.randrange(995, 1005)).scaleb(-3)
                    wobble = wobble * Decimal("1.08") if self.chance(0.03) else wobble
                    tail = Decimal(self.random.randrange(10**9)).scaleb(-self.random.choice([12, 18]))
                    volume = self.random.choice([None, Decimal(0), self.amount("USD", 30)])
                    self.add(
                        "token_prices",
                        day,
                        asset=asset,
                        price_usd=Decimal(base) * factor * wobble + tail,
                        volume_usd=volume,
                        as_of=self.moment(day),
                        source=source,
                    )

    def build_markets(self) -> None:
        """Depth, supply and positions, on some days only."""
        for day in self.days:
            for asset in ("ONE", "MAPS", "THIN", "AFFI"):
                if self.chance(0.4):
                    circulating = self.amount(asset, self.random.choice([2, 20, 400]))
                    self.add("token_supply", day, asset=asset, as_of=self.moment(day), circulating=circulating)
                for source in ("alpha-x", "beta-x", OWN_VENUE):
                    if self.chance(0.4):
                        volume = self.random.choice([None, self.amount("USD", 1), self.amount("USD", 100)])
                        volatility = Decimal(self.random.randrange(1, 2000)).scaleb(-4)
                        self.add(
                            "market_depth",
                            day,
                            asset=asset,
                            as_of=self.moment(day),
                            volume_30d_avg_usd=volume,
                            volatility_30d=volatility,
                            source=source,
                        )
            for account in self.trading:
                if account.endswith("margin") and self.chance(0.3):
                    profit = self.amount("USD", 1, 8) * self.random.choice([1, -1, -3])
                    instrument = self.random.choice(["BTC-PERP", "ETH-PERP"])
                    for moment in sorted(
                        {at(day, 11), self.random.choice([at(day + ONE_DAY), at(day, 23), at(day, 11)])}
                    ):
                        self.add(
                            "open_positions",
                            day,
                            account_id=account,
                            instrument=instrument,
                            quantity=Decimal(1),
                            unrealised_pnl_usd=profit + moment.hour,
                            as_of=moment,
                        )

    @exactly
    def build(self) -> RandomExchange:
        """Everything but management's figures."""
        self.build_references()
        self.build_opening()
        for day in self.days:
            self.build_day(day)
            self.record_wallets(day)
        self.build_snapshots()
        self.build_prices()
        self.build_markets()
        return self


# management's figures -------------------------------------------------------------------------------------------------


def report(
    exchange: RandomExchange,
    figure: str,
    amount: Decimal,
    period: tuple[datetime | None, datetime],
    *,
    asset: str | None = None,
    line: str | None = None,
) -> None:
    """Publish one figure on a day after the period's end, or on the last day."""
    start, end = period
    candidates = [day for day in exchange.days if at(day) >= end] or [exchange.last]
    published = exchange.random.choice(candidates)
    exchange.add(
        "reported_figures",
        published,
        figure=figure,
        line=line,
        asset=asset,
        amount=amount.quantize(Decimal("1e-8") if asset is None else Decimal("1e-18")),
        period_start=start,
        period_end=end,
        published_at=at(published, 9) + timedelta(seconds=exchange.random.randrange(3600)),
    )


def report_stocks(exchange: RandomExchange, truth: Exchange) -> None:
    """Liabilities, reserves and insurance fund of some days: true, nearly true, or made up."""
    insurance = "op-insurance_fund"
    for day in exchange.random.sample(exchange.days[:-1], 3):
        end = exchange.random.choice([at(day + ONE_DAY), at(day + ONE_DAY) - timedelta(seconds=1)])
        start = exchange.random.choice([None, end, at(day)])
        if day == exchange.first and start == end:
            start = None
        described = end.date() if start == end else day
        if described > exchange.last:
            continue
        balances = truth.ledger.balances(described)
        fund = {asset: amount for (account, asset), amount in balances.items() if account == insurance}
        values = [value_usd(amount, truth.prices.usd(asset, described)) for asset, amount in fund.items()]
        stocks: list[tuple[str, str | None, Decimal]] = [
            ("customer_liabilities", None, truth.ledger.customer_liabilities_usd(described)),
            ("customer_liabilities", "BTC", truth.ledger.liability("BTC", described)),
            ("reserves", None, truth.reserves.eligible_usd(described)),
            ("insurance_fund", None, total(values)),
            *[("insurance_fund", asset, amount) for asset, amount in list(fund.items())[:1]],
        ]
        for figure, asset, amount in stocks:
            if exchange.chance(0.6):
                factor = Decimal(exchange.random.choice(["1", "1", "1.004", "0.98", "3"]))
                report(exchange, figure, amount * factor, (start, end), asset=asset)


def report_revenue(exchange: RandomExchange, truth: Exchange) -> None:
    """The months' revenue: as the ledger has it or more; a total, lines, or both; corrected later or not."""
    for month in truth.revenue.months():
        after = first_of_next_month(month)
        ledger = truth.revenue.waterfall(month).ledger_usd
        if after > exchange.last or ledger <= 0 or exchange.chance(0.2):
            continue
        end = exchange.random.choice([at(after), at(after - ONE_DAY)])
        amount = ledger * Decimal(exchange.random.choice(["1", "1", "1.004", "1.3", "0.9"]))
        kind = exchange.random.choice(["total", "lines", "both"])
        if kind != "lines":
            report(exchange, "revenue", amount, (at(month), end))
        if kind != "total":
            report(exchange, "revenue", amount / 4, (at(month), end), line="fees")
            report(exchange, "revenue", amount - amount / 4, (at(month), end), line="other")
        if exchange.chance(0.3):
            quarter = (at(month - 31 * ONE_DAY).replace(day=1), end)
            report(exchange, "revenue", amount * exchange.random.choice([1, 2]), quarter)
        if exchange.chance(0.3):
            report(exchange, "revenue", amount * 2, (at(month), end), line=None if kind != "lines" else "fees")


@exactly
def write_random_landing_zone(seed: int, landing: Path, length: int | None = None) -> RandomExchange:
    """Build and write the landing zone of one seed, management's figures last: some of them are to be true.

    ``length`` is the number of days, by default up to the seed.
    """
    exchange = RandomExchange(seed, length).build()
    write_landing_zone(exchange, landing)
    truth = read_exchange(landing, exchange.last)
    report_stocks(exchange, truth)
    report_revenue(exchange, truth)
    write_table(exchange, "reported_figures", landing)
    return exchange


# files ----------------------------------------------------------------------------------------------------------------


def _csv_text(exchange: RandomExchange, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value:E}" if exchange.chance(0.3) else f"{value:f}"
    return _time_text(exchange, value) if isinstance(value, datetime) else str(value)


def _time_text(exchange: RandomExchange, value: datetime) -> str:
    text = value.isoformat(sep=exchange.random.choice(["T", " "]))
    return text + exchange.random.choice(["", "Z", "+00:00"])


def _json_value(exchange: RandomExchange, value: Any) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    return _time_text(exchange, value) if isinstance(value, datetime) else value


def _parquet_type(kind: ColumnKind) -> pa.DataType:
    if kind in (ColumnKind.DECIMAL, ColumnKind.PERCENT):
        return pa.decimal128(38, 18)
    if kind is ColumnKind.TIMESTAMP:
        return pa.timestamp("us", tz="UTC")
    return pa.int64() if kind is ColumnKind.INTEGER else pa.string()


def write_file(exchange: RandomExchange, name: str, rows: list[Row], path: Path, file_format: str) -> None:
    """Write rows in the format; the columns come in any order."""
    columns = list(table(name).column_names)
    exchange.random.shuffle(columns)
    path.parent.mkdir(parents=True, exist_ok=True)
    if file_format == "parquet":
        schema = pa.schema([(column, _parquet_type(table(name).column(column).kind)) for column in columns])
        exact = [
            {
                column: value.quantize(Decimal("1e-18")) if isinstance(value, Decimal) else value
                for column, value in row.items()
            }
            for row in rows
        ]
        pa.parquet.write_table(pa.Table.from_pylist(exact, schema=schema), path)
    elif file_format == "jsonl":
        lines = [json.dumps({column: _json_value(exchange, row[column]) for column in columns}) for row in rows]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    else:
        opener = gzip.open if file_format == "csv.gz" else open
        with opener(path, "wt", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle)
            writer.writerow(columns)
            writer.writerows([[_csv_text(exchange, row[column]) for column in columns] for row in rows])


def write_table(exchange: RandomExchange, name: str, landing: Path) -> None:
    """Write one table: a file or two per partition, required tables on every day."""
    by_partition: dict[date | None, list[Row]] = {}
    if table(name).required_daily:
        by_partition = {day: [] for day in exchange.days}
    for partition, row in exchange.rows[name]:
        by_partition.setdefault(partition, []).append(row)
    for partition, rows in by_partition.items():
        folder = landing / name if partition is None else landing / name / f"date={partition.isoformat()}"
        exchange.random.shuffle(rows)
        cut = exchange.random.randrange(len(rows) + 1) if len(rows) > 4 and exchange.chance(0.3) else len(rows)
        for number, part in enumerate([rows[:cut], rows[cut:]]):
            if part or number == 0:
                file_format = exchange.random.choice(TABLE_FORMATS)
                write_file(exchange, name, part, folder / f"part{number}.{file_format}", file_format)


@exactly
def write_landing_zone(exchange: RandomExchange, landing: Path) -> None:
    """Write every table that has rows or must be there."""
    for name, contract_table in tables_by_name().items():
        if exchange.rows[name] or contract_table.required_daily or not contract_table.dated:
            write_table(exchange, name, landing)
