"""One writer per warehouse, also across processes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestration.errors import RingfenceError

_held: dict[Path, int] = {}


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


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(descriptor, 100).decode(errors="replace").strip() or "another process"
        raise WarehouseBusyError(
            f"warehouse {path.parents[1]} is busy: {holder} is working on it; wait until it has ended and run again"
        ) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
