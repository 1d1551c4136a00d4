"""Prices and depth of a venue's spot markets, in USD.

What belongs here: candles, order books, and the way from a quote currency to USD. What doesn't: which price counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from orchestration.connectors.base import Batch, Connector, Order
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError, TooLateError
from orchestration.connectors.numbers import (
    PRICE,
    STATISTIC,
    VOLUME,
    exactly,
    milliseconds_of,
    moment_of,
    number_of,
    rounded,
)
from orchestration.connectors.paging import Page, pages
from orchestration.connectors.present import require_in_time, stamp
from orchestration.connectors.venue.configuration import Depth, Market, VenueConfiguration
from orchestration.connectors.venue.exchange import Exchange
from orchestration.errors import ConfigurationError

_DAY = timedelta(days=1)
_DAYS = 30
_WITHIN = Decimal("0.98")
_DAY_END = time(23, 59, 59)
_QUIET = timedelta(hours=1)
"""How long a market's order book may have stood unchanged, since some venues stamp it with its last change."""


@dataclass(frozen=True, slots=True)
class Candle:
    """One day of a market: the last price in its quote currency, and the units of the base currency traded."""

    close: Decimal
    volume: Decimal | None


class Markets:
    """The configured markets of a venue. Candles are asked for once a market."""

    def __init__(self, exchange: Exchange, configuration: VenueConfiguration) -> None:
        self.exchange, self.configuration = exchange, configuration
        self._candles: dict[str, dict[date, Candle]] = {}

    def way_to_usd(self, market: Market) -> str:
        """How a market's price becomes USD, in words; raise ConfigurationError if it can't."""
        rate_symbol = self._rate_symbol(market)
        way = f"by {rate_symbol}" if rate_symbol else "in USD"
        return f"prices {market.asset} {way}, as source {self.configuration.source_of(market)}"

    def pull(self, order: Order, connector: Connector) -> Iterator[Batch]:
        """Yield a batch for each table and market."""
        for market in self.configuration.markets:
            if self.configuration.depth is not None:  # its candles hold the day's price too
                yield Batch("market_depth", connector.table_of(self._depth(market, order, self.configuration.depth)))
            if self.configuration.prices:
                yield Batch("token_prices", connector.table_of(self._price(market, order.day)))

    def _price(self, market: Market, day: date) -> dict[str, list[Any]]:
        candle = self._days(market.symbol, day, day)[day]
        rate = self._rates(market, day, day)[day]
        with exactly():
            price = candle.close if rate == 1 else rounded(candle.close * rate, PRICE)
            volume = None if candle.volume is None else rounded(candle.close * candle.volume * rate, VOLUME)
        return {
            "asset": [market.asset],
            "price_usd": [format(price, "f")],
            "volume_usd": [None if volume is None else format(volume, "f")],
            "as_of": [datetime.combine(day, _DAY_END)],
            "source": [self.configuration.source_of(market)],
        }

    def _depth(self, market: Market, order: Order, settings: Depth) -> dict[str, list[Any]]:
        """Volume and volatility of 30 days up to the day, and the order book if the day has only just ended.

        An order book can't be had later; the row then says nothing of it and is of the day's end.
        """
        volume, volatility = self._thirty_days(market, order.day)
        bids, moment = None, datetime.combine(order.day, _DAY_END)
        try:
            require_in_time(order, self.exchange.services, settings.grace_hours, "order books")
            bids, moment = self._bids(market, order, settings)
        except TooLateError:
            self.exchange.services.report(f"{order.day}, {market.symbol}: too late for its order book, left empty")
        return {
            "asset": [market.asset],
            "as_of": [moment],
            "bid_depth_2pct_usd": [bids],
            "volume_30d_avg_usd": [volume],
            "volatility_30d": [volatility],
            "source": [self.configuration.source_of(market)],
        }

    def _thirty_days(self, market: Market, day: date) -> tuple[str | None, str | None]:
        """Average volume of 30 days in USD (8 places), and the sample standard deviation of 30 daily returns."""
        first = day - _DAYS * _DAY
        if market.listed_on is not None and market.listed_on > first:
            return None, None
        candles, rates = self._days(market.symbol, first, day), self._rates(market, first, day)
        days = _days_of(first, day)
        with exactly():
            closes = [candles[one].close * rates[one] for one in days]
            returns = [later / earlier - 1 for earlier, later in pairwise(closes)]
            mean = sum(returns, Decimal()) / _DAYS
            variance = sum(((one - mean) ** 2 for one in returns), Decimal()) / (_DAYS - 1)
            volatility = format(rounded(variance.sqrt(), STATISTIC), "f")
            volumes = [candles[one].volume for one in days[1:]]
            known = [close * units for close, units in zip(closes[1:], volumes, strict=True) if units is not None]
            average = format(rounded(sum(known) / Decimal(_DAYS), VOLUME), "f") if len(known) == _DAYS else None
        return average, volatility

    def _bids(self, market: Market, order: Order, settings: Depth) -> tuple[str, datetime]:
        """USD bid within 2 % of the middle price, and when it was so."""
        place = f"the order book of {market.symbol} at {self.exchange.venue}"
        book = self.exchange.ask("fetch_order_book", market.symbol, settings.levels)
        told = book.get("timestamp")
        moment = moment_of(told, place) if told is not None else self.exchange.now()
        moment = stamp(order, moment, settings.grace_hours, place, oldest=_QUIET)
        bids, asks = _levels(book["bids"], place), _levels(book["asks"], place)
        if not bids or not asks:
            raise EmptyAnswerError(f"{place} has no {'asks' if bids else 'bids'}", "see whether it is being traded")
        best_bid, best_ask = max(bids), min(asks)
        if best_bid >= best_ask:
            raise AnswerError(f"{place} bids {best_bid} and asks {best_ask}", "pull again; that can't last")
        with exactly():
            bound = (best_bid + best_ask) / 2 * _WITHIN
            if min(bids) > bound and settings.part == "refuse":
                raise IncompleteError(
                    f"{place} ends at {min(bids)}, before 2 % below its price",
                    "raise depth.levels, or take what it shows with depth.part: lower_bound",
                )
            quoted = sum(price * amount for price, amount in bids.items() if price >= bound)
            rate = self._rates(market, order.day, order.day)[order.day]
            return format(rounded(quoted * rate, VOLUME), "f"), moment

    def _rate_symbol(self, market: Market) -> str | None:
        quote = str(self.exchange.market(market.symbol)["quote"])
        if quote == "USD":
            return None
        symbol = self.configuration.quotes.get(quote)
        if symbol is None or symbol != f"{quote}/USD":
            raise ConfigurationError(
                f"{market.symbol} is quoted in {quote}, which isn't USD; name the market {quote}/USD under"
                f" quotes.{quote}"
            )
        self.exchange.market(symbol)
        return symbol

    def _rates(self, market: Market, first: date, last: date) -> dict[date, Decimal]:
        """USD for one unit of the market's quote currency, by day: the close of that day."""
        days, symbol = _days_of(first, last), self._rate_symbol(market)
        if symbol is None:
            return dict.fromkeys(days, Decimal(1))
        candles = self._days(symbol, first, last)
        return {day: candles[day].close for day in days}

    def _days(self, symbol: str, first: date, last: date) -> dict[date, Candle]:
        """The candles of every day from ``first`` to ``last``; raise if one is missing."""
        known = self._candles.setdefault(symbol, {})
        days = _days_of(first, last)
        if any(day not in known for day in days):
            self.exchange.market(symbol)
            if not self.exchange.offers("fetchOHLCV") or "1d" not in (self.exchange.api.timeframes or {}):
                raise ConfigurationError(f"ccxt has no daily candles of {self.exchange.venue}; take another venue")
            for page in pages(lambda cursor: self._page(symbol, cursor, days[-1]), self._place(symbol), start=days[0]):
                self._take(symbol, page.items)
        missing = [day for day in days if day not in known]
        if last in missing:
            raise EmptyAnswerError(
                f"{self._place(symbol)} have none of {last}",
                "nothing is put in its place; see whether the market was traded, or give it up",
            )
        if missing:
            raise IncompleteError(
                f"{self._place(symbol)} lack {len(missing)} of {len(days)} days, {missing[0]} first",
                "if the market is younger, say its first whole day with listed_on; else the venue left days out",
            )
        return known

    def _page(self, symbol: str, cursor: date, last: date) -> Page:
        since = milliseconds_of(datetime.combine(cursor, time()))
        rows = self.exchange.ask("fetch_ohlcv", symbol, "1d", since, (last - cursor).days + 1)
        place = self._place(symbol)
        dated = [(moment_of(row[0], place), row) for row in rows]
        if uneven := next((moment for moment, _ in dated if moment.time() != time()), None):
            raise AnswerError(f"{place} begin at {uneven}, which is no day in UTC", "set the venue's options for UTC")
        items = [(moment.date(), row) for moment, row in dated if cursor <= moment.date() <= last]
        if not items or max(day for day, _ in items) >= last:
            return Page(items)
        return Page(items, max(day for day, _ in items) + _DAY)

    def _take(self, symbol: str, items: Sequence[tuple[date, Sequence[Any]]]) -> None:
        known = self._candles[symbol]
        for day, row in items:
            place = f"the candle of {symbol} on {day}"
            close = number_of(row[4], f"the close in {place}")
            volume = None if row[5] is None else number_of(row[5], f"the volume in {place}")
            if close <= 0 or (volume is not None and volume < 0):
                raise AnswerError(f"{place} closes at {close} with a volume of {volume}", "see what the venue says")
            candle = Candle(close, volume)
            if known.setdefault(day, candle) != candle:
                raise AnswerError(f"{place} came twice and differs", "pull again; its history can't be trusted")

    def _place(self, symbol: str) -> str:
        return f"daily candles of {symbol} at {self.exchange.venue}"


def _days_of(first: date, last: date) -> list[date]:
    return [first + number * _DAY for number in range((last - first).days + 1)]


def _levels(entries: Sequence[Sequence[Any]], place: str) -> dict[Decimal, Decimal]:
    """Units by price; raise AnswerError for what can't be one side of an order book."""
    levels: dict[Decimal, Decimal] = {}
    for entry in entries:
        price, amount = number_of(entry[0], f"a price in {place}"), number_of(entry[1], f"an amount in {place}")
        if price <= 0 or amount < 0 or price in levels:
            raise AnswerError(f"{place} has {amount} at {price}, or that price twice", "see what the venue says")
        levels[price] = amount
    return levels
