"""What tests need from outside of Python: skipped on a machine that lacks it, failed in continuous integration."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip the test, or fail it in continuous integration, where nothing may be left out unseen."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def program(name: str, package: str) -> Path:
    """Where an installed program is; ``package`` is Debian's that brings it."""
    # Servers stand where only root looks for them.
    found = shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin")))
    if found is None:
        lacking(f"there is no {name} here; apt-get install --no-install-recommends {package}")
    return Path(found)


def free_port() -> int:
    """A port of the loopback address that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
