"""Eligible reserves, exclusions with their first reason, gaps by in-kind group: DOMAIN.md section 4.

What belongs here: what counts for customers and how far it reaches. What doesn't: flows between balances.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.oracle.books import Row, day_end
from tests.oracle.decimals import HUNDRED, ONE, ZERO, product, quotient, rounded, value_usd
from tests.oracle.ledger import Ledger
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.tokens import Tokens
from tests.oracle.wallets import Wallets


@dataclass
class Holding:
    """One wallet's balance of one asset on one day, split into what counts and what doesn't, by reason."""

    wallet_id: str
    asset: str
    balance: Decimal | None
    eligible: Decimal = ZERO
    excluded: dict[str, Decimal] = field(default_factory=dict)


@dataclass
class GroupCoverage:
    """One in-kind group on one day, in units of its reference asset."""

    liability: Decimal = ZERO
    affiliate_claims: Decimal = ZERO
    eligible: Decimal = ZERO
    excluded: Decimal = ZERO


class Reserves:
    """Reserves by day."""

    def __init__(self, *, policy: Policy, prices: Prices, ledger: Ledger, wallets: Wallets, tokens: Tokens):
        self.policy = policy
        self.prices = prices
        self.ledger = ledger
        self.wallets = wallets
        self.tokens = tokens
        self.relations = ledger.relations
        self._holdings: dict[date, list[Holding]] = {}
        self._coverage: dict[date, dict[str, GroupCoverage]] = {}

    def holdings(self, day: date) -> list[Holding]:
        """Every wallet and asset with a balance row that day, or with none after an earlier one."""
        if day not in self._holdings:
            found = []
            for wallet_id in self.wallets.wallet_ids:
                for asset in self.wallets.assets_until(wallet_id, day):
                    is_listed = self.wallets.is_listed_to_the_end(wallet_id, day)
                    if is_listed or self.wallets.balance(wallet_id, asset, day) is not None:
                        found.append(self._judge(wallet_id, asset, day))
            self._cap_own_tokens(found, day)
            self._deduct_encumbered(found, day)
            self._holdings[day] = found
        return self._holdings[day]

    def _judge(self, wallet_id: str, asset: str, day: date) -> Holding:
        balance = self.wallets.balance(wallet_id, asset, day)
        holding = Holding(wallet_id, asset, balance)
        reason = self.rule_broken(wallet_id, day)
        if balance is None:
            holding.excluded["no_balance"] = self.wallets.last_known_balance(wallet_id, asset, day)
        elif reason is not None:
            holding.excluded[reason] = balance
        else:
            holding.eligible = balance
        return holding

    def rule_broken(self, wallet_id: str, day: date) -> str | None:
        """The first rule that a wallet breaks whatever it holds; every version of the day must pass each rule."""
        versions = self.wallets.versions(wallet_id, day)
        owners = {self.relations.entity(row["owner_entity_id"], day) for row in versions}
        rules = {
            "duplicate_address": not self.wallets.namesakes(wallet_id, day),
            "not_operator": owners == {"operator"} and self.wallets.is_listed_to_the_end(wallet_id, day),
            "not_customer_purpose": all(row["purpose"] == "customer" for row in versions),
            "custody": all(row["custody"] in self.policy.eligible_custody for row in versions),
            "unproven": all(self.is_proven(row, day) for row in versions),
        }
        return next((reason for reason, is_kept in rules.items() if not is_kept), None)

    def is_proven(self, version: Row, day: date) -> bool:
        """Whether ownership was proven at most the policy's days before the end of the day."""
        allowed = self.policy.proof_days[version["ownership_proof"]]
        if allowed == 0 or version["proven_at"] is None:
            return False
        proven_at: datetime = version["proven_at"]
        age = day_end(day) - proven_at
        return timedelta(0) <= age <= timedelta(days=allowed)

    def _cap_own_tokens(self, holdings: list[Holding], day: date) -> None:
        """Own tokens count up to what customers are owed in them: liquid wallets first, then in order of names."""
        room: dict[str, Decimal] = {}
        for holding in sorted(holdings, key=lambda held: not self.is_liquid(held.wallet_id, day)):
            if holding.eligible == 0 or not self.tokens.is_own(holding.asset, day):
                continue
            left = room.setdefault(holding.asset, self.ledger.liability(holding.asset, day))
            counted = min(holding.eligible, left)
            room[holding.asset] = left - counted
            if holding.eligible > counted:
                holding.excluded["own_token"] = holding.eligible - counted
            holding.eligible = counted

    def is_liquid(self, wallet_id: str, day: date) -> bool:
        """Whether the wallet's last version of the day is of a kind from which withdrawals are paid."""
        version = self.wallets.last_version(wallet_id, day)
        return version is not None and version["custody"] in self.policy.liquid_custody

    def _deduct_encumbered(self, holdings: list[Holding], day: date) -> None:
        for holding in holdings:
            versions = self.wallets.versions(holding.wallet_id, day)
            pledged = max((row["encumbered_pct"] for row in versions), default=ZERO)
            deducted = rounded(product(holding.eligible, pledged / HUNDRED), 18)
            if deducted != 0:
                holding.excluded["encumbered"] = deducted
                holding.eligible -= deducted

    def in_reference_units(self, quantity: Decimal, asset: str, day: date) -> Decimal:
        """One for one, or at the ratio of the prices if the asset is too far below its reference asset."""
        group = self.tokens.in_kind_group(asset, day)
        price, reference = self.prices.usd(asset, day), self.prices.usd(group, day)
        if group == asset or price is None or reference is None:
            return quantity
        if price * HUNDRED < reference * (HUNDRED - self.policy.parity_tolerance_pct):
            return rounded(quotient(product(quantity, price), reference), 18)
        return quantity

    def coverage(self, day: date) -> dict[str, GroupCoverage]:
        """Every group with anything owed or held on the day."""
        if day not in self._coverage:
            groups: dict[str, GroupCoverage] = defaultdict(GroupCoverage)
            for (asset, relation), line in self.ledger.owed(day).items():
                group = groups[self.tokens.in_kind_group(asset, day)]
                if relation == "customer":
                    group.liability += line.liability
                if relation == "affiliate":
                    group.affiliate_claims += line.liability
            for holding in self.holdings(day):
                group = groups[self.tokens.in_kind_group(holding.asset, day)]
                group.eligible += self.in_reference_units(holding.eligible, holding.asset, day)
                for quantity in holding.excluded.values():
                    group.excluded += self.in_reference_units(quantity, holding.asset, day)
            self._coverage[day] = dict(groups)
        return self._coverage[day]

    def gap(self, group: str, day: date) -> Decimal:
        """eligible - liability x min_coverage; below zero if short."""
        line = self.coverage(day)[group]
        return line.eligible - product(line.liability, self.min_coverage(group))

    def min_coverage(self, group: str) -> Decimal:
        """Units that must be held for each unit owed."""
        return self.policy.min_coverage_by_group.get(group, self.policy.min_coverage)

    def gap_usd(self, group: str, day: date) -> Decimal | None:
        """The gap at the reference asset's price; None without one."""
        return value_usd(self.gap(group, day), self.prices.usd(group, day))

    def coverage_rows(self, day: date) -> list[Row]:
        """fct_reserve_coverage_daily."""
        rows = []
        for group, line in sorted(self.coverage(day).items()):
            gap = self.gap(group, day)
            rows.append(
                {
                    "as_of_date": day,
                    "in_kind_group": group,
                    "liability": line.liability,
                    "affiliate_claims": line.affiliate_claims,
                    "eligible_reserves": line.eligible,
                    "excluded_reserves": line.excluded,
                    "gap": gap,
                    "gap_all_claims": gap - product(line.affiliate_claims, self.min_coverage(group)),
                    "coverage_ratio": quotient(line.eligible, line.liability) if line.liability else None,
                    "price_usd": self.prices.usd(group, day),
                    "gap_usd": self.gap_usd(group, day),
                }
            )
        return rows

    def exclusion_rows(self, day: date) -> list[Row]:
        """fct_reserve_exclusion_daily; a missing balance is excluded with what was last there."""
        return [
            {
                "as_of_date": day,
                "wallet_id": holding.wallet_id,
                "asset": holding.asset,
                "quantity": quantity,
                "value_usd": value_usd(quantity, self.prices.usd(holding.asset, day)),
                "reason": reason,
            }
            for holding in self.holdings(day)
            for reason, quantity in holding.excluded.items()
            if quantity != 0
        ]

    def net_gap_usd(self, day: date) -> Decimal:
        """Surpluses offset shortfalls, own tokens' never; groups without a price are left out."""
        net = ZERO
        for group in self.coverage(day):
            gap = self.gap_usd(group, day) or ZERO
            net += min(gap, ZERO) if self.tokens.is_own(group, day) else gap
        return net

    def shortfall_usd(self, day: date) -> Decimal:
        """The headline: every group's shortfall, nothing offset."""
        return sum((max(-(self.gap_usd(group, day) or ZERO), ZERO) for group in self.coverage(day)), ZERO)

    def eligible_usd(self, day: date) -> Decimal:
        """Eligible reserves at their own prices, wallet by wallet."""
        values = [value_usd(held.eligible, self.prices.usd(held.asset, day)) for held in self.holdings(day)]
        return sum((value or ZERO for value in values), ZERO)

    def held_share_is_at_least(self, quantity: Decimal, whole: Decimal, percentage: Decimal) -> bool:
        """Whether a positive quantity is at least the percentage of the whole."""
        return quantity > 0 and quantity * HUNDRED >= whole * percentage * ONE
