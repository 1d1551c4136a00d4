"""Whether a process holds a file's lock. The kernel drops a lock with its process, so none is left behind.

What belongs here: looking. What doesn't: taking a lock, which each kind of work does in its own way.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def is_held(path: Path) -> bool:
    """Whether a process holds the file's lock; raises OSError if the file can't be opened."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
