"""Secrets: read from the environment only, and kept out of everything that is written.

What belongs here: looking secrets up by name, and blotting them out of texts. What doesn't: what they open.
"""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote, quote_plus

from pydantic import AfterValidator, StringConstraints

from orchestration.errors import ConfigurationError
from orchestration.settings import environment_variable

VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""Name of an environment variable that holds a secret; the configuration never holds the secret itself."""

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_LOGIN = re.compile(r"^[a-z][a-z0-9+.-]*://[^/@\s]*:(?!\$\{)[^/@\s]+@", re.IGNORECASE)
BLOT = "***"


def _without_password(text: str) -> str:
    if _LOGIN.match(text):
        raise ValueError("an address with a password in it; put the password into a variable and write ${NAME} there")
    return text


Address = Annotated[str, AfterValidator(_without_password), StringConstraints(min_length=1)]
"""A URL or connection string in which ``${NAME}`` stands for an environment variable."""


def placeholders(text: str) -> list[str]:
    """Names of the variables that a text's ``${NAME}`` stand for."""
    return _PLACEHOLDER.findall(text)


class Secrets:
    """The secrets that one source has looked up, so that they can be blotted out wherever they turn up."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def read(self, name: str) -> str:
        """The value of an environment variable, a secret from here on; raise ConfigurationError if it isn't set."""
        value = environment_variable(name)
        if not value:
            raise ConfigurationError(f"environment variable {name} isn't set; set it to the secret, or mend its name")
        self._remember(value)
        return value

    def fill(self, text: str, spelled: Callable[[str], str] = str) -> str:
        """``text`` with every ``${NAME}`` replaced by that variable, ``spelled`` as the text's syntax asks."""

        def filled(match: re.Match[str]) -> str:
            value = spelled(self.read(match.group(1)))
            self.add(value)
            return value

        return _PLACEHOLDER.sub(filled, text)

    def fill_url(self, address: str) -> str:
        """An address filled: a variable may hold the whole of it, or a part that has to be spelled as in a URL."""
        if address.startswith("${"):
            return self.fill(address)
        return self.fill(address, lambda value: quote(value, safe=""))

    def add(self, value: str) -> None:
        """Treat ``value`` as a secret too: a token that was derived from one, say."""
        self._remember(value)

    def redact(self, text: str) -> str:
        """``text`` without any secret, however it is spelled: plain, in a URL, or in base64."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, BLOT)
        return text

    def _remember(self, value: str) -> None:
        encoded = base64.b64encode(value.encode()).decode()
        self._known |= {value, quote(value, safe=""), quote_plus(value), encoded, repr(value)[1:-1]}

    @contextmanager
    def kept_out_of_logs(self) -> Iterator[None]:
        """Blot secrets out of every log record of this process for the length of the block, libraries' included."""
        make = logging.getLogRecordFactory()

        def make_redacted(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = make(*args, **kwargs)
            message = record.getMessage()
            if (redacted := self.redact(message)) != message:
                record.msg, record.args = redacted, ()
            if record.exc_info:
                formatted = logging.Formatter().formatException(record.exc_info)
                record.exc_info, record.exc_text = None, self.redact(formatted)
            return record

        logging.setLogRecordFactory(make_redacted)
        try:
            yield
        finally:
            logging.setLogRecordFactory(make)
