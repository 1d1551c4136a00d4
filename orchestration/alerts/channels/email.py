"""E-mail over SMTP, with TLS unless the server is configured to have none.

What belongs here: one message to one list of addresses. What doesn't: what is said (``told``).
"""

from __future__ import annotations

import hashlib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints, model_validator

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.fitting import cut
from orchestration.alerts.told import in_a_line
from orchestration.connectors.secrets import VariableName

MailAddress = Annotated[str, StringConstraints(pattern=r"^[^@\s<>,;:\"]+@[^@\s<>,;:\"]+$", max_length=254)]

_REFUSED_FOR_GOOD = range(500, 600)
_BUSY = 421
_SUBJECT, _SHOWN = 200, 200


class EmailSettings(ChannelSettings):
    """The server, how to reach it, and whom to write to."""

    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_variable: VariableName | None = None
    sender: MailAddress
    recipients: tuple[MailAddress, ...] = Field(min_length=1)
    seconds: float = Field(20, gt=0, le=600)

    @model_validator(mode="after")
    def _log_in(self) -> EmailSettings:
        if (self.user is None) != (self.password_variable is None):
            raise ValueError("user and password_variable go together; give both or neither")
        if self.user is not None and self.security == "none":
            raise ValueError("a password isn't sent without TLS; set security to starttls or tls")
        return self


class EmailChannel(Channel):
    """Writes e-mails that belong to one conversation for each incident.

    Taken once the server has taken it for one recipient at least: the e-mail says which ones it was refused for.
    To try again for those would write to the others again and again.
    """

    settings_class: ClassVar[type[ChannelSettings]] = EmailSettings

    def __init__(self, settings: EmailSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Hand the message to the server, which then answers for it."""
        with self._server() as server:
            refused = self._name_recipients(server)
            if len(refused) == len(self.settings.recipients):
                is_final = all(code in _REFUSED_FOR_GOOD for code, _ in refused.values())
                raise ChannelError(f"{self.settings.host} refused all recipients: {_said(refused)}", is_final=is_final)
            message = self._message(sending, _said(refused))
            code, answer = server.data(message.as_bytes(policy=message.policy.clone(linesep="\r\n")))
            if code != 250:
                raise smtplib.SMTPDataError(code, answer)

    def check(self) -> str:
        """The server answers, takes the log-in, and would take an e-mail for every recipient; none is sent."""
        with self._server() as server:
            refused = self._name_recipients(server)
            server.rset()
        if refused:
            raise ChannelError(f"{self.settings.host} refuses recipients: {_said(refused)}")
        return f"{self.settings.host} answers and takes e-mail for {len(self.settings.recipients)} recipients"

    def _name_recipients(self, server: smtplib.SMTP) -> dict[str, tuple[int, bytes]]:
        """Name sender and recipients to the server; return whom it refused, and why."""
        server.ehlo_or_helo_if_needed()
        code, answer = server.mail(self.settings.sender)
        if code != 250:
            raise smtplib.SMTPSenderRefused(code, answer, self.settings.sender)
        refused = {}
        for recipient in self.settings.recipients:
            code, answer = server.rcpt(recipient)
            if code == _BUSY:
                raise smtplib.SMTPResponseException(code, answer)
            if code not in (250, 251):
                refused[recipient] = (code, answer)
        return refused

    def _message(self, sending: Sending, refused: str) -> EmailMessage:
        message = EmailMessage()
        domain = self.settings.sender.partition("@")[2]
        message["Subject"] = cut(in_a_line(sending.content.title), _SUBJECT)
        message["From"] = self.settings.sender
        message["To"] = ", ".join(self.settings.recipients)
        message["Date"] = format_datetime(self.services.now().replace(tzinfo=UTC))
        # The same message tried again bears the same name; those of one line refer to its first.
        message["Message-ID"] = f"<{_name(sending.key)}@{domain}>"
        message["In-Reply-To"] = message["References"] = f"<{_name(sending.line)}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message["X-Ringfence-Key"] = in_a_line(sending.key)
        warning = f"\n\nThe server refused this e-mail for some recipients: {refused}" if refused else ""
        message.set_content(sending.content.text() + warning)
        return message

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        settings = self.settings
        try:
            with self._connection() as server:
                if settings.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if settings.user is not None and settings.password_variable is not None:
                    server.login(settings.user, self.services.outside.secrets.read(settings.password_variable))
                yield server
        except smtplib.SMTPResponseException as error:
            is_final = error.smtp_code in _REFUSED_FOR_GOOD
            problem = f"{settings.host}: {error.smtp_code} {_text(error.smtp_error)}"
            raise ChannelError(self.services.outside.secrets.redact(problem), is_final=is_final) from error
        except (smtplib.SMTPException, OSError) as error:
            problem = f"{settings.host}:{settings.port} can't be used: {in_a_line(str(error)) or type(error).__name__}"
            raise ChannelError(self.services.outside.secrets.redact(problem)) from error

    def _connection(self) -> smtplib.SMTP:
        settings = self.settings
        if settings.security == "tls":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.seconds, context=context)
        return smtplib.SMTP(settings.host, settings.port, timeout=settings.seconds)


def _said(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{recipient}: {code} {_text(answer)}" for recipient, (code, answer) in refused.items())


def _text(answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return cut(in_a_line(text), _SHOWN)


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
