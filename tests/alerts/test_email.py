"""E-mail against a real SMTP server: TLS, log-in, refusals, conversations, and nothing smuggled into a header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from orchestration.alerts.channels import Channel, ChannelError
from orchestration.alerts.incidents import Occasion
from tests.alerts.messages import WORST, channel, sending, told
from tests.alerts.receivers import certificate, mail_server

SECRET = "mail password"
RECIPIENTS = ["night@example.org", "owner@example.org"]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


def email(port: int, **settings: Any) -> Channel:
    section = {"host": "127.0.0.1", "port": port, "security": "none", "sender": "ringfence@example.org"}
    return channel("email", **(section | {"recipients": RECIPIENTS, "seconds": 30} | settings))


def logged_in(port: int) -> Channel:
    return email(port, security="starttls", user="ringfence", password_variable="MAIL_PASSWORD")


def test_an_e_mail_goes_out_over_tls_after_a_log_in(tls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", SECRET)
    monkeypatch.setenv("SSL_CERT_FILE", str(tls / "certificate.pem"))
    with mail_server(tls, password=SECRET) as mail:
        logged_in(mail.port).send(sending())
        assert "2 recipients" in logged_in(mail.port).check()
        monkeypatch.setenv("MAIL_PASSWORD", "a wrong password")
        with pytest.raises(ChannelError, match="535") as refusal:
            logged_in(mail.port).send(sending())
    assert "a wrong password" not in str(refusal.value)
    assert mail.authenticated == ["ringfence", "ringfence"]
    assert len(mail.taken) == 1


def test_no_password_goes_to_a_server_that_nobody_vouches_for(tls: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", SECRET)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with mail_server(tls, password=SECRET) as mail:
        with pytest.raises(ChannelError, match=r"can't be used.*certificate verify failed"):
            logged_in(mail.port).send(sending())
        assert mail.authenticated == []
    with mail_server() as plain, pytest.raises(ChannelError, match="STARTTLS"):
        logged_in(plain.port).send(sending())


def test_messages_of_one_incident_are_one_conversation() -> None:
    with mail_server() as mail:
        made = email(mail.port)
        made.send(sending())
        made.send(sending())
        made.send(sending(occasion=Occasion.RESOLVED, place=1))
    first, again, last = (message for _, message in mail.taken)
    assert first["Subject"] == "production: [critical] reserves_cover_liabilities BTC: new"
    assert first["Message-ID"] == again["Message-ID"], "the same message tried again can be told to be the same"
    assert last["Message-ID"] != first["Message-ID"]
    assert first["References"] == last["References"] == first["In-Reply-To"]
    assert first["Date"] == "Thu, 05 Mar 2026 00:40:00 +0000"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first.get_content().replace("\r\n", "\n").rstrip("\n") == sending().content.text()
    assert [envelope.rcpt_tos for envelope, _ in mail.taken] == [RECIPIENTS] * 3


def test_nothing_is_smuggled_into_a_header() -> None:
    with mail_server() as mail:
        email(mail.port).send(sending(told(asset="BTC\r\nBcc: thief@example.org\r\n\r\nhello")))
        email(mail.port).send(WORST)
    (envelope, message), (_, long) = mail.taken
    assert envelope.rcpt_tos == RECIPIENTS
    assert message["Bcc"] is None
    assert "BTC Bcc: thief@example.org hello" in message["Subject"]
    assert len(long["Subject"]) <= 200
    assert "🪙" in long.get_content()
    assert max(len(line) for line in mail.taken[1][0].content.split(b"\r\n")) <= 998


@pytest.mark.parametrize("answer", ["550 no such user", "451 try later"])
def test_one_recipient_refused_keeps_nothing_from_the_other(answer: str) -> None:
    with mail_server(answers={"owner@example.org": answer}) as mail:
        email(mail.port).send(sending())
        with pytest.raises(ChannelError, match=f"owner@example.org: {answer}"):
            email(mail.port).check()
    ((envelope, message),) = mail.taken
    assert envelope.rcpt_tos == ["night@example.org"]
    assert f"refused this e-mail for some recipients: owner@example.org: {answer}" in message.get_content()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"user": "ringfence"}, "user and password_variable go together"),
        ({"user": "ringfence", "password_variable": "MAIL_PASSWORD"}, "a password isn't sent without TLS"),
        ({"recipients": ["a@example.org\r\nBcc: b@example.org"]}, "recipients"),
        ({"recipients": ["A <a@example.org>"]}, "recipients"),
        ({"recipients": []}, "recipients"),
        ({"sender": "nobody"}, "sender"),
        ({"security": "perhaps"}, "security"),
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        email(25, **changes)
