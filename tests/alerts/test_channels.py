"""What every channel has to do, whatever it sends to: one suite, run on each of them against a receiver of its kind."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from orchestration.alerts.channels import CHANNELS, Channel, ChannelError
from orchestration.connectors.secrets import Secrets
from tests.alerts import receivers
from tests.alerts.messages import HOSTILE, ORDER, WORST, channel, sending
from tests.connectors import web
from tests.support.outside import free_port

SECRET = "s3cret0123456789abcdef0123456789"  # as long as a key of PagerDuty


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET", SECRET)


def alertmanager(request: web.Request) -> web.Answer:
    if request.method == "POST":
        return web.Answer(b"")
    return web.Answer([]) if request.path.endswith("/alerts") else web.Answer({"versionInfo": {"version": "0"}})


def values_of(part: Any) -> Iterator[str]:
    """All texts of JSON in the order in which they stand there."""
    if isinstance(part, str):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from values_of(inner)


@dataclass(frozen=True)
class OverHttp:
    """A channel over HTTP: what a sound receiver answers, how it is configured for one, the text that arrives."""

    rules: web.Handler
    settings: Callable[[str], dict[str, Any]]
    read: Callable[[Any], str] = lambda body: "\n".join(values_of(body))


def _chat(url: str) -> dict[str, Any]:
    return {"url": f"{url}/${{A_SECRET}}"}


def _apprise(url: str) -> dict[str, Any]:
    return {"urls": [f"json://{url.removeprefix('http://')}/${{A_SECRET}}"]}


OVER_HTTP = {
    "slack": OverHttp(receivers.slack, _chat),
    "teams": OverHttp(receivers.teams, _chat),
    "pagerduty": OverHttp(
        receivers.pagerduty,
        lambda url: {"routing_key_variable": "A_SECRET", "url": f"{url}/v2/enqueue"},
    ),
    "webhook": OverHttp(lambda _: web.Answer(b""), lambda url: {"url": url, "secret_variable": "A_SECRET"}),
    "alertmanager": OverHttp(
        alertmanager,
        lambda url: {"urls": [url], "token_variable": "A_SECRET"},
        lambda body: (
            f"{body[0]['labels']['alertname']}\n{body[0]['annotations']['description']}"
            f"\n{body[0]['annotations']['message']}"
        ),
    ),
    "apprise": OverHttp(lambda _: web.Answer(b""), _apprise),
}


@contextmanager
def over_http(name: str, fault: web.Fault | None = None) -> Iterator[Any]:
    case = OVER_HTTP[name]
    with web.serving(case.rules) as server:
        server.fault = fault
        yield server, channel(name, **case.settings(server.url), seconds=0.2 if fault is slow else 30)


def email(port: int, **settings: Any) -> Channel:
    section = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "ringfence@example.org"}
    return channel("email", **(section | {"recipients": ["night@example.org"], "seconds": 30} | settings))


def test_every_channel_is_held_to_this() -> None:
    assert {*OVER_HTTP, "email"} == {*CHANNELS}


def arrived(name: str, server: web.Web) -> str:
    (request,) = [request for request in server.requests if request.method == "POST"]
    return OVER_HTTP[name].read(request.json)


@pytest.mark.parametrize("name", OVER_HTTP)
def test_a_message_says_it_all_in_order_and_bears_its_key(name: str) -> None:
    with over_http(name) as (server, made):
        made.send(sending())
        text = arrived(name, server)
    assert_in_order(text)


def assert_in_order(text: str) -> None:
    place = 0
    for part in ORDER:
        place = text.find(part, place)
        assert place >= 0, f"{part} is missing or out of order in {text}"
    assert sending().key in text


def test_an_e_mail_says_it_all_in_order_and_bears_its_key() -> None:
    with receivers.mail_server() as mail:
        email(mail.port).send(sending())
    ((_, message),) = mail.taken
    assert_in_order(f"{message['Subject']}\n{message.get_content()}\n{message['X-Ringfence-Key']}")


@pytest.mark.parametrize("name", OVER_HTTP)
def test_ten_long_incidents_that_try_to_be_markup_are_taken(name: str) -> None:
    with over_http(name) as (server, made):
        made.send(WORST)
        text = arrived(name, server)
    assert text.isprintable() or "\n" in text
    assert "Überschüsse 不足" in text


@dataclass(frozen=True)
class Wrong:
    """What can go wrong: the fault, whether the message itself is to blame, how long the receiver asks to wait."""

    fault: web.Fault
    is_final: bool = False
    retry_after: float | None = None


def _answering(status: int, headers: Mapping[str, str] | None = None) -> web.Fault:
    def answer(request: web.Request, _: web.Answer) -> web.Answer:
        # A receiver that says back all that it was told, secrets included.
        told = f"{request.path} {dict(request.headers)} {request.body.decode(errors='replace')}"
        return web.Answer(told.encode(), status, headers or {})

    return answer


def slow(_: web.Request, answer: web.Answer) -> web.Answer:
    time.sleep(0.5)
    return answer


WRONG = {
    "500": Wrong(_answering(500)),
    "503": Wrong(_answering(503)),
    "429": Wrong(_answering(429, {"retry-after": "300"}), retry_after=300),
    "400": Wrong(_answering(400), is_final=True),
    "401": Wrong(_answering(401)),
    "404": Wrong(_answering(404), is_final=True),
    "no answer in time": Wrong(slow),
    "broken off": Wrong(web.broken_off),
    "success without its words": Wrong(lambda *_: web.Answer(b"Welcome!")),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("name", OVER_HTTP)
def test_what_is_not_taken_is_said_without_a_secret(
    name: str, wrong: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    if wrong == "success without its words" and name not in ("slack", "pagerduty"):
        return  # the others know success by the status alone
    expected = WRONG[wrong]
    with over_http(name, expected.fault) as (server, made), caplog.at_level(logging.DEBUG):
        with made.services.outside.secrets.kept_out_of_logs(), pytest.raises(ChannelError) as refusal:
            made.send(sending())
        assert len(server.requests) <= 2
    if name != "apprise":  # which says yes or no
        assert refusal.value.is_final is expected.is_final
        assert refusal.value.retry_after == expected.retry_after
    assert str(refusal.value)
    assert_no_secret(str(refusal.value), caplog.text, *capfd.readouterr())


def assert_no_secret(*texts: str) -> None:
    spelled = Secrets()
    spelled.add(SECRET)
    for text in texts:
        assert spelled.redact(text) == text
        # Nor any part of one that was cut off in the middle.
        assert SECRET[:8] not in text


@pytest.mark.parametrize("name", OVER_HTTP)
def test_a_redirect_is_not_followed(name: str) -> None:
    with web.serving(lambda _: web.Answer(b"ok")) as elsewhere:
        for status in (302, 307, 308):
            fault = _answering(status, {"location": elsewhere.url})
            with over_http(name, fault) as (_, made), pytest.raises(ChannelError) as refusal:
                made.send(sending())
            assert not refusal.value.is_final
        assert elsewhere.requests == []


@pytest.mark.parametrize("name", OVER_HTTP)
def test_a_receiver_that_is_not_there_is_tried_again_later(name: str) -> None:
    made = channel(name, **OVER_HTTP[name].settings(f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(ChannelError) as refusal:
        made.send(sending())
    assert not refusal.value.is_final
    assert_no_secret(str(refusal.value))
    if name != "apprise":
        with pytest.raises(ChannelError):
            made.check()


@pytest.mark.parametrize("name", OVER_HTTP)
def test_a_passing_failure_is_tried_once_more(name: str) -> None:
    if name == "apprise":
        return  # the outbox tries again
    with over_http(name, web.once(web.failing)) as (server, made):
        made.send(sending())
        assert [request.body for request in server.requests] == [server.requests[0].body] * 2


@pytest.mark.parametrize("name", OVER_HTTP)
def test_a_check_sends_nothing(name: str) -> None:
    with over_http(name) as (server, made):
        assert_no_secret(made.check())
    assert [request for request in server.requests if request.method != "GET" or request.body] == []


def test_a_mail_server_s_refusals_are_told_apart() -> None:
    for answer, is_final in (("451 try later", False), ("550 no such user", True), ("421 busy", False)):
        with receivers.mail_server(answers={"night@example.org": answer}) as mail:
            with pytest.raises(ChannelError, match=answer) as refusal:
                email(mail.port).send(sending())
            assert refusal.value.is_final is is_final
            assert mail.taken == []
    for answer, is_final in (("452 disk full", False), ("554 looks like spam", True)):
        with receivers.mail_server(data=answer) as mail:
            with pytest.raises(ChannelError, match=answer) as refusal:
                email(mail.port).send(sending())
            assert refusal.value.is_final is is_final


def test_a_mail_server_that_is_silent_or_not_there_is_tried_again_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for port in (silent.getsockname()[1], free_port()):
            for ask in (lambda made: made.send(sending()), lambda made: made.check()):
                with pytest.raises(ChannelError, match="can't be used") as refusal:
                    ask(email(port, seconds=0.2))
                assert not refusal.value.is_final


# Who would be called, or what would be a link or an image, if a text were taken for markup.
MARKUP = re.compile(r"<[!@#]|<at>")


def test_no_text_becomes_markup_in_a_chat() -> None:
    for name in ("slack", "teams"):
        with over_http(name) as (server, made):
            made.send(WORST)
        body = server.requests[0].json
        if name == "slack":
            marked_down = [part["text"] for part in _parts(body) if part.get("type") == "mrkdwn"]
            assert all(part.get("verbatim") for part in _parts(body) if part.get("type") == "mrkdwn")
            assert not MARKUP.search("\n".join([body["text"], *marked_down]))
            assert all(text.count("```") % 2 == 0 for text in marked_down)
            assert "*bold*" not in json.dumps(body)
        else:
            # Runs of text aren't Markdown; elements whose text is are not used.
            assert not {part.get("type") for part in _parts(body)} & {"TextBlock", "FactSet", "Image"}
            assert "msteams" not in json.dumps(body), "nobody is mentioned"


def _parts(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _parts(inner)


def test_hostile_text_stays_readable() -> None:
    with over_http("teams") as (server, made):
        made.send(WORST)
    assert HOSTILE[:40] in "".join(values_of(server.requests[0].json))
