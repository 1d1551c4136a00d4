"""Equity of accounts and whether a negative balance is permitted: DOMAIN.md section 3.

What belongs here: collateral after haircut, equity, borrowing, negative balances. What doesn't: exposure by entity.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from tests.oracle.books import Row
from tests.oracle.decimals import HUNDRED, ZERO, product, rounded, value_usd
from tests.oracle.ledger import Ledger
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.tokens import Tokens


@dataclass
class Equity:
    """One account's equity and borrowing in USD; ``borrows_unpriced`` if a negative balance has no price."""

    collateral_usd: Decimal = ZERO
    borrowing_usd: Decimal = ZERO
    profit_usd: Decimal = ZERO
    borrows_unpriced: bool = False

    @property
    def equity_usd(self) -> Decimal:
        """Collateral after haircut less borrowing plus unrealised profit."""
        return self.collateral_usd - self.borrowing_usd + self.profit_usd


class Equities:
    """Equity by account and day."""

    def __init__(self, policy: Policy, prices: Prices, ledger: Ledger, tokens: Tokens):
        self.policy = policy
        self.prices = prices
        self.ledger = ledger
        self.tokens = tokens

    def after_haircut_usd(self, quantity: Decimal, asset: str, day: date) -> Decimal:
        """A positive balance as collateral: nothing without a price, own tokens at liquidation value."""
        price = self.prices.usd(asset, day)
        if price is None:
            return ZERO
        if self.tokens.is_own(asset, day):
            return self.tokens.liquidation_value_usd(quantity, asset, day) or ZERO
        haircut = self.policy.haircut_pct[self.tokens.tokens[asset]["asset_class"]]
        return rounded(product(quantity, price, 1 - haircut / HUNDRED), 8)

    def of_account(self, account: str, day: date) -> Equity:
        """Equity at the end of the day."""
        equity = Equity(profit_usd=self.ledger.profit_usd(account, day))
        for (holder, asset), balance in self.ledger.balances(day).items():
            if holder != account:
                continue
            if balance > 0:
                equity.collateral_usd += self.after_haircut_usd(balance, asset, day)
                continue
            value = value_usd(-balance, self.prices.usd(asset, day))
            equity.borrows_unpriced = equity.borrows_unpriced or value is None
            equity.borrowing_usd += value or ZERO
        return equity

    def is_permitted(self, account: str, day: date) -> bool:
        """A negative balance is permitted only in a margin account with enough equity."""
        if self.ledger.relations.account_class(account) != "margin":
            return False
        equity = self.of_account(account, day)
        required = equity.borrowing_usd * self.policy.maintenance_margin_pct
        return not equity.borrows_unpriced and bool(equity.equity_usd * HUNDRED >= required)

    def negative_balances(self, day: date) -> list[Row]:
        """fct_negative_balance_daily: every balance below zero, dust included."""
        rows = []
        for (account, asset), balance in sorted(self.ledger.balances(day).items()):
            if balance < 0:
                rows.append(
                    {
                        "as_of_date": day,
                        "account_id": account,
                        "entity_id": self.ledger.relations.accounts[account]["entity_id"],
                        "relation": self.ledger.relations.account(account, day),
                        "account_class": self.ledger.relations.account_class(account),
                        "asset": asset,
                        "balance": balance,
                        "value_usd": value_usd(balance, self.prices.usd(asset, day)),
                        "is_permitted": self.is_permitted(account, day),
                    }
                )
        return rows
