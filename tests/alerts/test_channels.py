"""Each channel against a receiver that takes nothing but what its maker's rules allow."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from orchestration.alerts.channels import CHANNELS, Channel, ChannelError, ChannelServices, Sending
from orchestration.alerts.channels.chat import SLACK_BLOCKS, SLACK_HEADER, SLACK_TEXT, slack_message, teams_message
from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Content, Told
from orchestration.connectors.base import Clock, Services
from tests.connectors import web

NIGHT = datetime(2026, 3, 5, 0, 40)


def told(**changes: Any) -> Told:
    values: dict[str, Any] = {
        "fingerprint": "f" * 32,
        "number": 7,
        "occasion": "new",
        "category": "the business is in breach",
        "severity": "critical",
        "check_name": "reserves_cover_liabilities",
        "asset": "BTC",
        "what": "2.5 BTC were missing.",
        "how_much": "-2.5 BTC; 100,000.00 USD at stake",
        "impact_usd": "100000",
        "since": "2026-03-01",
        "day": "2026-03-04",
        "affected": "in_kind_group BTC",
        "changed": "first message",
        "query": "select * from marts.fct_reserve_coverage_daily where gap < 0",
        "command": "ringfence alerts show 7 --warehouse /warehouse",
        "owner": "team:financial-control",
        "runbook": "https://wiki.example.org/reserves",
    }
    return Told(**(values | changes))


def sending(*contents: Told, **changes: Any) -> Sending:
    content = Content("production", Occasion.OPENED, contents or (told(),), **changes)
    return Sending("hook:f:0", "f:7", Occasion.OPENED, content)


def channel(name: str, **settings: Any) -> Channel:
    made = CHANNELS[name]
    clock = Clock(now=lambda: NIGHT, monotonic=lambda: 0.0, sleep=lambda _: None)
    services = ChannelServices(Services(Path(), clock=clock), lambda: NIGHT)
    return made(made.settings_class.model_validate(settings), services)


@pytest.fixture
def serve() -> Iterator[Callable[[web.Handler], web.Web]]:
    running: list[web.Web] = []

    def start(handler: web.Handler) -> web.Web:
        running.append(web.Web(handler))
        return running[-1]

    yield start
    for server in running:
        server.close()


def slack(request: web.Request) -> web.Answer:
    """Slack's own rules for an incoming webhook, as far as a message of ours can break them."""
    body = request.json
    blocks = body["blocks"]
    sound = isinstance(body["text"], str) and 0 < len(blocks) <= 50
    for block in blocks:
        match block["type"]:
            case "header":
                sound &= block["text"]["type"] == "plain_text" and 0 < len(block["text"]["text"]) <= 150
            case "section":
                sound &= block["text"]["type"] == "mrkdwn" and 0 < len(block["text"]["text"]) <= 3000
            case "context":
                sound &= 0 < len(block["elements"]) <= 10
            case other:
                sound &= other == "divider"
    return web.Answer(b"ok" if sound else b"invalid_blocks", 200 if sound else 400)


def teams(request: web.Request) -> web.Answer:
    """The envelope of an Adaptive Card, and the parts of the card that are used."""
    body = request.json
    (attachment,) = body["attachments"]
    card = attachment["content"]
    sound = body["type"] == "message" and attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    sound &= card["type"] == "AdaptiveCard" and card["version"] == "1.4" and len(request.body) < 28_000
    for part in card["body"]:
        if part["type"] == "FactSet":
            sound &= all(isinstance(fact["title"], str) and isinstance(fact["value"], str) for fact in part["facts"])
        else:
            sound &= part["type"] == "TextBlock" and bool(part["text"])
    return web.Answer(b"1" if sound else b"bad card", 200 if sound else 400)


LONG = told(what="x" * 9000, query="select <a> & b " * 500)


@pytest.mark.parametrize(("name", "rules"), [("slack", slack), ("teams", teams)])
def test_chats_take_what_is_sent(name: str, rules: web.Handler, serve: Callable[[web.Handler], web.Web]) -> None:
    server = serve(rules)
    chat = channel(name, url=server.url)
    chat.send(sending())
    chat.send(sending(told(), told(asset="ETH"), grouped_by="one affiliate", more=3, explains=("prices of BTC",)))
    text = server.requests[0].body.decode()
    places = [text.index(part) for part in ("2.5 BTC were missing", "100,000.00 USD", "in_kind_group BTC", "runbook")]
    assert places == sorted(places)


def test_slack_s_limits_are_kept_whatever_is_said(serve: Callable[[web.Handler], web.Web]) -> None:
    server = serve(slack)
    channel("slack", url=server.url).send(sending(*[LONG] * 10))
    message = slack_message(sending(*[LONG] * 10).content)
    assert len(message["blocks"]) <= SLACK_BLOCKS
    assert max(len(block["text"]["text"]) for block in message["blocks"] if "text" in block) <= SLACK_TEXT
    assert len(message["blocks"][0]["text"]["text"]) <= SLACK_HEADER
    assert "<a>" not in json.dumps(message)


def test_nothing_in_a_message_calls_people(serve: Callable[[web.Handler], web.Web]) -> None:
    message = json.dumps(slack_message(sending(told(what="<!channel> <@U123> look")).content))
    assert "<!channel>" not in message
    assert "<@U123>" not in message
    assert "<at>" not in json.dumps(teams_message(sending().content))


@pytest.mark.parametrize(
    ("answer", "is_final"),
    [
        (web.Answer(b"invalid_payload", 400), True),
        (web.Answer(b"no_service", 404), True),
        (web.Answer(b"", 503), False),
        (web.Answer(b"", 429, {"retry-after": "1"}), False),
        (web.Answer(b"not ok"), False),
    ],
)
def test_what_slack_does_not_take_is_not_sent(
    answer: web.Answer, is_final: bool, serve: Callable[[web.Handler], web.Web]
) -> None:
    server = serve(lambda _: answer)
    with pytest.raises(ChannelError) as refusal:
        channel("slack", url=server.url).send(sending())
    assert refusal.value.is_final is is_final


class MailServer:
    """As much of SMTP as a client needs to hand over a message, on a port of its own; what it took is in ``taken``."""

    def __init__(self, refuse: bytes = b"") -> None:
        self.refuse, self.taken = refuse, []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    taken: list[tuple[list[bytes], Message]]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self._talk(stream)

    def _talk(self, stream: Any) -> None:
        recipients: list[bytes] = []

        def say(line: bytes) -> None:
            stream.write(line + b"\r\n")
            stream.flush()

        say(b"220 mail.example.org")
        for line in stream:
            command = line.strip().upper()
            if command.startswith((b"RCPT", b"MAIL")) and self.refuse and self.refuse in line:
                say(b"550 no such user")
            elif command.startswith(b"RCPT"):
                recipients.append(line.strip())
                say(b"250 ok")
            elif command == b"DATA":
                say(b"354 go on")
                data = b""
                while (part := next(stream)) != b".\r\n":
                    data += part
                self.taken.append((recipients, message_from_bytes(data)))
                say(b"250 taken")
            elif command == b"QUIT":
                say(b"221 bye")
                return
            else:
                say(b"250 ok")

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


def email(port: int, **settings: Any) -> Channel:
    section = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "ringfence@example.org"}
    return channel("email", **section, recipients=["night@example.org", "owner@example.org"], **settings)


def test_an_e_mail_says_it_all_and_keeps_its_conversation(mail: MailServer) -> None:
    email(mail.port).send(sending())
    email(mail.port).send(sending())
    (recipients, first), (_, again) = mail.taken
    assert len(recipients) == 2
    assert first["Subject"] == "production: [critical] reserves_cover_liabilities BTC: new"
    assert first["Message-ID"] == again["Message-ID"], "the same message tried again can be told to be the same"
    assert first["References"]
    assert first["Date"] == "Thu, 05 Mar 2026 00:40:00 +0000"
    text = first.get_payload(decode=True).decode()
    assert text.replace("\r\n", "\n").rstrip("\n") == sending().content.text()


def test_a_mail_server_that_refuses_or_is_not_there_says_so() -> None:
    refusing = MailServer(refuse=b"example.org")
    with pytest.raises(ChannelError, match="550 no such user") as refusal:
        email(refusing.port).send(sending())
    assert refusal.value.is_final
    refusing.close()
    with pytest.raises(ChannelError, match="can't be used"):
        email(1).send(sending())
    with pytest.raises(ChannelError, match="can't be used"):
        email(1).check()


def test_a_mail_server_that_answers_passes_the_check(mail: MailServer) -> None:
    assert email(mail.port).check() == "127.0.0.1 answers"
    assert mail.taken == []
