"""Prices and depth at venues through ccxt: exact, whole days in UTC, and nothing made up."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError
from orchestration.connectors.venue import VenueConfiguration, VenueConnector
from orchestration.errors import ConfigurationError
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, Case, ConformanceTests, Fault, http_faults
from tests.connectors.venues import (
    ANSWERED,
    BTC_USD,
    DAY,
    DAYS,
    ETH_USDT,
    USDT_USD,
    Kraken,
    Series,
    bitstamp,
    connector,
    fault_of,
    okx,
    pulled,
    seconds,
)

KRAKEN_MARKETS: dict[str, Any] = {
    "kind": "venue",
    "venue": "kraken",
    "markets": [{"asset": "BTC", "symbol": "BTC/USD"}, {"asset": "ETH", "symbol": "ETH/USDT", "source": "kraken usdt"}],
    "quotes": {"USDT": "USDT/USD"},
    "depth": {},
    **HTTP_SETTINGS,
}


def in_usd(prices: Series, rates: Series | None = None) -> tuple[list[Decimal], list[Decimal]]:
    """Closes and volumes of the 31 days in USD."""
    with localcontext(prec=100):
        closes = [Decimal(prices.closes[day]) * (Decimal(rates.closes[day]) if rates else 1) for day in DAYS]
        return closes, [close * Decimal(prices.volumes[day]) for close, day in zip(closes, DAYS, strict=True)]


def statistics_of(prices: Series, rates: Series | None = None) -> dict[str, str]:
    closes, volumes = in_usd(prices, rates)
    with localcontext(prec=60):
        volatility = statistics.stdev([later / earlier - 1 for earlier, later in pairwise(closes)])
        return {
            "volume_30d_avg_usd": f"{sum(volumes[1:]) / 30:.8f}",
            "volatility_30d": f"{volatility:.18f}",
        }


def price_of(asset: str, source: str, prices: Series, rates: Series | None = None) -> dict[str, str]:
    closes, volumes = in_usd(prices, rates)
    return {
        "asset": asset,
        "price_usd": f"{closes[-1]:f}",
        "volume_usd": f"{volumes[-1]:.8f}",
        "as_of": f"{DAY} 23:59:59",
        "source": source,
    }


class TestMarketsAtKraken(ConformanceTests):
    @pytest.fixture
    def case(self) -> Iterator[Case]:
        venue = Kraken()
        with web.serving(venue) as server:

            def heal() -> None:
                server.fault = None

            bids = Decimal("64000.1") * Decimal("0.5") + Decimal("63999.9") * Decimal("0.00000001")
            with localcontext(prec=100):
                bids_in_usdt = bids * Decimal(USDT_USD.closes[DAY])
            no_candle = {"error": [], "result": {"XXBTZUSD": [], "last": 0}}
            yield Case(
                section={**KRAKEN_MARKETS, "api_url": server.url},
                day=DAY,
                expected={
                    "token_prices": [
                        price_of("BTC", "kraken", BTC_USD),
                        price_of("ETH", "kraken usdt", ETH_USDT, USDT_USD),
                    ],
                    "market_depth": [
                        {
                            "asset": asset,
                            "as_of": f"{ANSWERED:%Y-%m-%d %H:%M:%S}",
                            "bid_depth_2pct_usd": f"{depth:.8f}",
                            "source": source,
                            **statistics_of(prices, rates),
                        }
                        for asset, source, depth, prices, rates in (
                            ("BTC", "kraken", bids, BTC_USD, None),
                            ("ETH", "kraken usdt", bids_in_usdt, ETH_USDT, USDT_USD),
                        )
                    ],
                },
                faults={
                    **http_faults(server),
                    "empty": Fault(fault_of(server, "OHLC", no_candle), f"have none of {DAY}"),
                    "no book": Fault(fault_of(server, "Depth", {"error": [], "result": {}}), "has no bids"),
                    "no market": Fault(fault_of(server, "AssetPairs", {"error": [], "result": {}}), "has no market"),
                    "unknown": Fault(
                        fault_of(server, "OHLC", {"error": ["EQuery:Unknown asset pair"]}), "Unknown asset pair"
                    ),
                    "limited": Fault(fault_of(server, "OHLC", {"error": ["EAPI:Rate limit exceeded"]}), "6 times"),
                },
                heal=heal,
            )


@pytest.fixture
def markets(tmp_path: Path) -> Iterator[tuple[Kraken, Callable[..., VenueConnector]]]:
    venue = Kraken()
    with web.serving(venue) as server:

        def open_markets(**changes: Any) -> VenueConnector:
            section = {name: value for name, value in KRAKEN_MARKETS.items() if name != "depth"}
            return connector(tmp_path, server, **{**section, **changes})

        yield venue, open_markets


Markets = tuple[Kraken, Callable[..., VenueConnector]]


def test_okx_candles_are_of_utc_days(tmp_path: Path) -> None:
    section = {
        "venue": "okx",
        "markets": [{"asset": "BTC", "symbol": "BTC/USDT"}],
        "quotes": {"USDT": "USDT/USD"},
        "depth": {"part": "lower_bound"},
    }
    with web.serving(okx) as server:
        rows, _ = pulled(connector(tmp_path, server, **section))
        with localcontext(prec=100):
            price = Decimal(BTC_USD.closes[DAY]) ** 2
        assert Decimal(rows["token_prices"][0]["price_usd"]) == price
        assert rows["market_depth"][0]["as_of"] == ANSWERED.isoformat()
        local = {**section, "options": {"fetchOHLCV": {"timezone": "Hong Kong"}}}
        with pytest.raises(EmptyAnswerError):
            pulled(connector(tmp_path, server, **local))


def test_a_price_may_be_pulled_years_later_but_not_an_order_book(markets: Markets, tmp_path: Path) -> None:
    _, open_markets = markets
    source = open_markets(depth={})
    object.__setattr__(source.services.clock, "now", lambda: ANSWERED + timedelta(days=700))
    rows, _ = pulled(source)
    assert len(rows["token_prices"]) == 2
    assert [(row["bid_depth_2pct_usd"], row["as_of"]) for row in rows["market_depth"]] == [
        (None, f"{DAY}T23:59:59"),
        (None, f"{DAY}T23:59:59"),
    ]
    assert all(row["volume_30d_avg_usd"] and row["volatility_30d"] for row in rows["market_depth"])


def test_a_day_left_out_is_not_made_up(markets: Markets) -> None:
    venue, open_markets = markets
    gone = DAYS[7]
    closes = {day: close for day, close in BTC_USD.closes.items() if day != gone}
    venue.markets = {**venue.markets, "XXBTZUSD": replace(BTC_USD, closes=closes)}
    with pytest.raises(IncompleteError, match=f"lack 1 of 31 days, {gone} first"):
        pulled(open_markets(depth={}))
    rows, _ = pulled(open_markets())
    assert len(rows["token_prices"]) == 2


def test_a_young_market_has_no_averages_yet(markets: Markets) -> None:
    venue, open_markets = markets
    young = {day: close for day, close in BTC_USD.closes.items() if day >= DAYS[20]}
    venue.markets = {**venue.markets, "XXBTZUSD": replace(BTC_USD, closes=young)}
    market = {"asset": "BTC", "symbol": "BTC/USD", "listed_on": str(DAYS[20])}
    rows, _ = pulled(open_markets(markets=[market], depth={}))
    (row,) = rows["market_depth"]
    assert (row["volume_30d_avg_usd"], row["volatility_30d"]) == (None, None)
    assert row["bid_depth_2pct_usd"] is not None


@pytest.mark.parametrize(
    ("bids", "asks", "says"),
    [
        ([["64000.5", "1", 0]], [["64000.4", "1", 0]], "bids 64000.5 and asks 64000.4"),
        ([["64000.1", "1", 0]], [["64000.3", "1", 0]], "ends at 64000.1, before 2 % below"),
        ([["64000.1", "1", 0], ["64000.1", "2", 0]], [["64000.3", "1", 0]], "that price twice"),
        ([["-1", "1", 0]], [["64000.3", "1", 0]], "has 1 at -1"),
        ([["abc", "1", 0]], [["64000.3", "1", 0]], "no number"),
        ([["64000.1", "1", 0]], [], "has no asks"),
    ],
)
def test_an_order_book_that_cannot_be_is_refused(markets: Markets, bids: Any, asks: Any, says: str) -> None:
    venue, open_markets = markets
    venue.bids, venue.asks = bids, asks
    with pytest.raises(AnswerError, match=says):
        pulled(open_markets(depth={}))


def test_part_of_an_order_book_is_a_lower_bound_if_that_is_wanted(markets: Markets) -> None:
    venue, open_markets = markets
    venue.bids = [["64000.1", "1.5", 0]]
    rows, _ = pulled(open_markets(depth={"part": "lower_bound"}))
    assert rows["market_depth"][0]["bid_depth_2pct_usd"] == "96000.15000000"


@pytest.mark.parametrize(("close", "volume"), [("0", "1"), ("-5", "1"), ("1", "-1"), ("NaN", "1"), ("1 000", "1")])
def test_a_candle_that_cannot_be_is_refused(markets: Markets, close: str, volume: str) -> None:
    venue, open_markets = markets
    closes, volumes = {**BTC_USD.closes, DAY: close}, {**BTC_USD.volumes, DAY: volume}
    venue.markets = {**venue.markets, "XXBTZUSD": Series(closes, volumes)}
    with pytest.raises(AnswerError, match="candle of BTC/USD on 2026-03-04"):
        pulled(open_markets())


def test_history_is_read_page_by_page_and_a_loop_is_no_end(markets: Markets, tmp_path: Path) -> None:
    venue, open_markets = markets
    asked: list[int] = []

    def short(request: web.Request) -> web.Answer:
        answer = venue(request)
        if request.path.endswith("OHLC"):
            asked.append(int(request.query["since"]))
            pair = request.query["pair"]
            answer.body["result"][pair] = answer.body["result"][pair][:4]
        return answer

    def loop(request: web.Request) -> web.Answer:
        answer = venue(request)
        if request.path.endswith("OHLC"):
            pair = request.query["pair"]
            at = int(request.query["since"]) + 86_400
            answer.body["result"][pair] = [[at, "1", "1", "1", "5", "1", "1", 1]] if at == seconds(DAYS[0]) else []
        return answer

    market = {"markets": [{"asset": "BTC", "symbol": "BTC/USD"}], "depth": {}}
    with web.serving(short) as server:
        rows, _ = pulled(open_markets(api_url=server.url, **market))
        assert rows["market_depth"][0]["volatility_30d"] == statistics_of(BTC_USD)["volatility_30d"]
        assert len(asked) == 8
    with web.serving(loop) as server, pytest.raises(EmptyAnswerError, match=f"have none of {DAY}"):
        pulled(open_markets(api_url=server.url, **market))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"venue": "krakn"}, "ccxt knows no venue krakn; did you mean kraken"),
        ({"markets": [{"asset": "BTC", "symbol": "BTC/USDD"}]}, "kraken has no market BTC/USDD; did you mean BTC/USD"),
        ({"quotes": {}}, "ETH/USDT is quoted in USDT, which isn't USD; name the market USDT/USD"),
        ({"quotes": {"USDT": "BTC/USD"}}, "ETH/USDT is quoted in USDT"),
    ],
)
def test_what_the_venue_does_not_know_is_said(markets: Markets, changes: dict[str, Any], says: str) -> None:
    _, open_markets = markets
    with pytest.raises(ConfigurationError, match=says):
        pulled(open_markets(**changes))
    with pytest.raises(ConfigurationError, match=says):
        list(open_markets(**changes).check())


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({}, "it asks for nothing"),
        ({"markets": [{"asset": "B", "symbol": "B/USD"}], "prices": False}, "ask for nothing"),
        ({"markets": [{"asset": "B", "symbol": "BUSD"}]}, "pattern"),
        ({"markets": [{"asset": "B", "symbol": "B/USD:USD"}]}, "pattern"),
        (
            {"markets": [{"asset": "B", "symbol": s} for s in ("B/USD", "B/EUR")]},
            "two markets price B as source kraken",
        ),
        ({"balances": {"wallet_id": "w"}}, "balances need key_variable and secret_variable"),
        ({"balances": {}}, "name the wallet either by"),
        ({"balances": {"wallet_id": "w", "address": "a"}}, "name the wallet either by"),
        ({"balances": {"wallet_id": "w", "accounts": ["a", "a"]}}, "an account stands twice"),
        ({"balances": {"wallet_id": "w", "assets": {"A": "B"}, "left_out": ["A"]}}, "decide on one"),
        ({"balances": {"wallet_id": "w", "grace_hours": 25}}, "less than or equal to 24"),
        ({"quotes": {"USDT": "USDT/EUR"}}, "pattern"),
        (
            {"balances": {"wallet_id": "w"}, "markets": [{"asset": "B", "symbol": "B/USD"}]},
            "balances and markets in one source",
        ),
    ],
)
def test_a_section_that_contradicts_itself_is_refused(section: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        VenueConfiguration.model_validate({"kind": "venue", "venue": "kraken", **section})


def test_bitstamp_candles(tmp_path: Path) -> None:
    market = [{"asset": "BTC", "symbol": "BTC/USD"}]
    with web.serving(bitstamp) as server:
        rows, _ = pulled(connector(tmp_path, server, venue="bitstamp", markets=market))
        assert rows["token_prices"][0]["price_usd"] == BTC_USD.closes[DAY]
        fault_of(server, "/markets/", [{"base_currency": 7}])()
        with pytest.raises(AnswerError, match="with something that ccxt can't read"):
            pulled(connector(tmp_path, server, venue="bitstamp", markets=market))
