"""Posting JSON to a receiver over HTTP, and what its answer means. Shared by the channels that do.

What belongs here: the one way to ask. What doesn't: what is posted.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic import Field

from orchestration.alerts.channels.base import ChannelError, ChannelServices, ChannelSettings
from orchestration.connectors.errors import SourceError, StatusError
from orchestration.connectors.http import HttpClient, HttpSettings, TransientError
from orchestration.connectors.limits import Limits

PAUSE = 1.0
"""Seconds before the second try. What isn't taken then is tried again by the outbox: nobody waits for long here."""

_FINAL = frozenset({400, 404, 405, 410, 413, 415, 422})
_SHOWN = 200
_TELLING = 10


class PostingSettings(ChannelSettings):
    """What all receivers over HTTP have: how many seconds to wait for an answer."""

    seconds: float = Field(20, gt=0, le=600)


def post(
    services: ChannelServices, address: str, body: bytes, headers: Mapping[str, str] | None = None, seconds: float = 20
) -> bytes:
    """Post JSON once, or twice if the first failed in passing; return the answer.

    Raises ChannelError if the receiver didn't take it: final if it said that the message itself is wrong.
    """
    return ask(services, "POST", address, body, {"content-type": "application/json", **(headers or {})}, seconds)


def ask(
    services: ChannelServices,
    method: str,
    address: str,
    body: bytes | None,
    headers: Mapping[str, str],
    seconds: float,
    megabytes: int = 1,
) -> bytes:
    """What is answered, of so many megabytes at most; ChannelError as ``post``."""
    outside = services.outside
    settings = HttpSettings(
        connect_seconds=min(10, seconds), read_seconds=seconds, total_seconds=2 * seconds + PAUSE, attempts=2
    )
    client = HttpClient(filled(services, address), outside, settings, Limits(max_megabytes=megabytes))
    place, deadline = client.place(method, ""), outside.clock.monotonic() + settings.total_seconds
    for is_last in (False, True):
        try:
            return client.attempt(method, client.base_url, place, deadline, body=body, headers=headers).body
        except TransientError as error:
            if is_last or (error.retry_after or 0) > PAUSE:
                # What the server said may hold what it was sent, cut in the middle of a secret: its status is enough.
                problem = f"{place}: {error.problem.partition(':')[0]}"
                raise ChannelError(problem, retry_after=error.retry_after) from error
        except StatusError as error:
            is_final = error.status in _FINAL
            said = " ".join(outside.secrets.redact(error.body.decode(errors="replace")).split())[:_SHOWN]
            raise ChannelError(f"{place}: status {error.status}{said and ': '}{said}", is_final=is_final) from error
        except SourceError as error:
            raise ChannelError(error.problem) from error
        outside.clock.sleep(PAUSE)
    raise AssertionError("the last try returns or raises")


def reach(services: ChannelServices, address: str, seconds: float) -> str:
    """The host of an address, once it was connected to; nothing is asked. Raises ChannelError if it can't be."""
    try:
        parts = urlsplit(filled(services, address))
        is_safe = parts.scheme == "https"
        if parts.hostname is None or parts.scheme not in ("http", "https"):
            raise ChannelError("its address is none of HTTP; write https://…", is_final=True)
        place = (parts.hostname, parts.port or (443 if is_safe else 80))
        with socket.create_connection(place, min(10, seconds)) as connection:
            if is_safe:
                ssl.create_default_context().wrap_socket(connection, server_hostname=parts.hostname).close()
    except (OSError, ValueError) as error:
        raise ChannelError(services.outside.secrets.redact(f"the receiver can't be reached: {error}")) from error
    return parts.hostname


def filled(services: ChannelServices, address: str) -> str:
    """The address with its secrets, of which parts are secrets too: receivers speak of them in their answers."""
    whole = services.outside.secrets.fill(address)
    if whole != address:
        hide(services, whole)
    return whole


def hide(services: ChannelServices, address: str) -> None:
    """Treat the parts of an address as secrets, as far as they are long enough to be one; hosts are no loss."""
    for part in re.split(r"[/?&=:@#,]", address):
        if len(part) >= _TELLING:
            services.outside.secrets.add(part)
            services.outside.secrets.add(unquote(part))


def as_bytes(body: Any) -> bytes:
    """JSON as it is posted: the same bytes for the same message, so that a signature holds."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
