"""The one HTTP client of all connectors: deadlines, retries, rate limits, bounded answers, exact numbers.

What belongs here: sending a request until it is answered or given up. What doesn't: which request, and what the
answer means.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import urllib3
from pydantic import BaseModel, ConfigDict, Field
from pyrate_limiter import Duration, Limiter, Rate
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from orchestration.connectors.base import Services
from orchestration.connectors.errors import AnswerError, LimitError, StatusError, UnreachableError
from orchestration.connectors.limits import Limits

TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
_CHUNK = 1 << 16
_SHOWN = 160
_T = TypeVar("_T")


class HttpSettings(BaseModel):
    """How patiently a source is asked. Seconds are of one attempt; ``total_seconds`` of all attempts at one request."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    connect_seconds: float = Field(10, gt=0, le=600)
    read_seconds: float = Field(30, gt=0, le=3600)
    total_seconds: float = Field(300, gt=0, le=86_400)
    attempts: int = Field(6, ge=1, le=50)
    requests_per_second: float = Field(5, gt=0, le=10_000)
    proxy: str | None = None


class TransientError(Exception):
    """Worth another try; ``retry_after`` is what the server asked for, in seconds."""

    def __init__(self, problem: str, retry_after: float | None = None) -> None:
        super().__init__(problem)
        self.problem, self.retry_after = problem, retry_after


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Names of headers are in lower case; ``body`` is decompressed."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class HttpClient:
    """Asks one server. ``base_url`` and header values may hold secrets: errors name the path only."""

    def __init__(
        self,
        base_url: str,
        services: Services,
        settings: HttpSettings | None = None,
        limits: Limits | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url, self.services = base_url.rstrip("/"), services
        self.settings, self.limits = settings or HttpSettings(), limits or Limits()
        self.headers = {"user-agent": "ringfence", "accept-encoding": "gzip", **(headers or {})}
        # Attempts, redirects and errors of status are ours to handle; a redirect could carry secrets elsewhere.
        options: dict[str, Any] = {"retries": False, "headers": self.headers}
        proxy = self.settings.proxy
        self._pool = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._limiter = Limiter(_rate(self.settings.requests_per_second))

    def get_json(self, path: str = "", query: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """The JSON answer to a GET; numbers with a fraction are Decimal."""
        return self.limits.read_json(self.request("GET", path, query=query, **options), self.place("GET", path))

    def post_json(
        self, path: str = "", body: Any = None, *, busy: Callable[[Any], str | None] | None = None, **options: Any
    ) -> Any:
        """The JSON answer to a POST of JSON. Only for requests that change nothing: they may be sent again.

        ``busy`` says of an answer with a status of success why it is worth another try all the same, or None: JSON-RPC
        servers refuse by an error in the answer.
        """
        headers = {"content-type": "application/json", **options.pop("headers", {})}
        answer: Any = None

        def problem(data: bytes) -> str | None:
            nonlocal answer
            answer = self.limits.read_json(data, self.place("POST", path))
            return busy(answer) if busy else None

        self.request("POST", path, body=json.dumps(body).encode(), headers=headers, busy=problem, **options)
        return answer

    def request(
        self,
        method: str,
        path: str = "",
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        busy: Callable[[bytes], str | None] | None = None,
    ) -> bytes:
        """The body of the answer, decompressed.

        Transient failures (no connection, a dead line, the statuses of ``TRANSIENT_STATUSES``, and bodies of which
        ``busy`` says what makes them so) are tried again with exponential backoff and jitter, or when the server says
        (Retry-After). Raises UnreachableError when attempts or time are used up, StatusError for any other status than
        2xx, LimitError for an answer beyond the bounds.
        """
        return self.exchange(method, path, query=query, body=body, headers=headers, busy=busy).body

    def exchange(
        self,
        method: str,
        path: str = "",
        *,
        query: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        busy: Callable[[bytes], str | None] | None = None,
    ) -> Response:
        """The whole answer, as ``request`` gets it. ``path`` may be a whole URL: for libraries that know it."""
        url = self._url(path) + (f"?{urlencode(query)}" if query else "")
        place = self.place(method, path)

        def attempt(deadline: float) -> Response:
            response = self.attempt(method, url, place, deadline, body=body, headers=headers)
            if busy is not None and (problem := busy(response.body)):
                raise TransientError(problem)
            return response

        return self.patiently(attempt, place)

    def patiently(self, attempt: Callable[[float], _T], place: str) -> _T:
        """Call ``attempt`` with its deadline until it raises no TransientError; waits and gives up as requests do.

        For requests that must be made anew for every attempt, because they carry a signature of the moment.
        """
        deadline = self.services.clock.monotonic() + self.settings.total_seconds
        retrying = Retrying(
            stop=stop_after_attempt(self.settings.attempts),
            wait=_wait,
            sleep=lambda seconds: self._pause(seconds, deadline, place),
            retry=retry_if_exception_type(TransientError),
            reraise=True,
        )
        try:
            return retrying(attempt, deadline)
        except TransientError as error:
            raise UnreachableError(
                f"{place}: {error.problem} (tried {self.settings.attempts} times)",
                "see whether the address is right and the server up, and pull again",
            ) from error

    def attempt(
        self,
        method: str,
        url: str,
        place: str,
        deadline: float,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        decode: bool = True,
    ) -> Response:
        """Ask once, within the limits and the deadline of ``patiently``; raise TransientError if it is worth more.

        Without ``decode`` the body stays as it was sent: a part of a compressed file, say.
        """
        while not self._limiter.try_acquire("request", blocking=False):
            self.services.clock.sleep(0.2 / self.settings.requests_per_second)
        left = self._time_left(deadline, place)
        timeout = urllib3.Timeout(
            connect=min(self.settings.connect_seconds, left), read=min(self.settings.read_seconds, left)
        )
        try:
            response = self._pool.request(
                method,
                url,
                body=body,
                headers={**self.headers, **(headers or {})},
                timeout=timeout,
                preload_content=False,
                redirect=False,
            )
            try:
                return self._response(response, place, deadline, decode=decode)
            finally:
                response.drain_conn() if response.closed else response.close()
        except urllib3.exceptions.LocationParseError as error:
            raise UnreachableError(f"{place}: the address is none", "mend the address of this source") from error
        except urllib3.exceptions.DecodeError as error:
            raise AnswerError(f"{place}: the answer's compression is damaged", "see what answers there") from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise TransientError(_in_words(error)) from error

    def _response(self, response: urllib3.BaseHTTPResponse, place: str, deadline: float, *, decode: bool) -> Response:
        status = response.status
        received, parts = 0, []
        for chunk in self._chunks(response, f"the answer to {place}", decode=decode):
            received += len(chunk)
            self._time_left(deadline, place)
            self.limits.check_size(received, f"the answer to {place}")
            parts.append(chunk)
        data = b"".join(parts)
        if 200 <= status < 300:
            return Response(status, {name.lower(): value for name, value in response.headers.items()}, data)
        if status in TRANSIENT_STATUSES:
            wait = _retry_after(response.headers.get("retry-after"), self.services)
            raise TransientError(f"status {status}{_shown(data)}", wait)
        if 300 <= status < 400:
            raise AnswerError(f"{place}: redirected (status {status})", "configure the address it redirects to")
        hint = "check the credentials and their rights" if status in (401, 403) else "check address and settings"
        raise StatusError(f"{place}: status {status}{_shown(data)}", hint, status, data)

    def _chunks(self, response: urllib3.BaseHTTPResponse, place: str, *, decode: bool) -> Iterator[bytes]:
        """The body, decompressed within the limits: urllib3 doesn't count what came of an answer sent in chunks."""
        if not decode or response.headers.get("content-encoding", "").lower() != "gzip":
            yield from response.stream(_CHUNK, decode_content=decode)
            return
        compressed = response.stream(_CHUNK, decode_content=False)
        try:
            if first := next(compressed, b""):
                yield from self.limits.gunzip(chain([first], compressed), place)
        except LimitError:
            raise
        except AnswerError as error:
            raise AnswerError(f"{place}: its compression is damaged", "see what answers there") from error

    def _pause(self, seconds: float, deadline: float, place: str) -> None:
        if self.services.clock.monotonic() + seconds > deadline:
            raise UnreachableError(
                f"{place}: the server asks to wait {seconds:.0f} s, longer than http.total_seconds leaves",
                "pull again later, or raise http.total_seconds",
            )
        self.services.clock.sleep(seconds)

    def _time_left(self, deadline: float, place: str) -> float:
        left = deadline - self.services.clock.monotonic()
        if left <= 0:
            raise UnreachableError(
                f"{place}: no whole answer within {self.settings.total_seconds:g} s",
                "pull again when the server is quicker, or raise http.total_seconds",
            )
        return left

    def _url(self, path: str) -> str:
        if _is_whole(path):
            return path
        return f"{self.base_url}/{path.lstrip('/')}" if path else self.base_url

    def place(self, method: str, path: str) -> str:
        """What was asked, for people: host and path; a query may hold a signature."""
        whole = urlsplit(path if _is_whole(path) else self.base_url)
        shown = whole.path if _is_whole(path) else path
        return self.services.secrets.redact(
            f"{method} {whole.hostname or '?'}{'/' + shown.lstrip('/') if shown else ''}"
        )


def _is_whole(path: str) -> bool:
    return path.startswith(("http://", "https://"))


def _rate(per_second: float) -> Rate:
    """So many requests in the shortest span that holds a whole number of them."""
    if per_second >= 1:
        return Rate(int(per_second), Duration.SECOND)
    return Rate(1, int(Duration.SECOND.value / per_second))


_jittered = wait_exponential_jitter(initial=0.5, max=30, jitter=1)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    wait = _jittered(state)
    return max(wait, error.retry_after) if isinstance(error, TransientError) and error.retry_after else wait


def _retry_after(text: str | None, services: Services) -> float | None:
    """Seconds that a Retry-After header asks for: a number of them, or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=None) - services.clock.now()).total_seconds())


def _shown(data: bytes) -> str:
    text = " ".join("".join(c if c.isprintable() else " " for c in data[:_SHOWN].decode(errors="replace")).split())
    return f": {text}" if text else ""


def _in_words(error: Exception) -> str:
    kinds = {
        urllib3.exceptions.NameResolutionError: "no such host",
        urllib3.exceptions.NewConnectionError: "nothing listens there",
        urllib3.exceptions.ConnectTimeoutError: "no connection in time",
        urllib3.exceptions.ReadTimeoutError: "no answer in time",
        urllib3.exceptions.SSLError: "no trusted TLS connection",
        urllib3.exceptions.ProtocolError: "the connection broke off",
        urllib3.exceptions.ProxyError: "the proxy doesn't answer",
    }
    return next((words for kind, words in kinds.items() if isinstance(error, kind)), type(error).__name__)
