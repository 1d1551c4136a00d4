"""Trading venues on this machine: each answers in its own shapes, with numbers that a binary float would spoil."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.connectors.base import Batch, Clock, Completed, Order, Services
from orchestration.connectors.venue import VenueConfiguration, VenueConnector
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET

DAY = date(2026, 3, 4)
ANSWERED = datetime(2026, 3, 5, 0, 30, 0, 123000)
"""What the venues' clocks say: half an hour after the day's end."""

FIRST = DAY - timedelta(days=30)
DAYS = [FIRST + timedelta(days=number) for number in range(31)]


def seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


def milliseconds(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000 + 0.5)


@dataclass
class Series:
    """A market's closes and volumes by day, as text; the day after the last one is still open."""

    closes: dict[date, str]
    volumes: dict[date, str]

    def since(self, begin: int, most: int = 1000) -> list[tuple[int, str, str]]:
        """Seconds, close and volume of the days from ``begin`` on, the open one too."""
        rows = [(seconds(day), self.closes[day], self.volumes[day]) for day in sorted(self.closes)]
        return [row for row in rows if row[0] >= begin][:most]


def series(start: str, step: str, volume: str) -> Series:
    """Closes that go up by ``step`` one day and down by half of it the next; the open day is far off."""
    closes, close = {}, Decimal(start)
    for number, day in enumerate(DAYS):
        closes[day] = format(close, "f")
        close += Decimal(step) if number % 2 else -Decimal(step) / 2
    closes[DAY + timedelta(days=1)] = "1"
    volumes = {day: format(Decimal(volume) + number, "f") for number, day in enumerate(closes)}
    return Series(closes, volumes)


BTC_USD = series("64123.4", "12.1", "1234.56789012")
USDT_USD = series("0.99987", "0.0001", "98765432.1")
ETH_USDT = series("3456.78", "1.23", "0.123456789012345678")


@dataclass
class Kraken:
    """Market data. ``bids`` and ``asks`` are the order books by pair."""

    markets: dict[str, Series] = field(
        default_factory=lambda: {"XXBTZUSD": BTC_USD, "USDTZUSD": USDT_USD, "ETHUSDT": ETH_USDT}
    )
    bids: list[list[Any]] = field(
        default_factory=lambda: [["64000.1", "0.5", 1772], ["63999.9", "0.00000001", 1772], ["50000", "9", 1772]]
    )
    asks: list[list[Any]] = field(default_factory=lambda: [["64000.3", "1", 1772], ["100000", "1", 1772]])
    moment: datetime = ANSWERED

    def __call__(self, request: web.Request) -> web.Answer:
        answers: Mapping[str, Callable[[web.Request], Any]] = {
            "Assets": lambda _: (
                {name: {"altname": name[-3:], "decimals": 10} for name in ("XXBT", "ZUSD", "XETH")}
                | {"USDT": {"altname": "USDT", "decimals": 8}}
            ),
            "AssetPairs": lambda _: {
                "XXBTZUSD": self.pair("XBT/USD", "XXBT", "ZUSD"),
                "USDTZUSD": self.pair("USDT/USD", "USDT", "ZUSD"),
                "ETHUSDT": self.pair("ETH/USDT", "XETH", "USDT"),
            },
            "OHLC": self.candles,
            "Depth": lambda _: {request.query["pair"]: {"asks": self.asks, "bids": self.bids}},
            "Time": lambda _: {"unixtime": seconds(self.moment.date()) + 1800, "rfc1123": ""},
        }
        name = request.path.removeprefix("/0/public/")
        if name not in answers:
            return web.Answer({"error": ["EGeneral:Unknown method"]})
        return web.Answer({"error": [], "result": answers[name](request)})

    @staticmethod
    def pair(name: str, base: str, quote: str) -> dict[str, Any]:
        return {
            "altname": name.replace("/", ""),
            "wsname": name,
            "base": base,
            "quote": quote,
            "pair_decimals": 1,
            "lot_decimals": 8,
            "fees": [[0, 0.26]],
            "fees_maker": [[0, 0.16]],
            "leverage_buy": [],
            "status": "online",
        }

    def candles(self, request: web.Request) -> dict[str, Any]:
        pair = request.query["pair"]
        rows = self.markets[pair].since(int(request.query["since"]) + 1, 720)
        return {pair: [[at, "1", "2", "1", close, "1", volume, 7] for at, close, volume in rows], "last": rows[-1][0]}


BINANCE_MARKET = {
    "symbol": "BTCUSDT",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "baseAssetPrecision": 8,
    "quotePrecision": 8,
    "isSpotTradingAllowed": True,
    "permissionSets": [["SPOT"]],
    "filters": [],
}


@dataclass
class Binance:
    """An account with two kinds, deposits and withdrawals. Lists are cut to ``most``, the newest first."""

    key: str
    moment: datetime = ANSWERED
    spot: list[dict[str, Any]] = field(default_factory=list)
    funding: list[dict[str, Any]] = field(default_factory=list)
    deposits: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)
    most: int = 2

    def __call__(self, request: web.Request) -> web.Answer:
        public = {
            "/api/v3/time": {"serverTime": milliseconds(self.moment)},
            "/api/v3/exchangeInfo": {"timezone": "UTC", "symbols": [BINANCE_MARKET]},
        }
        if request.path in public:
            return web.Answer(public[request.path])
        signed = "signature" in request.query or b"signature=" in request.body
        if request.headers.get("x-mbx-apikey") != self.key or not signed:
            return web.Answer({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, 401)
        private: dict[str, Any] = {
            "/sapi/v1/capital/config/getall": [],
            "/sapi/v1/margin/allPairs": [],
            "/sapi/v1/margin/isolated/allPairs": [],
            "/api/v3/account": {"accountType": "SPOT", "balances": self.spot},
            "/sapi/v1/asset/get-funding-asset": self.funding,
            "/sapi/v1/capital/deposit/hisrec": self.cut(self.deposits, request, "insertTime"),
            "/sapi/v1/capital/withdraw/history": self.cut(self.withdrawals, request, "applyTime"),
        }
        return web.Answer(private.get(request.path, {"code": -1, "msg": "no such path"}))

    def cut(self, rows: list[dict[str, Any]], request: web.Request, column: str) -> list[dict[str, Any]]:
        begin, end = (int(request.query.get(name, bound)) for name, bound in (("startTime", 0), ("endTime", 1 << 60)))

        def at(row: dict[str, Any]) -> int:
            value = row[column]
            return value if isinstance(value, int) else milliseconds(datetime.fromisoformat(value))

        return sorted((row for row in rows if begin <= at(row) <= end), key=at, reverse=True)[: self.most]


def fault_of(server: web.Web, path: str, body: Any) -> Callable[[], None]:
    """Another answer on one path."""

    def fault(request: web.Request, answer: web.Answer) -> web.Answer:
        return web.Answer(body) if request.path.endswith(path) else answer

    def begin() -> None:
        server.fault = fault

    return begin


def connector(tmp_path: Path, server: web.Web, **section: Any) -> VenueConnector:
    merged = {"kind": "venue", "api_url": server.url, **HTTP_SETTINGS, **section}
    clock = Clock(now=lambda: ANSWERED, sleep=lambda _: None, monotonic=ticking())
    return VenueConnector("tested", VenueConfiguration.model_validate(merged), Services(tmp_path, clock=clock))


def ticking() -> Callable[[], float]:
    now = 0.0

    def tick() -> float:
        nonlocal now
        now += 0.001
        return now

    return tick


def pulled(source: VenueConnector, order: Order | None = None) -> tuple[dict[str, list[dict[str, Any]]], Any]:
    rows: dict[str, list[dict[str, Any]]] = {}
    position = None
    for answer in source.pull(order or Order(DAY)):
        if isinstance(answer, Batch):
            rows.setdefault(answer.table, []).extend(answer.rows.to_pylist())  # type: ignore[union-attr]
        else:
            assert isinstance(answer, Completed)
            position = answer.position
    return rows, position


def okx(request: web.Request) -> web.Answer:
    """Market data and an account with its passphrase."""
    is_private = request.path.startswith(("/api/v5/asset", "/api/v5/account"))
    if is_private and request.headers.get("ok-access-passphrase") != SECRET:
        return web.Answer({"code": "50105", "msg": "Request header OK-ACCESS-PASSPHRASE incorrect.", "data": []}, 401)
    spot = {"instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "tickSz": "0.1"}
    spot |= {"lotSz": "0.00000001", "minSz": "0.00001", "state": "live", "instIdCode": 1}
    begin = int(request.query.get("before", 0)) // 1000
    candles = [
        [str(at * 1000), "1", "2", "1", close, volume, volume, "9", "1"]
        for at, close, volume in BTC_USD.since(begin, int(request.query.get("limit", 100)))
        if at * 1000 < int(request.query.get("after", 1 << 60))
    ]
    book = {"asks": [["101", "1", "0", "1"]], "bids": [["99.9", "0.1", "0", "1"]], "ts": str(milliseconds(ANSWERED))}
    data: dict[str, Any] = {
        "/api/v5/public/time": [{"ts": str(milliseconds(ANSWERED))}],
        "/api/v5/public/instruments": [spot, {**spot, "instId": "USDT-USD", "baseCcy": "USDT", "quoteCcy": "USD"}],
        "/api/v5/market/candles": candles[::-1] if request.query.get("bar") == "1Dutc" else [],
        "/api/v5/market/history-candles": candles[::-1] if request.query.get("bar") == "1Dutc" else [],
        "/api/v5/market/books": [book],
        "/api/v5/asset/currencies": [],
        "/api/v5/account/balance": [
            {"details": [{"ccy": "BTC", "eq": "0.049", "availBal": "0.049", "frozenBal": "0"}]}
        ],
        "/api/v5/asset/balances": [{"ccy": "BTC", "availBal": "0.00005426", "bal": 5.426e-05, "frozenBal": "0"}],
    }
    return web.Answer({"code": "0", "msg": "", "data": data[request.path]})


def coinbase(request: web.Request) -> web.Answer:
    """An account whose list comes in pages, in the shapes of both of its interfaces."""
    wallets = [
        ("BTC", "1.0000000000000001", "0.5"),
        ("USDC", "7", "0"),
        ("BTC", "2", "0"),
        ("ETH", "0.000000000000000001", "0"),
    ]
    cursor = request.query.get("cursor") or request.query.get("starting_after") or ""
    page = int(cursor) if cursor.isdigit() else 0
    shown = wallets[page : page + 2]
    more = page + 2 if page + 2 < len(wallets) else None
    entries = [{"uuid": f"{page}{code}", "id": code, "currency": code, "name": code} for code, _, _ in shown]
    for entry, (code, free, held) in zip(entries, shown, strict=True):
        if request.path == "/v2/accounts":
            entry |= {"type": "wallet", "balance": {"amount": free, "currency": code}}
        else:
            entry |= {"type": "ACCOUNT_TYPE_CRYPTO", "available_balance": {"value": free, "currency": code}}
            entry |= {"hold": {"value": held, "currency": code}}
    product = {"product_id": "BTC-USD", "base_currency_id": "BTC", "quote_currency_id": "USD", "status": "online"}
    product |= {"product_type": "SPOT", "base_increment": "0.1", "quote_increment": "0.1", "price_increment": "0.1"}
    answers: dict[str, Any] = {
        "/v2/time": {"data": {"epoch": milliseconds(ANSWERED) // 1000, "iso": "2026-03-05T00:30:00Z"}},
        "/api/v3/brokerage/accounts": {"accounts": entries, "has_next": bool(more), "cursor": str(more or "")},
        "/v2/accounts": {
            "pagination": {"next_uri": f"/v2/accounts?limit=2&starting_after={more}" if more else None},
            "data": entries,
        },
        "/api/v3/brokerage/market/products": {
            "products": [] if request.query.get("product_type") == "FUTURE" else [product]
        },
    }
    return web.Answer(answers.get(request.path, {"data": [], "fee_tier": {}}))


def bitstamp(request: web.Request) -> web.Answer:
    headers = {"date": "Thu, 05 Mar 2026 00:29:58 GMT"}
    market = {"name": "BTC/USD", "market_symbol": "btcusd", "base_currency": "BTC", "counter_currency": "USD"}
    market |= {
        "description": "Bitcoin / U.S. dollar",
        "minimum_order_value": "10 USD",
        "base_decimals": 8,
        "counter_decimals": 2,
        "trading": "Enabled",
        "market_type": "SPOT",
    }
    if request.path == "/api/v2/markets/":
        return web.Answer([market], headers=headers)
    if request.path == "/api/v2/account_balances/":
        entry = {"currency": "usdt", "total": "7.00000", "available": "6.00000", "reserved": "1.00000"}
        return web.Answer([entry, {**entry, "currency": "btc", "total": "0.1"}], headers=headers)
    assert request.path == "/api/v2/ohlc/btcusd/"
    begin, end = int(request.query["start"]), int(request.query["end"])
    ohlc = [
        {"timestamp": str(at), "open": "1", "high": "2", "low": "1", "close": close, "volume": volume}
        for at, close, volume in BTC_USD.since(begin)
        if at <= end
    ]
    return web.Answer({"data": {"pair": "BTC/USD", "ohlc": ohlc}})
