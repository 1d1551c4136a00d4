"""The production set-up as processes: a schedule that was missed fires, its run is killed, and that is noticed.

One set of processes for all of it. What a whole night brings stands in ``tests/production``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from orchestration.simulate import simulate
from tests.deploy.production import Production, compose, latest_tick, production, wait_for, without_work_since
from tests.deploy.reverse_proxy import Proxy, reverse_proxy

# Its run is killed before it reads anything.
DAYS, ACCOUNTS = 1, 20
LOCATIONS = json.dumps({"query": "{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }"})


@pytest.fixture(scope="module")
def due() -> datetime:
    return latest_tick(datetime.now(UTC))


@pytest.fixture(scope="module")
def machine(due: datetime) -> Iterator[Production]:
    """Database, code location, daemon and web server; the daemon has been away since before the last night."""
    folder = Path(tempfile.mkdtemp(prefix="ringfence-"))  # a socket's path may not be long
    try:
        with production(folder) as made:
            landing = made.data / "landing"
            landing.rmdir()
            simulate("healthy", landing, days=DAYS, accounts=ACCOUNTS, last_date=due.date() - timedelta(days=1))
            done = made.execute(compose()["services"]["migrate"]["command"])
            assert done.returncode == 0, done.stderr
            made.start("code-location")
            wait_for("the socket", (made.run / "code-location.sock").exists)
            made.start("webserver")
            daemon = made.start("daemon")
            wait_for("the schedule", lambda: made.rows("select 1 from instigators where instigator_type = 'SCHEDULE'"))
            daemon.kill_all()
            without_work_since(made, (due - timedelta(minutes=5)).timestamp())
            made.start("daemon")
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def proxy(machine: Production) -> Iterator[Proxy]:
    with reverse_proxy(machine.folder / "nginx", machine.port) as proxy:
        yield proxy


def test_nobody_else_reaches_the_code_location(machine: Production) -> None:
    socket = machine.run / "code-location.sock"
    assert socket.stat().st_mode & 0o077 == 0


def test_without_a_password_nothing_is_seen(machine: Production, proxy: Proxy) -> None:
    assert proxy.answer("/")[0] == 401
    assert proxy.answer("/graphql", LOCATIONS.encode(), Content_Type="application/json")[0] == 401
    assert proxy.answer("/", Authorization=proxy.log_in[:-8])[0] == 401
    with pytest.raises(InvalidStatus, match="401"):
        connect(f"wss://127.0.0.1:{proxy.port}/graphql", ssl=proxy.trust, subprotocols=[Subprotocol("graphql-ws")])


def test_with_one_the_web_server_answers(machine: Production, proxy: Proxy) -> None:
    def loaded() -> bool:
        headers = {"Content_Type": "application/json", "Authorization": proxy.log_in}
        status, text = proxy.answer("/graphql", LOCATIONS.encode(), **headers)
        entries = json.loads(text)["data"]["workspaceOrError"]["locationEntries"] if status == 200 else []
        return entries == [{"name": "ringfence", "loadStatus": "LOADED"}]

    wait_for("the code location in the web server", loaded)
    status, page = proxy.answer("/", Authorization=proxy.log_in)
    assert status == 200
    assert "Dagster" in page


def test_runs_are_followed_over_a_websocket(machine: Production, proxy: Proxy) -> None:
    with connect(
        f"wss://127.0.0.1:{proxy.port}/graphql",
        ssl=proxy.trust,
        subprotocols=[Subprotocol("graphql-ws")],
        additional_headers={"Authorization": proxy.log_in},
        open_timeout=60,
    ) as connection:
        connection.send(json.dumps({"type": "connection_init", "payload": {}}))
        assert json.loads(connection.recv(timeout=60))["type"] == "connection_ack"


def test_pages_of_other_sites_are_refused_with_a_password_too(machine: Production, proxy: Proxy) -> None:
    headers = {"Content_Type": "application/json", "Authorization": proxy.log_in}
    own, other = "https://ringfence.example.org", "https://elsewhere.example.org"
    assert proxy.answer("/graphql", LOCATIONS.encode(), Origin=own, **headers)[0] == 200
    assert proxy.answer("/graphql", LOCATIONS.encode(), Origin=other, **headers)[0] == 403


def test_the_web_server_listens_on_loopback_only(machine: Production) -> None:
    listening = []
    for table in ("tcp", "tcp6"):
        for line in Path("/proc/net", table).read_text(encoding="utf-8").splitlines()[1:]:
            address, port = line.split()[1].split(":")
            if int(port, 16) == machine.port and line.split()[3] == "0A":
                listening.append(address)
    assert listening == ["0100007F"]


def test_the_health_check_of_the_web_server_is_told_the_truth(machine: Production) -> None:
    program = compose()["services"]["webserver"]["healthcheck"]["test"][-1]
    assert "127.0.0.1:3000/server_info" in program
    answer = urllib3.request("GET", f"http://127.0.0.1:{machine.port}/server_info", timeout=60)
    assert answer.json()["dagster_version"]


def test_a_night_that_was_missed_is_made_up_for_and_a_run_that_is_killed_comes_again(
    machine: Production, due: datetime
) -> None:
    machine.wait_for_runs("STARTED")
    (worker,) = machine.processes["code-location"].children()
    # What `ringfence run` would work with.
    assert b"RINGFENCE_MEMORY_LIMIT=4GB" in Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    lock = machine.data / "warehouse" / "build" / "run.lock"
    wait_for("the lock", lambda: lock.exists() and lock.read_text(encoding="utf-8") == f"process {worker}")
    os.kill(worker, signal.SIGKILL)
    wait_for("the run that comes again", lambda: machine.runs()[:1] == ["FAILURE"] and machine.runs()[1:])
    machine.processes["daemon"].kill_all()
    (first, again) = [json.loads(body) for (body,) in machine.rows("select run_body from runs order by id")]
    day = str(due.date() - timedelta(days=1))
    assert [run["tags"]["dagster/partition"] for run in (first, again)] == [day, day]
    assert first["tags"]["dagster/schedule_name"] == "every_night"
    assert again["parent_run_id"] == first["run_id"]
    assert again["step_keys_to_execute"] is None  # as a whole
