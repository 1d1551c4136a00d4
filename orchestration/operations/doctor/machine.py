"""What the machine says of itself, in one place, so that tests can say otherwise.

What belongs here: asking the operating system. What doesn't: judging the answer (the probes).
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes and files that a file system still takes from this user."""

    free: int
    total: int
    free_files: int | None


def _space(path: Path) -> Space:
    status = os.statvfs(path)
    # A file system without a table of files says that it has none.
    files = status.f_favail if status.f_files else None
    return Space(status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize, files)


def _memory() -> int:
    """Bytes that this process may use: the machine's, or what its container is given."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _MEMORY_LIMITS:
        try:
            memory = min(memory, int(Path(path).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such limit, or "max"
            continue
    return memory


def _is_alive(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True, slots=True)
class Machine:
    """The answers; each is asked when it is needed."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None)
    space: Callable[[Path], Space] = _space
    may: Callable[[Path, int], bool] = os.access
    device: Callable[[Path], int] = lambda path: path.stat().st_dev
    user: Callable[[], int] = os.geteuid
    memory: Callable[[], int] = _memory
    is_alive: Callable[[int], bool] = _is_alive
    python: Callable[[], str] = platform.python_version
    version: Callable[[str], str] = metadata.version
    output_encoding: Callable[[], str] = lambda: getattr(sys.stdout, "encoding", None) or "none"
