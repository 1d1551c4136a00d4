"""Own tokens and what the group's pooled holding of them would fetch: DOMAIN.md sections 1 and 5.

What belongs here: which tokens are the group's own and why, the pool, the square-root law, in-kind groups.
What doesn't: market prices of other assets.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.oracle.books import Books, Row
from tests.oracle.decimals import HUNDRED, ONE, ZERO, product, quotient, rounded, square_root, total
from tests.oracle.ledger import Ledger, day_of_snapshot
from tests.oracle.policy import Policy
from tests.oracle.prices import NUMERAIRE, Prices
from tests.oracle.relations import Relations
from tests.oracle.wallets import Wallets, normalised_address


@dataclass(frozen=True)
class Liquidation:
    """What selling the pool would bring; ``fraction`` is proceeds as a share of what is sold."""

    quantity: Decimal
    volume_usd: Decimal
    sold_usd: Decimal
    impact: Decimal
    value_usd: Decimal
    unit_usd: Decimal


def liquidation(
    quantity: Decimal, price: Decimal | None, volume: Decimal | None, volatility: Decimal | None, policy: Policy
) -> Liquidation:
    """The square-root law; worth nothing without a price or an independent market."""
    if price is None or volume is None or volume <= 0:
        return Liquidation(quantity, volume or ZERO, ZERO, ONE, ZERO, ZERO)
    participation = policy.liquidation_participation_pct / HUNDRED
    capacity = product(volume, Decimal(policy.liquidation_horizon_days), participation)
    sold = min(product(quantity, price), capacity)
    if volatility is None:
        impact = ONE
    else:
        factor = product(policy.liquidation_impact_factor, volatility, square_root(quotient(sold, volume)))
        impact = min(ONE, rounded(factor, 12))
    proceeds = quotient(product(sold, 3 - 2 * impact), Decimal(3))
    unit = price if quantity <= 0 else quotient(proceeds, quantity)
    return Liquidation(quantity, volume, sold, impact, rounded(proceeds, 8), unit)


class Tokens:
    """Own tokens by day."""

    def __init__(
        self, *, books: Books, policy: Policy, relations: Relations, prices: Prices, ledger: Ledger, wallets: Wallets
    ):
        self.books = books
        self.policy = policy
        self.relations = relations
        self.prices = prices
        self.ledger = ledger
        self.wallets = wallets
        self.tokens = {row["asset"]: row for row in books.rows("tokens")}
        self._reasons: dict[tuple[str, date], str | None] = {}
        self._liquidations: dict[tuple[str, date], Liquidation] = {}

    def own_venues(self) -> set[str]:
        """Names under which the operator's own venue appears as a source, in lower case."""
        names = {source.lower() for source in self.policy.own_venue_sources}
        for row in self.books.rows("entities"):
            if row["entity_id"] in self.relations.operators:
                names.add(row["entity_id"].lower())
                if row["name"]:
                    names.add(row["name"].lower())
        return names

    def group_holding(self, asset: str, day: date) -> Decimal:
        """The group's proprietary units: house wallets, affiliates' wallets (each coin once), their balances."""
        by_place: dict[tuple[str, str], Decimal] = {}
        for wallet_id in self.wallets.wallet_ids:
            version = self.wallets.last_version(wallet_id, day)
            balance = self.wallets.balance(wallet_id, asset, day)
            if version is None or balance is None:
                continue
            relation = self.relations.entity(version["owner_entity_id"], day)
            is_house = relation == "operator" and version["purpose"] == "house"
            is_affiliates = relation == "affiliate" and version["purpose"] != "customer"
            if is_house or is_affiliates:
                place = normalised_address(version)
                by_place[place] = max(by_place.get(place, balance), balance)
        return total(by_place.values()) + self.ledger.liability(asset, day, "affiliate")

    def circulating(self, asset: str, day: date) -> Decimal | None:
        """Units in circulation by the last row of the day or before it."""
        rows = self._until("token_supply", asset, day)
        return rows[-1]["circulating"] if rows else None

    def _until(self, table: str, asset: str, day: date) -> list[Row]:
        """Rows about the asset that belong to the day or one before it, in their order."""
        rows = [row for row in self.books.rows(table) if row["asset"] == asset and day_of_snapshot(row) <= day]
        return sorted(rows, key=lambda row: (day_of_snapshot(row), row["as_of"]))

    def own_token_reason(self, asset: str, day: date) -> str | None:
        """Why the asset is an own token on the day; None if it isn't."""
        if (asset, day) not in self._reasons:
            self._reasons[asset, day] = self._find_reason(asset, day)
        return self._reasons[asset, day]

    def _find_reason(self, asset: str, day: date) -> str | None:
        if asset == NUMERAIRE or self.tokens[asset]["asset_class"] == "fiat":
            return None
        issuer = self.tokens[asset]["issuer_entity_id"]
        if issuer is not None and self.relations.entity(issuer, day) != "customer":
            return "issuer"
        if self.is_concentrated(asset, day):
            return "concentration"
        sources = {source.lower() for source in self.prices.daily(asset, day).sources}
        if sources and sources <= self.own_venues():
            return "own_venue"
        return None

    def is_concentrated(self, asset: str, day: date) -> bool:
        """Whether the group holds more than the limit of what circulates."""
        circulating = self.circulating(asset, day)
        if circulating is None:
            return False
        holding = self.group_holding(asset, day)
        return bool(holding * HUNDRED > circulating * self.policy.concentration_pct)

    def is_own(self, asset: str, day: date) -> bool:
        """Whether the asset is an own token on the day."""
        return self.own_token_reason(asset, day) is not None

    def liquidation(self, asset: str, day: date) -> Liquidation:
        """Pooled liquidation of an own token."""
        if (asset, day) not in self._liquidations:
            volume, volatility = self._market(asset, day)
            self._liquidations[asset, day] = liquidation(
                self.group_holding(asset, day), self.prices.usd(asset, day), volume, volatility, self.policy
            )
        return self._liquidations[asset, day]

    def _market(self, asset: str, day: date) -> tuple[Decimal | None, Decimal | None]:
        """Lowest average daily volume outside the operator's venue, and the highest volatility that goes with it."""
        venues = self.own_venues()
        latest = {row["source"]: row for row in self._until("market_depth", asset, day)}
        rows = [
            row
            for row in latest.values()
            if row["source"].lower() not in venues and row["volume_30d_avg_usd"] is not None
        ]
        if not rows:
            return None, None
        volume = min(row["volume_30d_avg_usd"] for row in rows)
        volatilities = [row["volatility_30d"] for row in rows if row["volume_30d_avg_usd"] == volume]
        return volume, None if None in volatilities else max(volatilities)

    def liquidation_value_usd(self, quantity: Decimal, asset: str, day: date) -> Decimal | None:
        """Units of an own token at the pooled value, pro rata; other assets at their price; None if unpriced."""
        price = self.prices.usd(asset, day)
        if price is None:
            return None
        unit = self.liquidation(asset, day).unit_usd if self.is_own(asset, day) else price
        return rounded(product(quantity, unit), 8)

    def in_kind_group(self, asset: str, day: date) -> str:
        """The reference asset of the asset's group; an own token is always a group of its own."""
        if self.is_own(asset, day) or asset in self.policy.not_redeemable:
            return asset
        reference: str = self.tokens[asset]["in_kind_group"] or asset
        return asset if reference in self.tokens and self.is_own(reference, day) else reference
