"""The HTTP client: what it survives, what it refuses, how long it waits, and what it never says."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.connectors.base import Clock, Services
from orchestration.connectors.errors import AnswerError, LimitError, UnreachableError
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.limits import Limits
from tests.connectors import web

NOW = datetime(2026, 3, 5, 0, 30)


class Sleeper:
    """A clock on which sleeping is all that takes time."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    @property
    def clock(self) -> Clock:
        return Clock(now=lambda: NOW, monotonic=lambda: sum(self.slept), sleep=self.slept.append)


@pytest.fixture
def server() -> Iterator[web.Web]:
    with web.serving(lambda request: web.Answer({"price": 0.1, "path": request.path})) as running:
        yield running


@pytest.fixture
def sleeper() -> Sleeper:
    return Sleeper()


def client(server: web.Web, sleeper: Sleeper, **settings: float) -> HttpClient:
    services = Services(Path("landing"), clock=sleeper.clock)
    return HttpClient(
        server.url, services, HttpSettings(requests_per_second=10_000, **settings), Limits(max_megabytes=1)
    )


def test_numbers_are_exact(server: web.Web, sleeper: Sleeper) -> None:
    server.handler = lambda _: web.Answer(b'{"a": 0.1, "b": 1e-18, "c": 12345678901234567890123}')
    answer = client(server, sleeper).get_json()
    assert answer == {"a": Decimal("0.1"), "b": Decimal("1e-18"), "c": 12345678901234567890123}
    assert not any(isinstance(value, float) for value in answer.values())


@pytest.mark.parametrize("text", [b'{"a": NaN}', b"[Infinity]", b"", b"[1", b"\xff\xfe", b"9" * 5000])
def test_what_is_no_json_is_refused(server: web.Web, sleeper: Sleeper, text: bytes) -> None:
    server.handler = lambda _: web.Answer(text)
    with pytest.raises(AnswerError):
        client(server, sleeper).get_json()


def test_waits_grow_and_differ_and_end(server: web.Web, sleeper: Sleeper) -> None:
    server.fault = web.failing
    with pytest.raises(UnreachableError, match=r"status 503: internal error \(tried 6 times\)"):
        client(server, sleeper).get_json("prices")
    assert len(server.requests) == 6
    assert len(sleeper.slept) == 5
    assert all(0.5 * 2**number <= wait <= 0.5 * 2**number + 1 for number, wait in enumerate(sleeper.slept))
    assert len({round(wait * 1000) % 500 for wait in sleeper.slept}) > 1, "no jitter"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ((NOW + timedelta(seconds=40)).strftime("%a, %d %b %Y %H:%M:%S GMT"), 40.0), ("soon", 0.0)],
)
def test_retry_after_is_honoured_in_both_spellings(
    server: web.Web, sleeper: Sleeper, header: str, seconds: float
) -> None:
    server.fault = web.once(lambda *_: web.Answer(b"", 429, {"retry-after": header}))
    client(server, sleeper).get_json()
    assert len(sleeper.slept) == 1
    assert sleeper.slept[0] >= seconds


def test_a_wait_beyond_the_total_time_is_not_begun(server: web.Web, sleeper: Sleeper) -> None:
    server.fault = lambda *_: web.Answer(b"", 429, {"retry-after": "3600"})
    with pytest.raises(UnreachableError, match=r"asks to wait 3600 s.*pull again later"):
        client(server, sleeper).get_json()
    assert sleeper.slept == []


def test_a_body_that_trickles_ends_with_the_total_time(server: web.Web) -> None:
    moments = iter(range(0, 10_000, 100))
    clock = Clock(now=lambda: NOW, monotonic=lambda: float(next(moments)), sleep=lambda _: None)
    asking = HttpClient(server.url, Services(Path("landing"), clock=clock), HttpSettings(total_seconds=150))
    with pytest.raises(UnreachableError, match="no whole answer within 150 s"):
        asking.get_json()


def test_rates_are_kept(server: web.Web) -> None:
    slept: list[float] = []
    clock = Clock(now=lambda: NOW, sleep=lambda seconds: slept.append(seconds) or __import__("time").sleep(seconds))
    asking = HttpClient(server.url, Services(Path("landing"), clock=clock), HttpSettings(requests_per_second=4))
    for _ in range(6):
        asking.get_json()
    assert sum(slept) >= 0.9


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_other_statuses_are_not_tried_again(server: web.Web, sleeper: Sleeper, status: int) -> None:
    server.fault = lambda *_: web.Answer(b"no\x00\x1b[31m such\nthing", status)
    with pytest.raises(AnswerError, match=rf"status {status}: no \[31m such thing; check"):
        client(server, sleeper).get_json()
    assert len(server.requests) == 1


def in_chunks(data: bytes, **headers: str) -> web.Answer:
    return web.Answer(b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data), 200, {"transfer-encoding": "chunked", **headers})


def test_an_answer_in_chunks_is_read_and_bounded_like_another(server: web.Web, sleeper: Sleeper) -> None:
    asked = client(server, sleeper)
    asked.limits = Limits(max_megabytes=3)
    server.fault = lambda *_: in_chunks(b'["' + b"x" * 2_000_000 + b'"]')
    assert len(asked.get_json()[0]) == 2_000_000
    bomb = gzip.compress(b'["' + b"x" * 2_000_000 + b'"]', mtime=0)
    server.fault = lambda *_: in_chunks(bomb, **{"content-encoding": "gzip"})
    with pytest.raises(LimitError, match="more than 200 times its size"):
        asked.get_json()
    server.fault = lambda *_: in_chunks(gzip.compress(b'{"all": "well"}', mtime=0), **{"content-encoding": "gzip"})
    assert asked.get_json() == {"all": "well"}
    server.fault = lambda *_: web.Answer(b"", 200, {"content-encoding": "gzip"})
    assert asked.request("GET") == b""


def test_answers_are_bounded_while_they_are_read(server: web.Web, sleeper: Sleeper) -> None:
    server.fault = lambda *_: web.Answer(gzip.compress(b"x" * 50_000_000, mtime=0), 200, {"content-encoding": "gzip"})
    with pytest.raises(LimitError, match=r"larger than 1 MB.*raise limits.max_megabytes"):
        client(server, sleeper).get_json()
    server.fault = lambda *_: web.Answer(b"\x1f\x8b damaged", 200, {"content-encoding": "gzip"})
    with pytest.raises(AnswerError, match="compression is damaged"):
        client(server, sleeper).get_json()


def test_errors_name_host_and_path_and_no_secret(
    server: web.Web, sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODE_KEY", "topsecret")
    services = Services(Path("landing"), clock=sleeper.clock)
    url = services.secrets.fill(server.url + "/v3/${NODE_KEY}")
    server.fault = web.denied
    with pytest.raises(AnswerError) as refusal:
        HttpClient(url, services, HttpSettings(requests_per_second=1000)).get_json("block", {"key": "topsecret"})
    assert "GET 127.0.0.1/block" in str(refusal.value)
    assert "topsecret" in str(refusal.value), "what the server says back is blotted out by whoever pulls"
    assert "topsecret" not in services.secrets.redact(str(refusal.value))


def test_nothing_listens(sleeper: Sleeper) -> None:
    asking = HttpClient("http://127.0.0.1:1", Services(Path("landing"), clock=sleeper.clock), HttpSettings(attempts=2))
    with pytest.raises(UnreachableError, match="nothing listens there"):
        asking.get_json()
