"""Prices and supply from CoinGecko, through its official client on our own HTTP client.

What belongs here: which of its answers are of a known moment, and reading them exactly. What doesn't: which price
counts, and what supply is used for.

A day's price is CoinGecko's last one of that day, from the series of the day (a point every five minutes for the
latest day, every hour for days before), stamped with the moment that CoinGecko gives; its volume is that of the 24
hours before. The daily snapshots it offers besides are of 00:00 of the day after, which no longer belongs to the day.

Supply can only be had as it is now (its history is no part of the common plans): stamped with the moment CoinGecko
last updated it, and delivered for the day that has only just ended (``present``).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from orchestration.connectors.base import (
    Batch,
    Completed,
    Connector,
    Feed,
    Order,
    Probe,
    Services,
    SourceConfiguration,
    require,
)
from orchestration.connectors.errors import AnswerError, EmptyAnswerError, IncompleteError
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.limits import Limits
from orchestration.connectors.numbers import VOLUME, milliseconds_of, moment_of, number_of, rounded
from orchestration.connectors.present import DEFAULT_GRACE_HOURS, GraceHours, require_in_time, stamp
from orchestration.connectors.secrets import Address, VariableName
from orchestration.errors import RingfenceError

_ADDRESSES = {"demo": "https://api.coingecko.com/api/v3", "pro": "https://pro-api.coingecko.com/api/v3"}
_PLACES: Literal["18"] = "18"
_DAY = timedelta(days=1)
CoinName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9._-]+$", max_length=200)]
Asset = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class CoinGeckoConfiguration(SourceConfiguration):
    """What to ask CoinGecko: one table, for coins by CoinGecko's own names (as in the address of a coin's page).

    ``oldest_minutes``: how long before the day's end its last price may be. ``grace_hours`` is for supply.
    """

    table: Literal["token_prices", "token_supply"]
    coins: dict[CoinName, Asset] = Field(min_length=1)
    plan: Literal["demo", "pro"] = "demo"
    key_variable: VariableName | None = None
    api_url: Address | None = None
    source: Asset = "coingecko"
    oldest_minutes: int = Field(90, ge=1, le=1440)
    grace_hours: GraceHours = DEFAULT_GRACE_HOURS
    coins_per_request: int = Field(100, ge=1, le=250)
    http: HttpSettings = HttpSettings(requests_per_second=0.4)
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _is_one_coin_an_asset(self) -> CoinGeckoConfiguration:
        assets = list(self.coins.values())
        if twice := sorted({asset for asset in assets if assets.count(asset) > 1}):
            raise ValueError(f"two coins are {twice[0]}; name one")
        return self


class CoinGeckoConnector(Connector):
    """CoinGecko's prices or supply of the configured coins; grain: one row for each."""

    configuration_class: ClassVar[type[SourceConfiguration]] = CoinGeckoConfiguration

    def __init__(self, name: str, configuration: CoinGeckoConfiguration, services: Services) -> None:
        super().__init__(name, configuration, services)
        self.configuration = configuration

    @classmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        """The configured table."""
        return (Feed(configuration.table, of_the_present=configuration.table == "token_supply"),)

    @cached_property
    def api(self) -> _Api:
        """CoinGecko; opened when it is asked for the first time."""
        return _Api(self.configuration, self.services)

    def check(self) -> Iterator[Probe]:
        """Ask for every coin's present state: it shows names that CoinGecko doesn't know."""
        for coin, state in self._states():
            updated = f"last updated {state['last_updated']}"
            yield Probe(coin, True, f"is {state.get('name')}, {updated}, delivered as {self.configuration.coins[coin]}")

    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """Yield a batch for each coin."""
        if self.configuration.table == "token_prices":
            for coin, asset in self.configuration.coins.items():
                yield Batch("token_prices", self.table_of(self._price(coin, asset, order)))
        else:
            require_in_time(order, self.services, self.configuration.grace_hours, "supplies at CoinGecko")
            for coin, state in self._states():
                yield Batch("token_supply", self.table_of(self._supply(coin, state, order)))
        yield Completed({"day": order.day.isoformat()})

    def _price(self, coin: str, asset: str, order: Order) -> dict[str, list[Any]]:
        place = f"CoinGecko's prices of {coin}"
        answer = self.api.series(coin, order.since, order.until)
        prices, volumes = _points(answer, "prices", place), _points(answer, "total_volumes", place)
        within = [moment for moment in prices if order.since <= moment < order.until]
        last = max(within, default=None)
        oldest = order.until - timedelta(minutes=self.configuration.oldest_minutes)
        if last is None or last < oldest:
            found = "there is none of that day" if last is None else f"the last one is of {last:%Y-%m-%d %H:%M}"
            raise EmptyAnswerError(
                f"{place} end before {oldest:%Y-%m-%d %H:%M} ({found})",
                "pull again in an hour, see whether the coin is still listed, or raise oldest_minutes",
            )
        price, volume = prices[last], volumes.get(last)
        if price <= 0 or (volume is not None and volume < 0):
            raise AnswerError(f"{place} say {price} with a volume of {volume}", "see what CoinGecko says of it")
        return {
            "asset": [asset],
            "price_usd": [format(price, "f")],
            "volume_usd": [None if volume is None else format(rounded(volume, VOLUME), "f")],
            "as_of": [last],
            "source": [self.configuration.source],
        }

    def _supply(self, coin: str, state: dict[str, Any], order: Order) -> dict[str, list[Any]]:
        """A row of supply. CoinGecko writes 0 for what it doesn't know: that is null here, and no row if it is both."""
        place = f"CoinGecko's supply of {coin}"
        moment = stamp(order, _updated(state, place), self.configuration.grace_hours, place, oldest=_DAY)
        units = {
            name: None if state.get(key) is None else number_of(state[key], f"{key} of {coin}")
            for name, key in (("circulating", "circulating_supply"), ("total", "total_supply"))
        }
        if any(amount is not None and amount < 0 for amount in units.values()):
            raise AnswerError(f"{place} is negative", "see what CoinGecko says of it")
        if not any(units.values()):
            raise EmptyAnswerError(f"{place} isn't known to it", "take the coin out of this source")
        shown = {name: [format(amount, "f") if amount else None] for name, amount in units.items()}
        return {"asset": [self.configuration.coins[coin]], "as_of": [moment], **shown}

    def _states(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The present state of every coin, in the configuration's order; raise if CoinGecko leaves one out."""
        coins, most = list(self.configuration.coins), self.configuration.coins_per_request
        for begin in range(0, len(coins), most):
            asked = coins[begin : begin + most]
            answer = self.api.states(asked)
            states = {state["id"]: state for state in answer}
            if len(states) != len(answer) or (set(states) - set(asked)):
                raise AnswerError("CoinGecko answered for coins that it wasn't asked for, or twice", "pull again")
            if missing := [coin for coin in asked if coin not in states]:
                raise IncompleteError(
                    f"CoinGecko leaves out {', '.join(missing[:5])} ({len(missing)} of {len(asked)} coins)",
                    "mend the name (it stands in the address of the coin's page), or take the coin out",
                )
            for coin in asked:
                yield coin, states[coin]


class _Api:
    """CoinGecko's client with our transport beneath it; its answers are read by us, since it reads binary floats."""

    def __init__(self, configuration: CoinGeckoConfiguration, services: Services) -> None:
        sdk, httpx = require("coingecko_sdk", "coingecko"), require("httpx", "coingecko")
        url = services.secrets.fill(configuration.api_url or _ADDRESSES[configuration.plan])
        key = services.secrets.read(configuration.key_variable) if configuration.key_variable else None
        headers = {f"x-cg-{configuration.plan}-api-key": key} if key else {}
        self.http = HttpClient(url, services, configuration.http, configuration.limits, headers)

        def handle_request(_: Any, request: Any) -> Any:
            # Only where to ask is taken from the client: its headers might come from the environment.
            response = self.http.exchange(request.method, str(request.url))
            return httpx.Response(response.status, content=response.body)

        transport = type("Transport", (httpx.BaseTransport,), {"handle_request": handle_request})()
        self._error = sdk.CoingeckoError
        self._client = sdk.Coingecko(
            demo_api_key=key or "none",
            base_url=url,
            max_retries=0,
            http_client=httpx.Client(transport=transport, trust_env=False),
        )

    def series(self, coin: str, since: datetime, until: datetime) -> dict[str, Any]:
        """A coin's prices and volumes in USD between two moments."""
        begin, end = (str(milliseconds_of(moment) // 1000) for moment in (since, until))
        answer = self._read(
            self._client.coins.market_chart.with_raw_response.get_range,
            f"CoinGecko's answer for {coin}",
            id=coin,
            vs_currency="usd",
            from_=begin,
            to=end,
            precision=_PLACES,
        )
        if not isinstance(answer, dict):
            raise AnswerError(f"CoinGecko's answer for {coin} is no series", "see what answers at that address")
        return answer

    def states(self, coins: list[str]) -> list[dict[str, Any]]:
        """The present state of coins: one page holds them all."""
        get, names = self._client.coins.markets.with_raw_response.get, ",".join(coins)
        answer = self._read(
            get, "CoinGecko's answer for coins", vs_currency="usd", ids=names, per_page=250, page=1, precision=_PLACES
        )
        if not isinstance(answer, list) or not all(isinstance(one, dict) and "id" in one for one in answer):
            raise AnswerError("CoinGecko's answer for coins is no list of them", "see what answers at that address")
        return answer

    def _read(self, get: Any, place: str, **parameters: Any) -> Any:
        try:
            body = get(**parameters).read()
        except self._error as error:
            # The client puts its own error around ours.
            if isinstance(error.__cause__, RingfenceError):
                raise error.__cause__ from None
            raise AnswerError(f"{place} can't be read ({type(error).__name__})", "try a newer client") from error
        return self.http.limits.read_json(body, place)


def _points(answer: dict[str, Any], name: str, place: str) -> dict[datetime, Decimal]:
    """A series by moment; raise AnswerError if it is none, or says two things of one moment."""
    points: dict[datetime, Decimal] = {}
    entries = answer.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, list) and len(entry) == 2 for entry in entries):
        raise AnswerError(f"{place} hold no series {name}", "see what answers at that address")
    for moment, value in entries:
        when = moment_of(moment, f"a moment in {place}")
        number = number_of(value, f"a number in {place} ({name})")
        if points.setdefault(when, number) != number:
            raise AnswerError(f"{place} say two things of {when} ({name})", "pull again")
    return points


def _updated(state: dict[str, Any], place: str) -> datetime:
    """When CoinGecko last updated a coin."""
    told = state.get("last_updated")
    try:
        moment = datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise AnswerError(f"{place} isn't dated ({told!r})", "what can't be dated can't be delivered")
    return moment.astimezone(UTC).replace(tzinfo=None)
