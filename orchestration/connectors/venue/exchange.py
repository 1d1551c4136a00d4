"""ccxt on our own HTTP client: its knowledge of venues, our deadlines, retries, limits and exact numbers.

What belongs here: everything about ccxt. What doesn't: what is asked, and what the answers mean.

ccxt signs requests and reads answers. Sending is ours: each attempt is signed anew, since signatures are of a moment;
answers are read with every number as it was written, where ccxt would round (order books) or read floats. What ccxt
says in an error may hold a signed address; it is never shown.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from orchestration.connectors.base import Services, require
from orchestration.connectors.errors import AnswerError, SourceError, StatusError
from orchestration.connectors.http import HttpClient, TransientError
from orchestration.connectors.numbers import moment_of
from orchestration.connectors.venue.configuration import VenueConfiguration
from orchestration.errors import ConfigurationError

_BANNED = 418
_SHOWN = 160
_UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError, AssertionError)
"""What ccxt raises over an answer that isn't what it expects."""


class Exchange:
    """A venue as ccxt knows it.

    ``question`` is what was asked last: how, of which path, with which parameters. ``names`` are the venue's own names
    of each currency that ccxt has met.
    """

    def __init__(self, configuration: VenueConfiguration, services: Services) -> None:
        self.venue, self.services = configuration.venue, services
        self.question: tuple[str, str, str, dict[str, Any]] = ("", "", "", {})
        self.names: dict[str, set[str]] = {}
        self.date: str | None = None
        self._deadline = 0.0
        self._free_at = 0.0
        ccxt = require("ccxt", "venues")
        if configuration.venue not in ccxt.exchanges:
            near = get_close_matches(configuration.venue, ccxt.exchanges, n=1)
            hint = f"did you mean {near[0]}?" if near else "see its list of exchanges"
            raise ConfigurationError(f"ccxt knows no venue {configuration.venue}; {hint}")
        url = services.secrets.fill(configuration.api_url) if configuration.api_url else f"https://{self.venue}"
        self.client = HttpClient(url, services, configuration.http, configuration.limits)
        self.ccxt = ccxt
        self.api = self._adapted(getattr(ccxt, self.venue))(_settings(configuration, services))
        kinds = self.api.options.get("fetchMarkets")
        if isinstance(kinds, dict) and isinstance(kinds.get("types"), list):
            kinds["types"] = ["spot"]  # where a venue lists kinds apart, the others aren't asked for
        if configuration.api_url:
            self.api.urls["api"] = _moved(self.api.urls["api"], url.rstrip("/"))

    def ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        """Call one of ccxt's methods; raise SourceError for whatever it raises, in words without a secret."""
        with self._in_words(method):
            return getattr(self.api, method)(*arguments, **named)

    def offers(self, method: str) -> bool:
        """Whether ccxt can do it at this venue (fetchTime, fetchDeposits, …)."""
        return bool(self.api.has.get(method))

    def market(self, symbol: str) -> Mapping[str, Any]:
        """A spot market as ccxt describes it; raise ConfigurationError if the venue has none by that name."""
        markets = self.ask("load_markets")
        if symbol not in markets:
            near = get_close_matches(symbol, list(markets), n=1)
            hint = f"did you mean {near[0]}?" if near else "see its list of markets"
            raise ConfigurationError(f"{self.venue} has no market {symbol}; {hint}")
        market: Mapping[str, Any] = markets[symbol]
        if not market["spot"]:
            raise ConfigurationError(f"{symbol} at {self.venue} isn't a spot market; name one")
        return market

    def now(self) -> datetime:
        """The venue's own time, without a zone; what the answer before was dated, if it tells the time no other way."""
        if self.offers("fetchTime"):
            return moment_of(self.ask("fetch_time"), f"{self.venue}'s time")
        return self.answered_at()

    def answered_at(self) -> datetime:
        """When the last answer was dated by the venue's server; raise AnswerError if it wasn't."""
        try:
            return parsedate_to_datetime(self.date or "").replace(tzinfo=None)
        except ValueError as error:
            raise AnswerError(
                f"{self.venue} tells no time: neither by a request nor in its answers",
                "what it holds can't be dated, so it can't be delivered",
            ) from error

    @contextmanager
    def _in_words(self, method: str) -> Iterator[None]:
        try:
            yield
        except self.ccxt.AuthenticationError as error:
            raise AnswerError(
                f"{self.venue} refuses the credentials{self._said(error)}",
                "check key, secret, password and the key's rights; reading is enough",
            ) from None
        except self.ccxt.BadSymbol as error:
            raise AnswerError(f"{self.venue} knows no such market{self._said(error)}", "mend its symbol") from None
        except (self.ccxt.NotSupported, self.ccxt.ArgumentsRequired) as error:
            raise SourceError(
                f"ccxt can't do {method} at {self.venue} as it is configured{self._said(error)}",
                "see ccxt's page of this venue, and options of this source",
            ) from None
        except self.ccxt.BaseError as error:
            raise AnswerError(
                f"{self.venue} refuses {method}{self._said(error)}", "see what its API says of that error"
            ) from None
        except binascii.Error:
            raise ConfigurationError(
                f"the secret isn't of the form that {self.venue} gives out (base64); copy it again"
            ) from None
        except _UNREADABLE as error:
            raise AnswerError(
                f"{self.venue} answers {method} with something that ccxt can't read ({type(error).__name__})",
                "see whether the venue's API has changed, and try a newer ccxt",
            ) from None

    def _said(self, error: Exception) -> str:
        """What the venue said, cut and in one line: ccxt puts it behind its own name, and addresses into some."""
        text = " ".join(str(error).removeprefix(self.venue).split())
        text = self.services.secrets.redact("" if "://" in text else text)
        return f": {text[:_SHOWN]}" if text else ""

    def _adapted(exchange, parent: Any) -> Any:  # noqa: N805 (self is ccxt's object below)
        """ccxt's class of the venue with our transport beneath it and numbers left as they are written."""
        client, network_error = exchange.client, exchange.ccxt.NetworkError

        def fetch2(
            self: Any,
            path: str,
            api: Any = "public",
            method: str = "GET",
            params: Any = None,
            headers: Any = None,
            body: Any = None,
            config: Any = None,
        ) -> Any:
            exchange.question = (str(api), method, path, dict(params or {}) if not isinstance(params, list) else {})

            def attempt(deadline: float) -> Any:
                exchange._deadline = deadline
                try:
                    return parent.fetch2(self, path, api, method, params or {}, headers, body, config or {})
                except network_error as error:
                    raise TransientError(f"{type(error).__name__}{exchange._said(error)}") from None

            return client.patiently(attempt, f"{method} {exchange.venue} {path}")

        def fetch(self: Any, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
            return exchange._send(self, url, method, dict(headers or {}), body)

        def throttle(self: Any, cost: Any = None) -> None:
            exchange._wait_for(float(self.rateLimit) * float(cost or 1) / 1000)

        def parse_order_book_bid_ask(self: Any, entry: Any, price: Any = 0, amount: Any = 1, _: Any = 2) -> Any:
            return [self.safe_string(entry, price), self.safe_string(entry, amount)]

        def safe_currency_code(self: Any, name: Any, currency: Any = None) -> Any:
            code = parent.safe_currency_code(self, name, currency)
            exchange.names.setdefault(str(code), set()).add(str(name))
            return code

        return type(
            parent.__name__,
            (parent,),
            {
                "fetch2": fetch2,
                "fetch": fetch,
                "throttle": throttle,
                "parse_order_book_bid_ask": parse_order_book_bid_ask,
                "safe_currency_code": safe_currency_code,
            },
        )

    def _send(self, api: Any, url: str, method: str, headers: dict[str, str], body: Any) -> Any:
        """One signed request, once; raise what ccxt makes of a refusal, or TransientError."""
        place, data = self.client.place(method, url), body.encode() if isinstance(body, str) else None
        try:
            response = self.client.attempt(method, url, place, self._deadline, body=data, headers=headers)
        except (StatusError, TransientError) as error:
            self._hide(url, headers)
            if isinstance(error, StatusError) and error.status != _BANNED:
                self._refused(api, error, url, method, headers, body)
            raise
        self.date = response.headers.get("date")
        answer = self.client.limits.read_json(response.body, place, numbers_as_text=True)
        try:
            api.handle_errors(
                response.status, "", url, method, response.headers, response.body.decode(), answer, headers, body
            )
        except self.ccxt.BaseError:
            self._hide(url, headers)
            raise
        return answer

    def _refused(self, api: Any, error: StatusError, url: str, method: str, headers: dict[str, str], body: Any) -> None:
        """Let ccxt tell a refusal's kind by what the venue said with it; return if it can't."""
        text = error.body.decode(errors="replace")
        try:
            answer = self.client.limits.read_json(text, "the refusal", numbers_as_text=True)
        except AnswerError:
            return
        api.handle_errors(error.status, "", url, method, {}, text, answer, headers, body)

    def _hide(self, url: str, headers: dict[str, str]) -> None:
        """Treat what a signed request carried as secret: a refusal may say it back."""
        told = [value for _, value in parse_qsl(urlsplit(url).query)] + list(headers.values())
        for value in told:
            if len(value) >= 32:  # signatures; shorter values are symbols, times and names
                self.services.secrets.add(value)

    def _wait_for(self, seconds: float) -> None:
        """Ask no faster than the venue's own limits, which ccxt knows; the next one may come after ``seconds``."""
        clock = self.services.clock
        if (left := self._free_at - clock.monotonic()) > 0:
            clock.sleep(left)
        self._free_at = clock.monotonic() + seconds


def _settings(configuration: VenueConfiguration, services: Services) -> dict[str, Any]:
    read = services.secrets.read
    variables = {
        "apiKey": configuration.key_variable,
        "secret": configuration.secret_variable,
        "password": configuration.password_variable,
        "uid": configuration.uid_variable,
    }
    credentials = {name: read(variable) for name, variable in variables.items() if variable is not None}
    options = {"defaultType": "spot", **configuration.options}
    return {"number": str, "enableRateLimit": True, "verbose": False, "options": options, **credentials}


def _moved(urls: Any, base: str) -> Any:
    """ccxt's addresses at another server: the paths stay."""
    if isinstance(urls, dict):
        return {name: _moved(url, base) for name, url in urls.items()}
    return base + urlsplit(urls).path if isinstance(urls, str) else urls
