"""Revenue by payer and the monthly waterfall: DOMAIN.md section 6.

What belongs here: what enters fee and house accounts, who paid it, each part in one step. What doesn't: figures of
management themselves (reported).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from tests.oracle.books import Books, Row, day_start
from tests.oracle.decimals import product, quotient, rounded, total, value_usd
from tests.oracle.ledger import Ledger
from tests.oracle.policy import Policy
from tests.oracle.prices import Prices
from tests.oracle.relations import Relations
from tests.oracle.reported import Figure, figures, first_of_next_month, months_of
from tests.oracle.tokens import Tokens

LINE_COLUMNS = ("revenue_date", "revenue_type", "payer_relation", "asset", "is_own_token", "is_backdated")
REVENUE_TYPES = frozenset({"fee", "interest", "funding", "liquidation", "revenue", "rebate", "reward"})


@dataclass(frozen=True)
class Part:
    """The part of one revenue entry that payers of one relation paid."""

    known_at: datetime
    revenue_date: date
    revenue_type: str
    payer_relation: str
    asset: str
    is_own_token: bool
    is_backdated: bool
    quantity: Decimal
    value_usd: Decimal | None
    liquidation_value_usd: Decimal | None

    @property
    def step(self) -> str:
        """The one step of the waterfall that takes it out, or ``kept``."""
        if self.is_backdated:
            return "backdated"
        if self.payer_relation != "customer":
            return "affiliate"
        return "own_token" if self.is_own_token else "kept"

    @property
    def month(self) -> date:
        """First day of the month of the revenue."""
        return self.revenue_date.replace(day=1)


@dataclass
class Waterfall:
    """One month's steps; they add up to the cent if the month was reported."""

    month: date
    reported_usd: Decimal | None
    ledger_usd: Decimal
    backdated_usd: Decimal
    affiliate_usd: Decimal
    own_token_usd: Decimal
    own_token_haircut_usd: Decimal

    @property
    def unsupported_usd(self) -> Decimal | None:
        """Reported without a ledger entry; below zero if the ledger shows more."""
        return None if self.reported_usd is None else self.reported_usd - self.ledger_usd

    @property
    def token_adjusted_usd(self) -> Decimal | None:
        """What is left after every step."""
        if self.reported_usd is None:
            return None
        return self.ledger_usd - self.backdated_usd - self.affiliate_usd - self.own_token_haircut_usd


class Revenue:
    """Revenue of the operator's fee and house accounts."""

    def __init__(
        self, *, books: Books, policy: Policy, relations: Relations, prices: Prices, ledger: Ledger, tokens: Tokens
    ):
        self.books = books
        self.policy = policy
        self.relations = relations
        self.prices = prices
        self.ledger = ledger
        self.tokens = tokens
        self._parts: list[Part] | None = None

    def is_revenue(self, entry: Row) -> bool:
        """Whether the entry moves an operator's fee or house account by one of the revenue types."""
        return (
            entry["entry_type"] in REVENUE_TYPES
            and self.relations.account_class(entry["account_id"]) in ("fee", "house")
            and self.relations.account(entry["account_id"], entry["effective_at"].date()) == "operator"
        )

    def is_backdated(self, entry: Row) -> bool:
        """Whether the entry became known later than the grace after its month's end."""
        month_end = day_start(first_of_next_month(entry["effective_at"].date()))
        limit: datetime = month_end + timedelta(days=self.policy.backdating_grace_days)
        return bool(entry["known_at"] > limit)

    def payer_shares(self, entry: Row) -> dict[str, Decimal]:
        """Each relation's share of an entry: the legs of the other sign of its transaction, asset and type; if there
        are none, all accounts of the transaction whose net in the asset is of the other sign."""
        day = entry["effective_at"].date()
        sign = 1 if entry["amount"] > 0 else -1
        legs: dict[str, Decimal] = defaultdict(Decimal)
        nets: dict[str, Decimal] = defaultdict(Decimal)
        for other in self.ledger.entries:
            if (other["transaction_id"], other["asset"]) != (entry["transaction_id"], entry["asset"]):
                continue
            nets[other["account_id"]] += other["amount"]
            if other["entry_type"] == entry["entry_type"] and other["amount"] * sign < 0:
                legs[other["account_id"]] += abs(other["amount"])
        if not legs:
            legs = defaultdict(Decimal, {account: abs(net) for account, net in nets.items() if net * sign < 0})
        whole = total(legs.values())
        shares: dict[str, Decimal] = defaultdict(Decimal)
        for account, weight in legs.items():
            shares[self.relations.account(account, day)] += quotient(weight, whole)
        return dict(shares)

    def parts(self) -> list[Part]:
        """Every revenue entry of the calendar, split by payer relation."""
        if self._parts is None:
            self._parts = []
            for entry in self.ledger.entries:
                if self.is_revenue(entry) and entry["amount"] != 0:
                    self._parts.extend(self._split(entry))
        return self._parts

    def _split(self, entry: Row) -> list[Part]:
        day = entry["effective_at"].date()
        asset = entry["asset"]
        found = []
        for relation, share in sorted(self.payer_shares(entry).items()):
            quantity = rounded(product(entry["amount"], share), 18)
            found.append(
                Part(
                    known_at=entry["known_at"],
                    revenue_date=day,
                    revenue_type=entry["entry_type"],
                    payer_relation=relation,
                    asset=asset,
                    is_own_token=self.tokens.is_own(asset, day),
                    is_backdated=self.is_backdated(entry),
                    quantity=quantity,
                    value_usd=value_usd(quantity, self.prices.usd(asset, day)),
                    liquidation_value_usd=self.tokens.liquidation_value_usd(quantity, asset, day),
                )
            )
        return found

    def lines(self) -> list[Part]:
        """fct_revenue_daily: parts summed up, and valued at that grain, which is the one that is stored."""
        sums: dict[tuple[object, ...], list[Part]] = defaultdict(list)
        for part in self.parts():
            sums[tuple(getattr(part, column) for column in LINE_COLUMNS)].append(part)
        return [self._valued(parts[0], total(part.quantity for part in parts)) for parts in sums.values()]

    def _valued(self, part: Part, quantity: Decimal) -> Part:
        day, asset = part.revenue_date, part.asset
        return replace(
            part,
            quantity=quantity,
            value_usd=value_usd(quantity, self.prices.usd(asset, day)),
            liquidation_value_usd=self.tokens.liquidation_value_usd(quantity, asset, day),
        )

    def daily_rows(self) -> list[Row]:
        """The lines as rows."""
        columns = (*LINE_COLUMNS, "quantity", "value_usd")
        return [{column: getattr(line, column) for column in columns} for line in self.lines()]

    def monthly_figures(self) -> dict[date, Figure]:
        """Reported revenue in USD by month; longer periods are left out."""
        found = {}
        for figure in figures(self.books, "revenue"):
            months = months_of(figure)
            if figure.asset is None and len(months) == 1:
                found[months[0]] = figure
        return found

    def waterfall(self, month: date) -> Waterfall:
        """One month: every part of every entry in exactly one step."""
        parts = [part for part in self.lines() if part.month == month]
        own = [part for part in parts if part.step == "own_token"]
        figure = self.monthly_figures().get(month)
        return Waterfall(
            month=month,
            reported_usd=figure.amount if figure else None,
            ledger_usd=total(part.value_usd for part in parts),
            backdated_usd=total(part.value_usd for part in parts if part.step == "backdated"),
            affiliate_usd=total(part.value_usd for part in parts if part.step == "affiliate"),
            own_token_usd=total(part.value_usd for part in own),
            own_token_haircut_usd=total(part.value_usd for part in own)
            - total(part.liquidation_value_usd for part in own),
        )

    def months(self) -> list[date]:
        """Months with revenue or with a report."""
        return sorted({part.month for part in self.parts()} | set(self.monthly_figures()))

    def monthly_rows(self) -> list[Row]:
        """fct_token_adjusted_revenue_monthly; a month without a report has null steps."""
        rows = []
        for month in self.months():
            line = self.waterfall(month)
            is_reported = line.reported_usd is not None
            rows.append(
                {
                    "month": month,
                    "reported_usd": line.reported_usd,
                    "ledger_usd": line.ledger_usd,
                    "unsupported_usd": line.unsupported_usd,
                    "backdated_usd": line.backdated_usd if is_reported else None,
                    "affiliate_usd": line.affiliate_usd if is_reported else None,
                    "own_token_haircut_usd": line.own_token_haircut_usd if is_reported else None,
                    "token_adjusted_revenue_usd": line.token_adjusted_usd,
                }
            )
        return rows
