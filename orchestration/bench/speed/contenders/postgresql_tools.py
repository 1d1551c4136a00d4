"""Finding PostgreSQL's programs, and starting a throwaway server that only this machine's caller can reach.

What belongs here: the server's life. What doesn't: tables and queries (``postgresql``).
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_PROGRAMS = ("initdb", "postgres", "psql")
_PACKAGED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")


def programs() -> Path | None:
    """The folder with the newest server's programs; None if there is none."""
    found = [Path(path).parent for path in [shutil.which("postgres")] if path]
    for pattern in _PACKAGED:
        found += sorted(Path("/").glob(pattern.lstrip("/")), key=_version, reverse=True)
    return next((path for path in found if all((path / name).exists() for name in _PROGRAMS)), None)


def _version(folder: Path) -> float:
    digits = "".join(letter for letter in folder.parent.name if letter.isdigit() or letter == ".")
    return float(digits) if digits.replace(".", "", 1).isdigit() else 0.0


def missing() -> str | None:
    """Why PostgreSQL can't be measured here and what to do; None if it can."""
    if programs() is None:
        return "no PostgreSQL server found: install one, e.g. `apt-get install postgresql`; it need not run"
    if os.geteuid() == 0 and _unprivileged_user() is None:
        return "a PostgreSQL server doesn't start as root, and there is no user postgres or nobody to start it as"
    return None


def _unprivileged_user() -> str | None:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return None


@dataclass(frozen=True, slots=True)
class Server:
    """A running server. ``psql`` is the start of a command that talks to it."""

    folder: Path
    psql: tuple[str, ...]

    def run(self, sql: str) -> str:
        """Execute statements; return what they print, as CSV without header."""
        done = subprocess.run([*self.psql, "--csv", "-t", "-c", sql], check=True, capture_output=True, text=True)  # noqa: S603
        return done.stdout


@contextmanager
def server(settings: dict[str, str]) -> Iterator[Server]:
    """Start a server on a new cluster in a temporary folder, reachable by a socket there; remove it afterwards."""
    path = programs()
    assert path is not None
    user = _unprivileged_user() if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="ringfence-postgresql-"))
    try:
        if user is not None:
            shutil.chown(folder, user)
        data = str(folder / "data")
        setup = [
            str(path / "initdb"),
            "-D",
            data,
            "-U",
            "ringfence",
            "-A",
            "trust",
            "--no-sync",
            "--locale=C",
            "-E",
            "UTF8",
        ]
        subprocess.run(setup, check=True, capture_output=True, user=user, cwd=folder)  # noqa: S603
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(path / "postgres"), "-D", data, "-k", str(folder), "-c", "listen_addresses=", *options]
        with (folder.parent / f"{folder.name}.log").open("w") as log:
            process = subprocess.Popen(command, user=user, cwd=folder, stdout=log, stderr=log)  # noqa: S603
        try:
            psql = (
                str(path / "psql"),
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                str(folder),
                "-U",
                "ringfence",
                "postgres",
            )
            running = Server(folder, psql)
            _wait_until_ready(process, running)
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


def _wait_until_ready(process: subprocess.Popen[bytes], running: Server) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the PostgreSQL server ended at once with status {process.returncode}")
        try:
            running.run("select 1")
        except subprocess.CalledProcessError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the PostgreSQL server did not answer within a minute")
