"""Posting JSON to a receiver over HTTP, and what its answer means. Shared by the channels that do.

What belongs here: the one way to post. What doesn't: what is posted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestration.alerts.channels.base import ChannelError, ChannelServices
from orchestration.connectors.errors import SourceError, StatusError
from orchestration.connectors.http import HttpClient, HttpSettings
from orchestration.connectors.limits import Limits

_SETTINGS = HttpSettings(connect_seconds=10, read_seconds=20, total_seconds=40, attempts=2, requests_per_second=5)


def post(
    services: ChannelServices, address: str, body: bytes, headers: Mapping[str, str], settings: HttpSettings = _SETTINGS
) -> bytes:
    """Post once, or twice if the first failed in passing; return the answer.

    Raises ChannelError if the receiver didn't take it: final if it said that the message itself is wrong. What it
    isn't told now is tried again by the outbox, so there is no long waiting here.
    """
    client = HttpClient(services.outside.secrets.fill(address), services.outside, settings, Limits(max_megabytes=1))
    try:
        return client.request("POST", "", body=body, headers={"content-type": "application/json", **headers})
    except StatusError as error:
        raise ChannelError(str(error), is_final=error.status in (400, 404, 410, 413, 422)) from error
    except SourceError as error:
        raise ChannelError(str(error)) from error


def as_bytes(body: Any) -> bytes:
    """JSON as it is posted: the same bytes for the same message, so that a signature holds."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
