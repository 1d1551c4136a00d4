"""The production set-up in a folder: the command lines, settings and configuration of ``orchestration/deploy`` itself.

What belongs here: reading those files, and starting what they say as processes. What doesn't: what is right.
"""

from __future__ import annotations

import configparser
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
import yaml

from orchestration.bench.speed.contenders import postgresql_tools
from orchestration.bench.speed.contenders.postgresql_tools import Server
from orchestration.settings import REPOSITORY, environment_of_same_imports
from tests.support.outside import free_port, lacking

DEPLOY = REPOSITORY / "orchestration" / "deploy"
SERVICES = ("code-location", "daemon", "webserver", "alerts-watch", "metrics")
POSTGRESQL = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "60", "timezone": "UTC"}
PATIENCE_SECONDS = 300

Result = TypeVar("Result")


def command_of_service(name: str) -> list[str]:
    """The command line of a systemd service, as written."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(DEPLOY / "systemd" / f"ringfence-{name}.service", encoding="utf-8")
    return shlex.split(unit["Service"]["ExecStart"])


def compose() -> dict[str, Any]:
    """The compose file, anchors resolved."""
    content: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return content


def variables_of(name: str) -> dict[str, str]:
    """The variables that an environment file sets."""
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def wait_for(what: str, look: Callable[[], Result | None], seconds: float = PATIENCE_SECONDS) -> Result:
    """What ``look`` returns as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.3)
    raise AssertionError(f"{what} did not come within {seconds} s")


@dataclass
class Process:
    """A service that runs, in a process group of its own."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    started_at: float = field(default_factory=time.monotonic)

    def memory_megabytes(self) -> int:
        """Resident memory."""
        status = Path(f"/proc/{self.popen.pid}/status").read_text(encoding="utf-8")
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) // 1024

    def children(self) -> list[int]:
        """Processes that it started, by number; for the code location the runs."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            try:
                parent = int((path / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
                line = (path / "cmdline").read_bytes()
            except (OSError, ValueError):
                continue
            if parent == self.popen.pid and b"spawn_main" in line:
                found.append(int(path.name))
        return found

    def kill_all(self) -> None:
        """End it and all its children at once, as a power cut would."""
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(timeout=60)

    def end(self, seconds: float = 60) -> int:
        """Ask it to end, as systemd does, and return its exit status."""
        self.popen.terminate()
        return self.popen.wait(timeout=seconds)


class Production:
    """One machine: folders in place of /opt, /etc, /var/lib and /run, a database, and services."""

    def __init__(self, folder: Path, server: Server, **settings: str) -> None:
        self.folder, self.server = folder, server
        self.data, self.etc, self.run = folder / "lib", folder / "etc", folder / "run"
        for path in (self.data / "dagster", self.data / "landing", self.data / "warehouse", self.etc, self.run):
            path.mkdir(parents=True)
        (self.data / "dagster" / "dagster.yaml").symlink_to(DEPLOY / "dagster.yaml")
        self.port = free_port()
        variables = variables_of("ringfence.env") | variables_of("secrets.env")
        variables = {name: self.placed(value) for name, value in variables.items()}
        variables["DAGSTER_POSTGRES_URL"] = f"postgresql+psycopg2://ringfence@/dagster?host={server.folder}"
        self.environment = environment_of_same_imports() | variables | settings
        self.processes: dict[str, Process] = {}
        self._database: Any = None

    def placed(self, text: str) -> str:
        """The text with this machine's folders."""
        places = {
            "/opt/ringfence/.venv/bin": str(Path(sys.executable).parent),
            "/opt/ringfence": str(REPOSITORY),
            "/etc/ringfence": str(self.etc),
            "/var/lib/ringfence": str(self.data),
            "/run/ringfence": str(self.run),
        }
        for written, here in places.items():
            text = text.replace(written, here)
        return text

    def command(self, written: list[str]) -> list[str]:
        """A command line of the files for this machine."""
        variables = self.environment
        filled = [re.sub(r"\$\{(\w+)\}", lambda match: variables[match[1]], word) for word in written]
        ports = {"3000": str(self.port)}
        return [ports.get(word, self.placed(word)) for word in filled]

    def execute(self, written: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command of the files to its end."""
        command = self.command(written)
        return subprocess.run(
            command, env=self.environment, cwd=REPOSITORY, text=True, capture_output=True, check=False, **options
        )

    def start(self, name: str) -> Process:
        """Start a service by the command line of its systemd unit."""
        log = self.folder / f"{name}.log"
        with log.open("ab") as output:
            popen = subprocess.Popen(
                # Signals as systemd hands them on: a shell's background processes inherit that some are ignored.
                ["env", "--default-signal=INT,TERM", *self.command(command_of_service(name))],
                env=self.environment,
                cwd=REPOSITORY,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
            )
        self.processes[name] = Process(name, popen, log)
        return self.processes[name]

    def end_all(self) -> None:
        """End whatever still runs."""
        for process in self.processes.values():
            if process.popen.poll() is None:
                process.kill_all()
        if self._database is not None:
            self._database.close()

    def rows(self, sql: str, *values: object) -> list[Any]:
        """What Dagster's database says."""
        if self._database is None:
            self._database = psycopg2.connect(f"host={self.server.folder} user=ringfence dbname=dagster")
            self._database.autocommit = True
        with self._database.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def runs(self) -> list[str]:
        """The states of all runs, the oldest first."""
        return [status for (status,) in self.rows("select status from runs order by id")]

    def wait_for_runs(self, *states: str) -> None:
        """Wait until the runs there are have these states."""
        wait_for(f"runs {states} (there are {self.runs()})", lambda: self.runs() == list(states))


def latest_tick(now: datetime) -> datetime:
    """When the nightly schedule was last due."""
    due = now.replace(hour=0, minute=30, second=0, microsecond=0)
    return due if due <= now else due - timedelta(days=1)


@contextmanager
def production(folder: Path, **settings: str) -> Iterator[Production]:
    """A machine with an empty database, nothing started; whatever is started ends with it."""
    if problem := postgresql_tools.missing():
        lacking(problem)
    with postgresql_tools.server(POSTGRESQL) as server:
        server.run("create database dagster")
        made = Production(folder, server, **settings)
        try:
            yield made
        finally:
            made.end_all()


def without_work_since(made: Production, moment: float) -> None:
    """As if the daemon had last worked at that moment: that is what it wrote down then."""
    statement = """
        update instigators set instigator_body = jsonb_set(
            instigator_body::jsonb, '{job_specific_data}',
            (instigator_body::jsonb -> 'job_specific_data')
            || jsonb_build_object('start_timestamp', %s, 'last_iteration_timestamp', %s)
        )::text
    """
    made.rows(statement, moment, moment)
