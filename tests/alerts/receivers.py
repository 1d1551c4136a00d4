"""Receivers that take nothing but what their makers' rules allow, as far as a message of ours could break them.

Slack: https://docs.slack.dev/reference/block-kit and …/messaging/formatting-message-text. Teams: the Adaptive Card
schema (https://adaptivecards.io/explorer) as of 1.4 and Microsoft's page on incoming webhooks (28 KB). PagerDuty:
developer.pagerduty.com, Events API v2. E-mail: a real server, aiosmtpd.
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from jsonschema import Draft202012Validator

from tests.connectors import web
from tests.support.outside import free_port


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    properties = required | (optional or {})
    return {"type": "object", "required": [*required], "properties": properties, "additionalProperties": False}


def _text(most: int, least: int = 1) -> dict[str, Any]:
    return {"type": "string", "minLength": least, "maxLength": most}


def _one_of(*values: str) -> dict[str, Any]:
    return {"enum": [*values]}


def _plain_text(most: int) -> dict[str, Any]:
    return _object({"type": _one_of("plain_text"), "text": _text(most)}, {"emoji": {"type": "boolean"}})


def _mrkdwn(most: int) -> dict[str, Any]:
    return _object({"type": _one_of("mrkdwn"), "text": _text(most)}, {"verbatim": {"type": "boolean"}})


def _either(*schemas: dict[str, Any]) -> dict[str, Any]:
    return {"oneOf": [*schemas]}


_BLOCK_ID = {"block_id": _text(255)}
_SLACK = _object(
    {
        "text": _text(40_000),
        "blocks": {
            "type": "array",
            "minItems": 1,
            "maxItems": 50,
            "items": _either(
                _object({"type": _one_of("header"), "text": _plain_text(150)}, _BLOCK_ID),
                _object({"type": _one_of("divider")}, _BLOCK_ID),
                _object(
                    {
                        "type": _one_of("context"),
                        "elements": {"type": "array", "minItems": 1, "maxItems": 10, "items": _mrkdwn(3000)},
                    },
                    _BLOCK_ID,
                ),
                _object({"type": _one_of("section"), "text": _either(_mrkdwn(3000), _plain_text(3000))}, _BLOCK_ID),
                _object(
                    {
                        "type": _one_of("section"),
                        "fields": {
                            "type": "array",
                            "minItems": 1,
                            "maxItems": 10,
                            "items": _either(_mrkdwn(2000), _plain_text(2000)),
                        },
                    },
                    _BLOCK_ID,
                ),
            ),
        },
    }
)

_RUN = _object(
    {"type": _one_of("TextRun"), "text": {"type": "string"}},
    {
        "weight": _one_of("Lighter", "Default", "Bolder"),
        "size": _one_of("Small", "Default", "Medium", "Large", "ExtraLarge"),
        "fontType": _one_of("Default", "Monospace"),
        "isSubtle": {"type": "boolean"},
        "italic": {"type": "boolean"},
        "strikethrough": {"type": "boolean"},
    },
)
_ELEMENT = {
    "separator": {"type": "boolean"},
    "spacing": _one_of("None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"),
    "id": {"type": "string"},
}
_FACT = _object({"title": {"type": "string"}, "value": {"type": "string"}})
_CARD = _object(
    {
        "type": _one_of("AdaptiveCard"),
        "version": _one_of("1.0", "1.1", "1.2", "1.3", "1.4", "1.5"),
        "body": {
            "type": "array",
            "minItems": 1,
            "items": _either(
                _object(
                    {"type": _one_of("RichTextBlock"), "inlines": {"type": "array", "minItems": 1, "items": _RUN}},
                    _ELEMENT,
                ),
                _object(
                    {"type": _one_of("TextBlock"), "text": {"type": "string"}},
                    {**_ELEMENT, "wrap": {"type": "boolean"}, "weight": {}, "size": {}, "isSubtle": {}},
                ),
                _object(
                    {"type": _one_of("FactSet"), "facts": {"type": "array", "minItems": 1, "items": _FACT}}, _ELEMENT
                ),
            ),
        },
    },
    {
        "$schema": _one_of("http://adaptivecards.io/schemas/adaptive-card.json"),
        "actions": {
            "type": "array",
            "maxItems": 6,
            "items": _object(
                {"type": _one_of("Action.OpenUrl"), "url": {"type": "string", "pattern": "^https?://[^ ]+$"}},
                {"title": {"type": "string"}},
            ),
        },
    },
)
_TEAMS = _object(
    {
        "type": _one_of("message"),
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": _object(
                {"contentType": _one_of("application/vnd.microsoft.card.adaptive"), "content": _CARD},
                {"contentUrl": {"type": "null"}},
            ),
        },
    }
)

_KEYS = {"routing_key": _text(32, 32), "dedup_key": _text(255)}
_LINK = _object({"href": {"type": "string", "pattern": "^https?://[^ ]+$"}}, {"text": {"type": "string"}})
_PAGERDUTY = _either(
    _object({**_KEYS, "event_action": _one_of("acknowledge", "resolve")}),
    _object(
        {
            **_KEYS,
            "event_action": _one_of("trigger"),
            "payload": _object(
                {
                    "summary": _text(1024),
                    "source": _text(1024),
                    "severity": _one_of("critical", "error", "warning", "info"),
                },
                {
                    "timestamp": {"type": "string"},
                    "component": {"type": "string"},
                    "group": {"type": "string"},
                    "class": {"type": "string"},
                    "custom_details": {"type": "object"},
                },
            ),
        },
        {"client": {"type": "string"}, "client_url": {"type": "string"}, "links": {"type": "array", "items": _LINK}},
    ),
)
_CALLS = re.compile(r"<[!@#]")


def _breaks(schema: dict[str, Any], request: web.Request) -> str:
    """The first rule that the body breaks; empty if none."""
    if not request.headers.get("content-type", "").startswith("application/json"):
        return "content type"
    try:
        body = json.loads(request.body)
    except ValueError:
        return "no JSON"
    errors = sorted(Draft202012Validator(schema).iter_errors(body), key=lambda error: error.json_path)
    return errors[0].json_path if errors else ""


def slack(request: web.Request) -> web.Answer:
    """Also refuses what would call people, and more characters than Slack was seen to take."""
    problem = _breaks(_SLACK, request)
    if not problem:
        blocks = request.json["blocks"]
        parts = [part for block in blocks for part in (block.get("text"), *block.get("elements", ())) if part]
        parts += [part for block in blocks for part in block.get("fields", ())]
        if sum(len(part["text"]) for part in parts) > 13_000:
            return web.Answer(b"msg_blocks_too_long", 400)
        read_as_markup = [request.json["text"], *(part["text"] for part in parts if part["type"] == "mrkdwn")]
        if any(_CALLS.search(text) for text in read_as_markup):
            return web.Answer(b"somebody was called", 400)
    return web.Answer(b"invalid_blocks", 400) if problem else web.Answer(b"ok")


def teams(request: web.Request) -> web.Answer:
    """A workflow: it accepts."""
    if len(request.body) > 28 * 1024:
        return web.Answer(b"too large", 413)
    problem = _breaks(_TEAMS, request)
    return web.Answer(problem.encode(), 400) if problem else web.Answer(b"", 202)


def pagerduty(request: web.Request) -> web.Answer:
    if len(request.body) > 512 * 1000:
        return web.Answer({"status": "invalid event", "message": "too large"}, 413)
    problem = _breaks(_PAGERDUTY, request)
    if problem or request.path != "/v2/enqueue":
        return web.Answer({"status": "invalid event", "message": "Event object is invalid", "errors": [problem]}, 400)
    return web.Answer({"status": "success", "message": "Event processed", "dedup_key": request.json["dedup_key"]}, 202)


@dataclass
class Mail:
    """A real SMTP server. ``answers`` are given to recipients instead of taking them, ``data`` to a message."""

    answers: dict[str, str] = field(default_factory=dict)
    data: str = "250 taken"
    password: str = "mail password"
    taken: list[tuple[Envelope, EmailMessage]] = field(default_factory=list)
    recipients_named: int = 0
    authenticated: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.recipients_named += 1
        if address in self.answers:
            return self.answers[address]
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if not self.data.startswith("250"):
            return self.data
        assert isinstance(envelope.content, bytes)
        parsed = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        self.taken.append((envelope, parsed))
        return self.data

    def authenticate(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if data.password.decode() != self.password:
            return AuthResult(success=False, handled=False)
        self.authenticated.append(data.login.decode())
        return AuthResult(success=True)


@contextmanager
def mail_server(tls: Path | None = None, **how: Any) -> Iterator[Mail]:
    """The server running; with a folder of ``certificate`` it offers STARTTLS and wants a log-in."""
    mail = Mail(**how)
    options: dict[str, Any] = {}
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "certificate.pem", tls / "key.pem")
        options = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": mail.authenticate,
        }
    mail.port = free_port()
    controller = Controller(mail, hostname="127.0.0.1", port=mail.port, ready_timeout=60, **options)
    controller.start()
    try:
        yield mail
    finally:
        controller.stop()


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody trusts unless told to, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    no_password = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, no_password)
    (folder / "key.pem").write_bytes(pem)
    return folder
