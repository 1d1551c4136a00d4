"""Attempts to pull a source: who is at it now, and what kept the last one from landing.

What belongs here: a source's lock, and a small file beside it that says why a day didn't land, until it or a later one
has. What doesn't: what landed (``delivery``), and whom a failure concerns (``alerts``).
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path

from orchestration.connectors.delivery import write_durably
from orchestration.connectors.errors import SourceError
from orchestration.errors import ConfigurationError
from orchestration.file_locks import is_held
from orchestration.landing.manifests import STAGING

_LOOKED_AT_FOR = 0.02
"""Seconds that a look at a lock takes at most; whoever wants it waits so long, some times over."""


class BusyError(SourceError):
    """Another process is pulling the source."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source's day didn't land, without a secret. ``is_final``: whoever tried won't by itself try again."""

    day: date
    message: str
    failed_at: datetime
    is_final: bool = True


def _lock_file(landing: Path, source: str) -> Path:
    return landing / STAGING / f"{source}.lock"


def _failure_file(landing: Path, source: str) -> Path:
    return landing / STAGING / f"{source}.failed.json"


@contextmanager
def alone(landing: Path, source: str) -> Iterator[None]:
    """Hold the source for this process; the kernel lets go when it ends, however it ends."""
    path = _lock_file(landing, source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(f"landing folder {landing} can't be written to: {error.strerror}") from error
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    for is_last in (False, False, True):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if is_last:
                raise BusyError("another process is pulling it", "wait until it has ended") from error
            time.sleep(_LOOKED_AT_FOR)


def is_being_pulled(landing: Path, source: str) -> bool:
    """Whether a process holds the source."""
    try:
        return is_held(_lock_file(landing, source))
    except OSError:
        return False


def record_failure(landing: Path, source: str, failure: Failure) -> None:
    """Keep why a day didn't land. What keeps this from being written mustn't hide the failure itself."""
    with suppress(OSError):
        write_durably(_failure_file(landing, source), json.dumps(asdict(failure), default=str, ensure_ascii=False))


def forget_failure(landing: Path, source: str, day: date) -> None:
    """A day has landed, and what kept it, or one before it, is over."""
    failure = last_failure(landing, source)
    if failure is not None and failure.day <= day:
        with suppress(OSError):
            _failure_file(landing, source).unlink(missing_ok=True)


def last_failure(landing: Path, source: str) -> Failure | None:
    """Why the last pull didn't land; None if it did, or if that can't be read."""
    try:
        stored = json.loads(_failure_file(landing, source).read_text(encoding="utf-8"))
        return Failure(
            date.fromisoformat(stored["day"]),
            str(stored["message"]),
            datetime.fromisoformat(stored["failed_at"]),
            bool(stored["is_final"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
