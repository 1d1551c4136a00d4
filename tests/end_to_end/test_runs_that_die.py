"""Real runs that are killed or told to stop: whoever looks next knows, and a receiver has heard of it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import pytest
import yaml

from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.watching import Watch
from orchestration.connectors.base import Clock
from orchestration.journal import CLOSE, recorded_runs, recording
from orchestration.runner import open_instance
from orchestration.settings import Settings, child_environment
from tests.connectors import web
from tests.support.small_exchange import healthy_exchange, write_landing

DAY = "2022-01-02"
MORNING = datetime(2022, 1, 3, 5)
RUN = [sys.executable, "-m", "orchestration.cli", "run", "--date", DAY]
DAGSTER = [
    *(sys.executable, "-m", "dagster", "job", "execute", "-m", "orchestration.definitions", "-j", CLOSE),
    *("--tags", f'{{"dagster/partition": "{DAY}"}}'),
]


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_landing(healthy_exchange(), tmp_path_factory.mktemp("exchange") / "landing")


@pytest.fixture
def receiver() -> Iterator[web.Web]:
    with web.serving(lambda _: web.Answer(b"ok")) as running:
        yield running


@pytest.fixture
def settings(landing: Path, receiver: web.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HOOK_SECRET", "a shared secret")
    monkeypatch.setenv("HASH_KEY", "a key")
    to = {"url": receiver.url, "secret_variable": "HOOK_SECRET"}
    section = {
        "environment": "production",
        "hash_key_variable": "HASH_KEY",
        "routes": {"hook": {"channel": "webhook", "to": to}},
    }
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(section), encoding="utf-8")
    return Settings(landing, tmp_path / "warehouse", alerts_file=path)


def begun(command: list[str], environment: Mapping[str, str], settings: Settings) -> subprocess.Popen[bytes]:
    """A process whose run has begun."""
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not any(run.is_alive for run in recorded_runs(settings.paths.runs)):
        assert process.poll() is None, "the process ended before its run began"
        time.sleep(0.05)
    return process


def look(settings: Settings) -> None:
    assert settings.alerts_file is not None
    clock = Clock(now=lambda: MORNING, monotonic=lambda: 0.0, sleep=lambda _: None)
    Watch(load_alerts(settings.alerts_file), settings.paths, clock).look()


def told(receiver: web.Web) -> list[tuple[str, str]]:
    """What was said of runs, and why."""
    bodies = [request.json for request in receiver.requests]
    of_bodies = [(body["occasion"], one) for body in bodies for one in body["told"]]
    return [(occasion, one["what"]) for occasion, one in of_bodies if one["check_name"] == "run_completes"]


def succeed(settings: Settings) -> None:
    with recording(settings.paths.runs, "the-next", CLOSE, date.fromisoformat(DAY), date.fromisoformat(DAY)) as record:
        record.end("passed", "")


@pytest.mark.parametrize("command", [RUN, DAGSTER], ids=["command line", "dagster"])
def test_a_run_that_is_killed_is_told_at_the_next_look_and_resolved_by_the_next_run(
    settings: Settings, receiver: web.Web, command: list[str]
) -> None:
    with open_instance(settings):  # Dagster wants to find its folder
        pass
    where = ["--landing", str(settings.landing), "--warehouse", str(settings.warehouse)] if command is RUN else []
    process = begun([*command, *where], child_environment(settings), settings)
    look(settings)
    assert told(receiver) == []
    process.kill()
    process.wait()
    (run,) = recorded_runs(settings.paths.runs)
    assert (run.has_died, run.last_date) == (True, date.fromisoformat(DAY))
    look(settings)
    look(settings)
    ((occasion, what),) = told(receiver)
    assert occasion == "opened"
    assert f"The run of {DAY} ended without a result: its process, which began at" in what
    succeed(settings)
    look(settings)
    assert [occasion for occasion, _ in told(receiver)] == ["opened", "resolved"]


def test_a_run_that_is_told_to_stop_finishes_its_record_and_tells(settings: Settings, receiver: web.Web) -> None:
    where = ["--landing", str(settings.landing), "--warehouse", str(settings.warehouse)]
    process = begun([*RUN, *where], child_environment(settings), settings)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 1
    (run,) = recorded_runs(settings.paths.runs)
    assert (run.is_alive, run.status) == (False, "error")
    assert "it was interrupted (SIGTERM or Ctrl-C)" in run.message
    ((occasion, what),) = told(receiver)
    assert (occasion, "it was interrupted" in what) == ("opened", True)
