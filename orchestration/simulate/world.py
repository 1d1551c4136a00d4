"""The world's plan: entities, accounts, wallets and privileges, with what everybody holds on the first day.

What belongs here: who exists, how they are linked, what they own at the start. What doesn't: what they do
(activity.py), how that is kept (book.py) and written (tables.py). Acts of a story extend a plan before it is settled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from orchestration.simulate.assets import ASSETS, HAIRCUT, INDEX, OWED_PER_ACCOUNT_USD, OWN_TOKEN, SYMBOLS, TAIL_ASSET
from orchestration.simulate.clock import HOUR, Clock
from orchestration.simulate.prices import Floats, Integers
from orchestration.simulate.scenario import Scenario

Row = dict[str, Any]

OPERATOR = "meridian-exchange"
HOLDING = "halcyon-holdings"
FOUNDER = "person-founder"
MARKET_MAKER = "cardinal-research"
INVESTOR = "orchard-ventures"
CUSTODIAN = "granite-custody"
BANK = "first-lakes-bank"

MARKET_MAKER_ACCOUNT = "acct-cardinal-main"
HOUSE_ACCOUNT = "acct-house"
FEE_ACCOUNT = "acct-fees"
INSURANCE_ACCOUNT = "acct-insurance-fund"
SUSPENSE_ACCOUNT = "acct-unidentified-wires"
INVESTOR_ACCOUNT = "acct-orchard-ventures"

MARKET_MAKER_SHARE = 0.04
HOUSE_SHARE = 0.05
INSURANCE_SHARE = 0.003
UNBOOKED_SURPLUS = 0.02
PROOF_REFRESH_DAYS = 45
PROOF_HOLDS_DAYS = 92
LATE_OPENER_SHARE = 0.08
LARGEST_ACCOUNT_SHARE = 0.05


@dataclass
class AccountPlan:
    """An account that isn't an ordinary customer's; ``opening`` maps asset to the opening balance in whole USD."""

    account_id: str
    entity_id: str
    account_class: str
    label: str | None
    opening_usd: dict[str, float] = field(default_factory=dict)
    is_customer: bool = False
    first_day: int | None = None


@dataclass
class WalletPlan:
    """A wallet. ``first_day`` None means listed before the first day.

    Proofs are refreshed while a wallet is listed, unless ``proven_day`` gives the day of the only one. ``changes`` are
    columns that have another value from the midnight that begins a day on.
    """

    wallet_id: str
    network: str
    owner: str
    purpose: str
    custody: str
    proof: str
    shares: dict[str, float]
    address: str = ""
    encumbered_pct: int = 0
    first_day: int | None = None
    proven_day: int | None = None
    changes: dict[int, dict[str, Any]] = field(default_factory=dict)

    def value_on(self, day: int, column: str) -> Any:
        """What the register says of the wallet at the end of a day."""
        said = [values[column] for begin, values in sorted(self.changes.items()) if begin <= day and column in values]
        return said[-1] if said else getattr(self, column)

    def is_proven_on(self, day: int) -> bool:
        """Whether the proof of ownership still holds at the end of a day."""
        return self.proof != "none" and (self.proven_day is None or day - self.proven_day < PROOF_HOLDS_DAYS)

    @property
    def is_reserve(self) -> bool:
        """Whether the wallet holds customers' assets for the operator, so that the opening fills it."""
        return self.owner == OPERATOR and self.purpose == "customer"


@dataclass
class Customers:
    """Ordinary customers' accounts as arrays: first the spot accounts, then the margin accounts."""

    spot_count: int
    owner: Integers
    opened_day: Integers
    size_usd: Floats
    opening: Integers
    opening_tail: Integers
    fee_exempt: int
    credit_line: int
    credit_limit_usd: int

    @property
    def count(self) -> int:
        """Number of customers' accounts."""
        return len(self.owner)


@dataclass
class World:
    """Everything that exists, as a plan that acts may still change before the book is opened."""

    scenario: Scenario
    clock: Clock
    owed_usd: float
    customers: Customers
    entities: list[Row]
    links: list[Row]
    attributes: list[Row]
    privileges: list[Row]
    accounts: list[AccountPlan]
    wallets: list[WalletPlan]
    token_circulating: dict[str, int]

    def account_index(self, account_id: str) -> int:
        """The index of an account that isn't an ordinary customer's."""
        for number, account in enumerate(self.accounts):
            if account.account_id == account_id:
                return self.customers.count + number
        raise KeyError(account_id)

    def external_index(self, asset: int) -> int:
        """The index of the account that stands for the outside world in an asset."""
        return self.account_index(f"external-{SYMBOLS[asset]}")

    def wallet_index(self, wallet_id: str) -> int:
        """The index of a wallet."""
        return next(number for number, wallet in enumerate(self.wallets) if wallet.wallet_id == wallet_id)


def plan_world(scenario: Scenario, start_prices: Floats, rng: np.random.Generator) -> World:
    """Draw the exchange of a scenario as it stands before the first day; ``start_prices`` are USD by asset."""
    clock = Clock(scenario.start)
    owed = scenario.accounts * OWED_PER_ACCOUNT_USD
    customers = _plan_customers(scenario, owed, start_prices, rng)
    before = clock.midnight(-60)
    return World(
        scenario=scenario,
        clock=clock,
        owed_usd=owed,
        customers=customers,
        entities=_entities(before),
        links=_links(before),
        attributes=_attributes(before),
        privileges=_privileges(customers, before),
        accounts=_special_accounts(owed),
        wallets=_reserve_wallets() + _other_wallets(),
        token_circulating=_circulating(owed, start_prices),
    )


def give_addresses(world: World, rng: np.random.Generator) -> None:
    """Give every wallet without one an address that no other wallet has, also after lower-casing."""
    for wallet in world.wallets:
        if not wallet.address:
            prefix = {"ethereum": "0x", "bitcoin": "bc1q", "tron": "T", "xrp": "r"}.get(wallet.network, "")
            wallet.address = f"{prefix}{rng.bytes(16).hex()}{len(prefix)}{world.wallets.index(wallet):03d}"


def _plan_customers(scenario: Scenario, owed: float, start_prices: Floats, rng: np.random.Generator) -> Customers:
    count = scenario.accounts
    spot = count - count // 5
    owner = np.concatenate([np.arange(spot), np.sort(rng.permutation(spot)[: count - spot])])
    size = np.exp(rng.normal(0.0, 1.7, count)) * rng.pareto(2.5, count).clip(0.05, 20.0)
    size = size / size.sum() * owed
    size = np.minimum(size, owed * LARGEST_ACCOUNT_SHARE)
    opened = np.zeros(count, dtype=np.int64)
    anchors = 2 * len(ASSETS)
    late = rng.permutation(np.arange(anchors, spot))[: int(spot * LATE_OPENER_SHARE)]
    late = late[~np.isin(late, owner[spot:])]
    if scenario.days > 3:
        opened[late] = rng.integers(1, scenario.days, len(late))
    opening = _portfolios(size, opened, owed, start_prices, rng)
    tail = np.where(opening[:, TAIL_ASSET] > 0, rng.integers(0, 10**9, count), 0)
    collateral = _collateral_usd(opening, start_prices)
    return Customers(
        spot_count=spot,
        owner=owner.astype(np.int64),
        opened_day=opened,
        size_usd=size,
        opening=opening,
        opening_tail=tail,
        fee_exempt=int(np.argmax(collateral[:spot])),
        credit_line=int(spot + np.argmax(collateral[spot:])),
        credit_limit_usd=max(int(collateral[spot:].max() * 0.05), 1),
    )


def _collateral_usd(balances: Integers, prices: Floats) -> Floats:
    """USD value of balances after the margin desk's haircuts, for sizing only."""
    places = np.array([10.0**asset.places for asset in ASSETS])
    keep = np.array([1.0 - HAIRCUT[asset.asset_class] for asset in ASSETS])
    value: Floats = (balances / places * prices * keep).sum(axis=1)
    return value


def _portfolios(
    size: Floats, opened: Integers, owed: float, start_prices: Floats, rng: np.random.Generator
) -> Integers:
    """Opening balances in each asset's units, so that what is owed in each asset follows the shares of assets.py."""
    holds = rng.random((len(size), len(ASSETS))) < np.array([asset.holder_share for asset in ASSETS])
    anchors = np.arange(2 * len(ASSETS))
    holds[anchors, anchors % len(ASSETS)] = True
    value = holds * rng.exponential(1.0, holds.shape) * size[:, None]
    value[opened > 0] = 0.0
    target = owed * np.array([asset.owed_share for asset in ASSETS])
    value *= target / value.sum(axis=0)
    places = np.array([10.0**asset.places for asset in ASSETS])
    units: Integers = np.floor(value / start_prices * places).astype(np.int64)
    return units


def _entities(before: int) -> list[Row]:
    kinds = [
        (OPERATOR, "operator", "Meridian Exchange Ltd", "BS"),
        (HOLDING, "company", "Halcyon Holdings Inc", "US"),
        (FOUNDER, "person", "M. Arden", "US"),
        (MARKET_MAKER, "company", "Cardinal Research LLC", "US"),
        (INVESTOR, "company", "Orchard Ventures LP", "GB"),
        ("person-director", "person", "L. Okafor", "GB"),
        (CUSTODIAN, "custodian", "Granite Custody SA", "CH"),
        (BANK, "bank", "First Lakes Bank", "US"),
    ]
    return [
        {"entity_id": entity, "entity_type": kind, "name": name, "country": country, "recorded_at": before}
        for entity, kind, name, country in kinds
    ]


def link(parent: str, child: str, link_type: str, pct: int | None, valid_from: int) -> Row:
    """A row of entity_links that still holds, recorded when it began."""
    return {
        "parent_entity_id": parent,
        "child_entity_id": child,
        "link_type": link_type,
        "ownership_pct": pct,
        "valid_from": valid_from,
        "valid_to": None,
        "recorded_at": valid_from,
    }


def _links(before: int) -> list[Row]:
    """The founder controls the operator through a holding and owns the market maker; the investor stays below 20 %."""
    return [
        link(FOUNDER, HOLDING, "ownership", 80, before),
        link(HOLDING, OPERATOR, "ownership", 90, before),
        link(INVESTOR, OPERATOR, "ownership", 10, before),
        link(FOUNDER, MARKET_MAKER, "ownership", 90, before),
        link("person-director", OPERATOR, "director", None, before),
    ]


def attribute(entity: str, kind: str, value: str, recorded_at: int) -> Row:
    """A row of entity_attributes; the value is written as it is, it has been hashed by whoever delivers it."""
    return {"entity_id": entity, "attribute_type": kind, "attribute_hash": value, "recorded_at": recorded_at}


def _attributes(before: int) -> list[Row]:
    """Group companies share an address and a mail domain, which are soft; hard attributes are their own."""
    rows = [attribute(entity, "address", "h-address-marina-1", before) for entity in (OPERATOR, MARKET_MAKER, HOLDING)]
    for entity in (OPERATOR, MARKET_MAKER, HOLDING, FOUNDER, INVESTOR):
        rows.append(attribute(entity, "bank_account", f"h-bank-{entity}", before))
        rows.append(attribute(entity, "device", f"h-device-{entity}", before))
        rows.append(attribute(entity, "email_domain", f"h-mail-{entity}", before))
    return rows


def privilege(account_id: str, name: str, valid_from: int, *, limit_usd: int | None = None, by: str = "ops") -> Row:
    """A row of account_privileges that still holds, recorded when it began."""
    return {
        "account_id": account_id,
        "privilege": name,
        "limit_usd": limit_usd,
        "valid_from": valid_from,
        "valid_to": None,
        "recorded_at": valid_from,
        "set_by": by,
    }


def _privileges(customers: Customers, before: int) -> list[Row]:
    """What a clean exchange allows: a fee exemption, and a credit line far within the account's collateral."""
    limit = customers.credit_limit_usd
    return [
        privilege(customer_account_id(customers, customers.fee_exempt), "fee_exempt", before),
        privilege(customer_account_id(customers, customers.credit_line), "credit_line", before, limit_usd=limit),
    ]


def customer_account_id(customers: Customers, index: int) -> str:
    """The identifier of an ordinary customer's account."""
    return f"acct-{index:07d}-{'spot' if index < customers.spot_count else 'margin'}"


def customer_entity_id(owner: int) -> str:
    """The identifier of an ordinary customer."""
    return f"cust-{owner:07d}"


def _special_accounts(owed: float) -> list[AccountPlan]:
    def spread(share: float) -> dict[str, float]:
        return {asset.symbol: owed * asset.owed_share * share for asset in ASSETS}

    external = [AccountPlan(f"external-{symbol}", OPERATOR, "external", "outside world") for symbol in SYMBOLS]
    return [
        AccountPlan(MARKET_MAKER_ACCOUNT, MARKET_MAKER, "spot", "market making", spread(MARKET_MAKER_SHARE)),
        AccountPlan(HOUSE_ACCOUNT, OPERATOR, "house", "operator's own money", spread(HOUSE_SHARE)),
        AccountPlan(FEE_ACCOUNT, OPERATOR, "fee", "fees received"),
        AccountPlan(INSURANCE_ACCOUNT, OPERATOR, "insurance_fund", "backstop", {"USD": owed * INSURANCE_SHARE}),
        AccountPlan(SUSPENSE_ACCOUNT, OPERATOR, "suspense", "unidentified wires"),
        AccountPlan(INVESTOR_ACCOUNT, INVESTOR, "spot", None, {"USD": owed * 0.01}, is_customer=True),
        *external,
    ]


def _reserve_wallets() -> list[WalletPlan]:
    """Where the operator holds things; shares say which part of an asset's reserves a wallet starts with."""

    def own(wallet: str, network: str, custody: str, proof: str, **shares: float) -> WalletPlan:
        return WalletPlan(wallet, network, OPERATOR, "customer", custody, proof, shares)

    return [
        own("btc-hot", "bitcoin", "hot", "signature", BTC=0.30),
        own("btc-cold", "bitcoin", "cold", "signature", BTC=0.55),
        own("granite-vault", "custodian", "custodian", "custodian_letter", BTC=0.15, ETH=0.15),
        own("eth-hot", "ethereum", "hot", "signature", ETH=0.30, USDC=0.20, **{OWN_TOKEN: 0.45}),
        own("eth-cold", "ethereum", "cold", "signature", ETH=0.55, USDC=0.60, **{OWN_TOKEN: 0.55}),
        own("sol-hot", "solana", "hot", "signature", SOL=0.35, USDC=0.20),
        own("sol-cold", "solana", "cold", "signature", SOL=0.65),
        own("tron-hot", "tron", "hot", "signature", USDT=0.35),
        own("tron-cold", "tron", "cold", "signature", USDT=0.65),
        own("xrp-hot", "xrp", "hot", "signature", XRP=0.35),
        own("xrp-cold", "xrp", "cold", "signature", XRP=0.65),
        own("bank-lakes-usd", "bank", "bank", "bank_confirmation", USD=0.60),
        own("bank-harbor-usd", "bank", "bank", "bank_confirmation", USD=0.40),
        own("bank-lakes-eur", "bank", "bank", "bank_confirmation", EUR=1.0),
    ]


def _other_wallets() -> list[WalletPlan]:
    """Wallets that are no customers' reserve: house money, collateral at another venue, the market maker's own."""
    return [
        WalletPlan("house-eth", "ethereum", OPERATOR, "house", "cold", "signature", {"USDC": 0.02, OWN_TOKEN: 1.5}),
        WalletPlan("house-bank", "bank", OPERATOR, "house", "bank", "bank_confirmation", {"USD": 0.02}),
        WalletPlan("venue-collateral", "venue", OPERATOR, "collateral", "venue", "none", {"BTC": 0.01}),
        WalletPlan("cardinal-eth", "ethereum", MARKET_MAKER, "house", "hot", "none", {"USDC": 0.01, "ETH": 0.01}),
    ]


def _circulating(owed: float, start_prices: Floats) -> dict[str, int]:
    """Whole units in circulation; customers hold a fraction of the own token, most of it is outside the exchange."""
    own_token_value = owed * 0.50
    return {
        OWN_TOKEN: int(own_token_value / start_prices[INDEX[OWN_TOKEN]]) + 1,
        "SOL": 300_000_000,
        "XRP": 47_000_000_000,
    }


def wallet_rows(world: World) -> list[Row]:
    """All versions of the wallets' rows: a new proof ends the old row's validity and starts a row of its own."""
    clock, rows = world.clock, []
    for number, wallet in enumerate(world.wallets):
        first = wallet.first_day if wallet.first_day is not None else -(5 + 7 * number % 35)
        proven = [first] if wallet.proven_day is not None else range(first, world.scenario.days, PROOF_REFRESH_DAYS)
        starts = sorted({*proven, *wallet.changes})
        for begin, following in zip(starts, [*starts[1:], None], strict=True):
            proven_since = max(day for day in proven if day <= begin)
            row = {
                "wallet_id": wallet.wallet_id,
                "network": wallet.network,
                "address": wallet.address,
                "owner_entity_id": wallet.owner,
                "purpose": wallet.purpose,
                "custody": wallet.value_on(begin, "custody"),
                "encumbered_pct": wallet.value_on(begin, "encumbered_pct"),
                "ownership_proof": wallet.proof,
                "proven_at": None if wallet.proof == "none" else _proven_at(world, wallet, proven_since),
                "valid_from": clock.midnight(begin),
                "valid_to": None,
                "recorded_at": clock.midnight(begin) - HOUR,
            }
            rows.append(row)
            if following is not None:
                end = clock.midnight(following)
                rows.append({**row, "valid_to": end, "recorded_at": end - HOUR})
    return rows


def _proven_at(world: World, wallet: WalletPlan, begin: int) -> int:
    """The afternoon before a version of the wallet's row begins, or of the day that the plan names."""
    day = begin - 1 if wallet.proven_day is None else wallet.proven_day
    return world.clock.midnight(day) + 15 * HOUR
