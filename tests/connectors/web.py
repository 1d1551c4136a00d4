"""A real HTTP server on this machine that answers as a test says, and misbehaves in the ways that servers do."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """A request as it arrived. ``query`` has the last value of each name; ``json`` is the parsed body."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer; ``body`` of another type than bytes goes out as JSON."""

    body: Any = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Handler = Callable[[Request], Answer]
Fault = Callable[[Request, Answer], Answer | None]
"""Turns the honest answer into another; None breaks the connection instead."""


class Web:
    """The server. ``fault`` is in force while set; ``requests`` is all that arrived."""

    def __init__(self, handler: Handler) -> None:
        self.handler, self.fault = handler, None
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler_class())
        self._server.daemon_threads = True
        threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True).start()

    handler: Handler
    fault: Fault | None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler_class(web) -> type[BaseHTTPRequestHandler]:  # noqa: N805 (self is the request's handler below)
        class Handling(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body go out apart: the second would wait for 40 ms

            def answer(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, parts.path, query, headers, body)
                web.requests.append(request)
                answer: Answer | None = web.handler(request)
                if web.fault is not None and answer is not None:
                    answer = web.fault(request, answer)
                if answer is None:
                    self.close_connection = True
                    self.connection.close()
                    return
                try:
                    self.send_response_only(answer.status)
                    if "date" not in answer.headers:
                        self.send_header("date", self.date_time_string())
                    for name, value in {"content-type": "application/json", **answer.headers}.items():
                        self.send_header(name, value)
                    if "content-length" not in answer.headers:
                        self.send_header("content-length", str(len(answer.data)))
                    self.end_headers()
                    self.wfile.write(answer.data)
                except OSError:  # the client had enough
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_HEAD = answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Stay silent."""

        return Handling


@contextmanager
def serving(handler: Handler) -> Iterator[Web]:
    web = Web(handler)
    try:
        yield web
    finally:
        web.close()


def once(fault: Fault, after: int = 0) -> Fault:
    """The fault for one request only, after so many honest answers."""
    seen = 0

    def act(request: Request, answer: Answer) -> Answer | None:
        nonlocal seen
        seen += 1
        return fault(request, answer) if seen == after + 1 else answer

    return act


def from_then_on(fault: Fault, after: int) -> Fault:
    """The fault for every request after so many honest answers."""
    seen = 0

    def act(request: Request, answer: Answer) -> Answer | None:
        nonlocal seen
        seen += 1
        return fault(request, answer) if seen > after else answer

    return act


def busy(request: Request, answer: Answer) -> Answer:
    return Answer({"error": "slow down"}, 429, {"retry-after": "7"})


def failing(request: Request, answer: Answer) -> Answer:
    return Answer(b"internal error", 503)


def broken_off(request: Request, answer: Answer) -> None:
    return None


def cut_short(request: Request, answer: Answer) -> Answer:
    """Half of the body that was announced, and then nothing."""
    return Answer(
        answer.data[: len(answer.data) // 2],
        answer.status,
        {"content-length": str(len(answer.data)), "connection": "close"},
    )


def slow(request: Request, answer: Answer) -> Answer:
    time.sleep(0.8)
    return answer


def rubbish(request: Request, answer: Answer) -> Answer:
    return Answer(b"<html>Welcome!</html>", 200, {"content-type": "text/html"})


def denied(request: Request, answer: Answer) -> Answer:
    """A refusal that says back everything it was told, secrets included."""
    told = (
        f"denied: {dict(request.headers)} {dict(request.query)} {request.path} {request.body.decode(errors='replace')}"
    )
    return Answer(told.encode(), 401)


def oversized(request: Request, answer: Answer) -> Answer:
    return Answer(b'["' + b"x" * 3_000_000 + b'"]')


def nested(request: Request, answer: Answer) -> Answer:
    return Answer(b"[" * 100_000 + b"]" * 100_000)


def bomb(request: Request, answer: Answer) -> Answer:
    return Answer(gzip.compress(b" " * 1_900_000 + b"[]", mtime=0), 200, {"content-encoding": "gzip"})


def redirected(request: Request, answer: Answer) -> Answer:
    return Answer(b"", 302, {"location": "http://127.0.0.1:9/elsewhere"})
