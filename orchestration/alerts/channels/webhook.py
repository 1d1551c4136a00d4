"""Any receiver that takes JSON over HTTP, signed so that it can tell who sent it.

The body is the message's content with its ``key``; the header ``x-ringfence-signature`` is ``t=<seconds>,v1=<hex>``,
HMAC-SHA256 with the shared secret over ``<seconds>.<body>``, and ``x-ringfence-key`` repeats the key, percent-encoded
where it isn't ASCII. A receiver checks the signature and that the time is recent, and drops a key that it has seen.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import string
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote

from orchestration.alerts.channels.base import Channel, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.posting import PostingSettings, as_bytes, post, reach
from orchestration.connectors.secrets import Address, VariableName

_EPOCH = datetime(1970, 1, 1)
_ASCII = string.punctuation + " "


class WebhookSettings(PostingSettings):
    """Where to post, and the variable with the secret that signs."""

    url: Address
    secret_variable: VariableName


class WebhookChannel(Channel):
    """Posts signed JSON."""

    settings_class: ClassVar[type[ChannelSettings]] = WebhookSettings

    def __init__(self, settings: WebhookSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Post the content with its key."""
        content = json.loads(sending.content.as_json())
        self._post(as_bytes({"key": sending.key, "line": sending.line, **content}), sending.key)

    def check(self) -> str:
        """The secret is there and the receiver too; nothing is posted, since it would be taken for an alert."""
        self.services.outside.secrets.read(self.settings.secret_variable)
        return f"{reach(self.services, self.settings.url, self.settings.seconds)} can be reached, the secret is set"

    def _post(self, body: bytes, key: str) -> None:
        seconds = str(int((self.services.now() - _EPOCH).total_seconds()))
        secret = self.services.outside.secrets.read(self.settings.secret_variable)
        signature = sign(secret, seconds, body)
        headers = {"x-ringfence-signature": f"t={seconds},v1={signature}", "x-ringfence-key": quote(key, safe=_ASCII)}
        post(self.services, self.settings.url, body, headers, self.settings.seconds)


def sign(secret: str, seconds: str, body: bytes) -> str:
    """The signature of a body sent at a moment, in hexadecimal."""
    return hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
