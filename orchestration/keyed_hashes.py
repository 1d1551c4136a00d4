"""Who may be named outside the warehouse: nobody but the exchange's own parts. Everyone else is a keyed hash.

What belongs here: hashes, and what a finding or an error may say in an alert, a log or a report. What doesn't: alerts'
wording, and the commands that are there to show names (``findings``, ``query``, ``explain``, ``alerts show``).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from orchestration.contract import TABLES
from orchestration.errors import RingfenceError
from orchestration.safe_text import one_line, printable
from orchestration.settings import HASH_KEY, environment_variable

PLAIN_SUBJECTS = frozenset(
    {"exchange", "in_kind_group", "asset", "month", "table", "check", "job", "source", "figure", "group"}
)
"""Kinds of subjects that name nobody, and neither do the sentences about them."""

# An apostrophe within a word is none that quotes.
_QUOTES = (
    (re.compile(r'"(.*?)"', re.DOTALL), re.compile('"')),
    (re.compile(r"(?<!\w)'(.*?)'(?!\w)", re.DOTALL), re.compile(r"(?<!\w)'|'(?!\w)")),
)
_OWN_WORDS = frozenset({table.name for table in TABLES} | {name for table in TABLES for name in table.column_names})


class Hashing:
    """Turns identifiers into keyed hashes: the same identifier always into the same one, and nobody can go back."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def of(self, identifier: str) -> str:
        """The hash of an identifier, short enough to be read out."""
        return hmac.new(self._key, identifier.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]


@cache
def _throwaway_key() -> str:
    return secrets.token_hex(32)


def process_hashing() -> Hashing:
    """Hashes under the key in ``RINGFENCE_HASH_KEY``.

    Without it, under one that this process makes and forgets: its hashes can be compared with each other only.
    """
    return Hashing(environment_variable(HASH_KEY) or _throwaway_key())


def affected(subject_type: str, subject_id: str, hashing: Hashing) -> str:
    """Whom a finding is about: the subject itself where it names nobody, or its kind and hash. A file is its path."""
    is_plain = subject_type in PLAIN_SUBJECTS or subject_type == "file"
    return subject_id if is_plain else f"{subject_type} {hashing.of(subject_id)}"


def sentence(subject_type: str, subject_id: str, message: str, observed: str | None, hashing: Hashing) -> str:
    """What may be said of a finding: its sentence where that names nobody, nothing where it does.

    What is wrong with a file may be said, without the value that is wrong.
    """
    if subject_type in PLAIN_SUBJECTS:
        return message
    if subject_type != "file":
        return ""
    bare = message.replace(f": '{observed}'", "") if observed else message
    return without_values(bare.removeprefix(subject_id).lstrip(" ,:"), hashing)


def without_values(text: str, hashing: Hashing) -> str:
    """An engine's message with each quoted value hashed: it may be a customer's. Paths and our own names are left.

    Where quotes don't come in pairs, all from the first on is taken for a value.
    """
    kept: list[str] = []

    def hashed(found: re.Match[str]) -> str:
        value = found[1]
        if value in _OWN_WORDS or (value.startswith("/") and value.isprintable() and " " not in value):
            kept.append(found[0])
            return f"\0{len(kept) - 1}\0"
        return f"#{hashing.of(value)}"

    told = text.replace("\0", "")
    for pair, odd in _QUOTES:
        replaced = pair.sub(hashed, told)
        if odd.search(replaced) and (first := odd.search(told)):
            replaced = f"{told[: first.start()]}#{hashing.of(told[first.start() :])}"
        told = replaced
    return re.sub("\0([0-9]+)\0", lambda found: kept[int(found[1])], told)


def error_text(error: BaseException) -> str:
    """What an error says: one of our own as it is, another without the values that it quotes."""
    if isinstance(error, RingfenceError):
        return printable(str(error))
    return one_line(f"{type(error).__name__}: {without_values(str(error), process_hashing())}")


def traceback_text(error: BaseException) -> str:
    """Where an error and its causes arose, the first of them first; of each, what ``error_text`` says."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        places = "".join(traceback.format_tb(current.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{places}{error_text(current)}\n")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nfrom which followed:\n\n".join(reversed(parts))


class UnexpectedError(RingfenceError):
    """An error that nobody foresaw, without the values that it quoted."""


@contextmanager
def errors_without_values() -> Iterator[None]:
    """What fails in the block in an unforeseen way fails without values: whoever catches it may keep it in a log."""
    try:
        yield
    except RingfenceError:
        raise
    except Exception as error:  # noqa: BLE001 (raised again, without values)
        raise UnexpectedError(error_text(error)).with_traceback(error.__traceback__) from None
