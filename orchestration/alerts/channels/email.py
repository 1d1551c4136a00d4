"""E-mail over SMTP, with TLS unless the server stands on this machine.

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
from typing import ClassVar, Literal

from pydantic import Field

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.connectors.secrets import VariableName

_REFUSED_FOR_GOOD = range(500, 600)


class EmailSettings(ChannelSettings):
    """The server, how to reach it, and whom to write to."""

    host: str = Field(min_length=1)
    port: int = Field(587, ge=1, le=65_535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str | None = None
    password_variable: VariableName | None = None
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    recipients: tuple[str, ...] = Field(min_length=1)
    seconds: float = Field(20, gt=0, le=600)


class EmailChannel(Channel):
    """Writes e-mails that belong to one conversation for each incident."""

    settings_class: ClassVar[type[ChannelSettings]] = EmailSettings

    def __init__(self, settings: EmailSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Hand the message to the server, which then answers for it."""
        with self._server() as server:
            refused = server.send_message(self._message(sending))
        if refused:
            raise ChannelError(f"the server took the e-mail for some only; it refused {len(refused)} recipients")

    def check(self) -> str:
        """The server answers and takes the log-in."""
        with self._server() as server:
            server.noop()
        return f"{self.settings.host} answers"

    def _message(self, sending: Sending) -> EmailMessage:
        message = EmailMessage()
        domain = self.settings.sender.partition("@")[2]
        message["Subject"] = sending.content.title
        message["From"] = self.settings.sender
        message["To"] = ", ".join(self.settings.recipients)
        message["Date"] = format_datetime(self.services.now().replace(tzinfo=UTC))
        # The same message tried again bears the same name; those of one line refer to its first.
        message["Message-ID"] = f"<{_name(sending.key)}@{domain}>"
        message["References"] = f"<{_name(sending.line)}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(sending.content.text())
        return message

    @contextmanager
    def _server(self) -> Iterator[smtplib.SMTP]:
        settings = self.settings
        try:
            if settings.security == "tls":
                context = ssl.create_default_context()
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.host, settings.port, timeout=settings.seconds, context=context
                )
            else:
                server = smtplib.SMTP(settings.host, settings.port, timeout=settings.seconds)
            with server:
                if settings.security == "starttls":
                    server.starttls(context=ssl.create_default_context())
                if settings.user is not None and settings.password_variable is not None:
                    server.login(settings.user, self.services.outside.secrets.read(settings.password_variable))
                yield server
        except smtplib.SMTPRecipientsRefused as error:
            raise ChannelError(f"{settings.host} refused all recipients") from error
        except smtplib.SMTPResponseException as error:
            text = (
                error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
            )
            is_final = error.smtp_code in _REFUSED_FOR_GOOD
            raise ChannelError(f"{settings.host}: {error.smtp_code} {text}", is_final=is_final) from error
        except (smtplib.SMTPException, OSError) as error:
            raise ChannelError(f"{settings.host}:{settings.port} can't be used: {error}") from error


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:40]
