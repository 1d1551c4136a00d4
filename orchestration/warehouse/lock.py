"""One writer per warehouse, also across processes."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from orchestration.errors import RingfenceError

_held: dict[Path, int] = {}
_ATTEMPTS, _PAUSE_SECONDS = 4, 0.05
_MARKER = "process "


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a warehouse: ``process_id`` as it wrote it (None if it can't be read), ``since`` when (UTC)."""

    process_id: int | None
    since: datetime


class WarehouseBusyError(RingfenceError):
    """Another process works on the warehouse."""


@contextmanager
def warehouse_lock(lock_file: Path) -> Iterator[None]:
    """Hold the warehouse for this process; nested use by the same process is fine.

    The kernel drops the lock when the process ends, however it ends, so nothing is left to clean up after a kill.
    Raises WarehouseBusyError if another process holds it.
    """
    path = lock_file.resolve()
    if path in _held:
        _held[path] += 1
        try:
            yield
        finally:
            _held[path] -= 1
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(descriptor, path)
        _held[path] = 1
        yield
    finally:
        _held.pop(path, None)
        os.close(descriptor)


def holder(lock_file: Path) -> Holder | None:
    """Who holds the warehouse, None if nobody does. Changes nothing; a run that begins meanwhile tries again.

    Raises OSError if the file is there and can't be read.
    """
    try:
        descriptor = os.open(lock_file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 100, 0).decode(errors="replace").strip()
        number = text.removeprefix(_MARKER)
        since = datetime.fromtimestamp(os.fstat(descriptor).st_mtime, UTC).replace(tzinfo=None)
        return Holder(int(number) if number.isdigit() else None, since)
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int, path: Path) -> None:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            if attempt == _ATTEMPTS:
                named = os.pread(descriptor, 100, 0).decode(errors="replace").strip() or "another process"
                raise WarehouseBusyError(
                    f"warehouse {path.parents[1]} is busy: {named} is working on it; wait until it has ended and run"
                    " again"
                ) from error
        time.sleep(_PAUSE_SECONDS)  # somebody may just be looking whether it is held
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{_MARKER}{os.getpid()}".encode(), 0)
