"""The many services that the library apprise knows: phones, chats, desktops, ticket systems.

What belongs here: what apprise is given, and why it says no. What doesn't: any service's own markup, which apprise
makes of plain text, escaped as the service asks.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.fitting import cut, fitting
from orchestration.alerts.channels.posting import filled, hide
from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Content
from orchestration.connectors.base import require
from orchestration.connectors.secrets import Address

TITLE, TEXT = 250, 8000
"""Characters. What a service doesn't take in one message comes in several: they are to be few."""
_CALLS = re.compile(r"@(?=[\w&!])|(?<=<)(?=[!@#])")
"""Where a service might call people: @everyone, <!channel>, <@U123>."""
_SHOWN = 300


class AppriseSettings(ChannelSettings):
    """Addresses as apprise writes them (secrets: write ``${NAME}``), or a file of apprise's own, of it those tagged."""

    urls: tuple[Address, ...] = ()
    file: Path | None = None
    tags: tuple[str, ...] = ()
    seconds: float = Field(20, gt=0, le=600)

    @model_validator(mode="after")
    def _somewhere(self) -> AppriseSettings:
        if bool(self.urls) == (self.file is not None):
            raise ValueError("give either urls or a file")
        if self.tags and self.file is None:
            raise ValueError("tags choose among the addresses of a file; give one, or leave them out")
        return self


class AppriseChannel(Channel):
    """Tells all services of its addresses; taken once all have taken it. Redirects aren't followed.

    apprise doesn't say whether trying again can help, so it always is.
    """

    settings_class: ClassVar[type[ChannelSettings]] = AppriseSettings

    def __init__(self, settings: AppriseSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Hand title and text to apprise."""
        with _quiet():
            services = self._services()
            result = services.notify(
                title=cut(without_calls(sending.content.title), TITLE),
                body=fitting(sending.content, partial(_text, key=sending.key), lambda text: len(text) <= TEXT),
                body_format="text",
                notify_type=_kind(sending),
                tag=self._tags(),
                timeout=2 * self.settings.seconds,
            )
        if not result:
            reasons = [f"{one.name}: {'; '.join(log.message for log in one.logs())}" for one in result if not one]
            reasons += [log.message for log in result.call_logs()]
            said = " ".join(" | ".join(reasons).split()) or f"apprise says {result.status.name}"
            raise ChannelError(cut(self.services.outside.secrets.redact(said), _SHOWN))

    def check(self) -> str:
        """apprise knows the services of all addresses; nobody is told anything."""
        with _quiet():
            names = [str(one.service_name) for one in self._services().find(self._tags())]
        if not names:
            raise ChannelError("no address bears these tags; mend tags or the file", is_final=True)
        return f"apprise knows {', '.join(names)}; 'ringfence alerts test' tells them"

    def _tags(self) -> Any:
        return list(self.settings.tags) or "all"

    def _services(self) -> Any:
        apprise = require("apprise", "operations")
        # One after the other, in this thread; no file is kept; a redirect could carry the message elsewhere.
        asset = apprise.AppriseAsset(
            app_id="Ringfence", async_mode=False, http_redirects=False, storage_mode="memory", secure_logging=True
        )
        services = apprise.Apprise(asset=asset)
        for number, url in enumerate(self.settings.urls, start=1):
            if not services.add(filled(self.services, url)):
                raise ChannelError(
                    f"apprise can't read address {number} of urls; see its list of services", is_final=True
                )
        if self.settings.file is not None:
            self._add_file(apprise, services, asset, self.settings.file)
        for service in services:
            self._set_up(service, apprise.common.OverflowMode)
        return services

    def _add_file(self, apprise: Any, services: Any, asset: Any, path: Path) -> None:
        file = apprise.AppriseConfig(asset=asset)
        if not path.is_file() or not file.add(str(path.absolute())) or not [*file.services()]:
            raise ChannelError(f"apprise can't read its file {path}; mend or name another", is_final=True)
        services.add(file)

    def _set_up(self, service: Any, overflow: Any) -> None:
        """Patience, and long texts in several parts rather than refused; what an address itself says counts more."""
        service.socket_connect_timeout = min(service.socket_connect_timeout, self.settings.seconds)
        service.socket_read_timeout = self.settings.seconds
        if service.overflow_mode is overflow.UPSTREAM:
            service.overflow_mode = overflow.SPLIT
        hide(self.services, service.url())


def without_calls(text: str) -> str:
    """Text that calls nobody, in whichever service: signs that begin a mention are parted from what they mention."""
    return _CALLS.sub(lambda found: f"{found.group()}\u200b", text)


def _kind(sending: Sending) -> str:
    if sending.occasion is Occasion.RESOLVED:
        return "success"
    if sending.is_test or sending.occasion is Occasion.ACKNOWLEDGED:
        return "info"
    is_critical = any(told.severity == "critical" for told in sending.content.told)
    return "failure" if is_critical else "warning"


def _text(content: Content, key: str) -> str:
    return without_calls(f"{content.text()}\n\nmessage: {key}")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what apprise logs out of this process's logs: it is told, without secrets, as the reason."""
    logger = logging.getLogger("apprise")
    before, logger.propagate = logger.propagate, False
    try:
        yield
    finally:
        logger.propagate = before
