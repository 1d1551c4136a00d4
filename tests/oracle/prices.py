"""The daily price of every asset: DOMAIN.md section 5.

What belongs here: which source rows count, the volume-weighted lower median, age and spread.
What doesn't: what tokens are the group's own, or what they would fetch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from tests.oracle.books import Books, Row, day_end
from tests.oracle.decimals import quotient, total

NUMERAIRE = "USD"


@dataclass(frozen=True)
class Price:
    """One asset's price on one day; ``price_usd`` is None if there is none."""

    price_usd: Decimal | None
    priced_at: datetime | None
    spread: Decimal | None
    sources: tuple[str, ...]


UNPRICED = Price(None, None, None, ())


def volume_weighted_lower_median(quotes: list[tuple[Decimal, Decimal | None]]) -> Decimal:
    """The lowest price at which cumulative volume reaches half; without any volume the lower median."""
    ordered = sorted(quotes, key=lambda quote: quote[0])
    whole = total(volume for _, volume in ordered)
    if whole <= 0:
        return ordered[(len(ordered) - 1) // 2][0]
    cumulative = Decimal(0)
    for price, volume in ordered:
        cumulative += volume or Decimal(0)
        if 2 * cumulative >= whole:
            return price
    raise AssertionError("cumulative volume never reached half")


def last_row_per_source(rows: list[Row], asset: str, day: date) -> list[Row]:
    """Of each source the last row of the asset before the end of the day."""
    latest: dict[str, Row] = {}
    for row in rows:
        if row["asset"] != asset or row["as_of"] >= day_end(day):
            continue
        kept = latest.get(row["source"])
        if kept is None or row["as_of"] > kept["as_of"]:
            latest[row["source"]] = row
    return [latest[source] for source in sorted(latest)]


class Prices:
    """Prices by asset and day."""

    def __init__(self, books: Books):
        self.books = books
        self.assets = sorted(row["asset"] for row in books.rows("tokens"))
        self._known: dict[tuple[str, date], Price] = {}

    def daily(self, asset: str, day: date) -> Price:
        """The price on the day; the numeraire costs one and is never stale."""
        if (asset, day) not in self._known:
            self._known[asset, day] = self._compute(asset, day)
        return self._known[asset, day]

    def _compute(self, asset: str, day: date) -> Price:
        rows = last_row_per_source(self.books.rows("token_prices"), asset, day)
        if asset == NUMERAIRE:
            return Price(Decimal(1), None, None, ())
        if not rows:
            return UNPRICED
        quotes = [(row["price_usd"], row["volume_usd"]) for row in rows]
        price = volume_weighted_lower_median(quotes)
        prices = [quote[0] for quote in quotes]
        return Price(
            price,
            max(row["as_of"] for row in rows),
            quotient(max(prices) - min(prices), price),
            tuple(row["source"] for row in rows),
        )

    def usd(self, asset: str, day: date) -> Decimal | None:
        """The price alone."""
        return self.daily(asset, day).price_usd
