"""A night in production in which nearly everything goes wrong, and the morning after: the tests follow on one another.

The processes are those of ``orchestration/deploy``, over a real PostgreSQL. Some minutes: ``make test-deploy``.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import urllib3

from orchestration.alerts.channels.webhook import sign
from orchestration.rebuild import content_sha256
from orchestration.simulate import simulate
from tests.connectors.web import Answer, Web
from tests.deploy.production import (
    DEPLOY,
    SERVICES,
    Production,
    compose,
    latest_tick,
    production,
    wait_for,
    without_work_since,
)

FAULT, CHECK = "banks_emptied", "total_reserves_cover_liabilities"
SECRET = "the receiver knows it too"
ALERTS = """
environment: production
hash_key_variable: RINGFENCE_HASH_KEY
routes:
  night_shift:
    channel: webhook
    to: {{url: "{url}", secret_variable: WEBHOOK_SECRET}}
"""
LAUNCH = """
mutation($day: String!) { launchPipelineExecution(executionParams: {
  selector: {repositoryLocationName: "ringfence", repositoryName: "__repository__", pipelineName: "daily_close"},
  runConfigData: {}, mode: "default",
  executionMetadata: {tags: [{key: "dagster/partition", value: $day}]}
}) { __typename ... on PythonError { message } } }
"""


@pytest.fixture(scope="module")
def due() -> datetime:
    return latest_tick(datetime.now(UTC))


@pytest.fixture(scope="module")
def day(due: datetime) -> date:
    return due.date() - timedelta(days=1)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Web]:
    web = Web(lambda request: Answer())
    try:
        yield web
    finally:
        web.close()


@pytest.fixture(scope="module")
def machine(day: date, receiver: Web) -> Iterator[Production]:
    folder = Path(tempfile.mkdtemp(prefix="ringfence-"))  # a socket's path may not be long
    try:
        with production(folder, RINGFENCE_HASH_KEY="0" * 64, WEBHOOK_SECRET=SECRET) as made:
            (made.etc / "alerts.yaml").write_text(ALERTS.format(url=f"{receiver.url}/alerts"), encoding="utf-8")
            (made.data / "landing").rmdir()
            simulate("healthy", made.data / "landing", days=12, accounts=20, faults=[FAULT], last_date=day)
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def published(made: Production) -> Path:
    return made.data / "warehouse" / "ringfence.duckdb"


def contents(file: Path) -> dict[str, tuple[int, str]]:
    """Rows and sha256 of everything that was published."""
    with duckdb.connect(str(file), read_only=True) as connection:
        places = connection.execute("select schema_name, table_name from duckdb_tables()").fetchall()
        return {f"{schema}.{table}": content_sha256(connection, f"{schema}.{table}") for schema, table in places}


def peak_megabytes(process: int) -> int:
    """The most resident memory that a process has had; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except OSError:
        return 0
    return sum(int(size) // 1024 for size in re.findall(r"VmHWM:\s+(\d+)", status))


def runs_of(made: Production) -> list[dict[str, Any]]:
    return [json.loads(body) for (body,) in made.rows("select run_body from runs order by id")]


def answers(made: Production) -> bool:
    try:
        return urllib3.request("GET", f"http://127.0.0.1:{made.port}/server_info", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_all_services_start_and_are_healthy(machine: Production) -> None:
    assert machine.execute(compose()["services"]["migrate"]["command"]).returncode == 0
    begun, figures = time.monotonic(), []
    for name in SERVICES:
        machine.start(name)
    signs = {
        "code-location": (machine.run / "code-location.sock").exists,
        "daemon": lambda: machine.rows("select 1 from daemon_heartbeats"),
        "webserver": lambda: answers(machine),
        "alerts-watch": (machine.data / "warehouse" / "alerts").exists,
    }
    for name, sign_of_life in signs.items():
        wait_for(f"a sign of life of {name}", sign_of_life)
        figures.append(f"{name} {time.monotonic() - begun:.1f} s")
    wait_for("the schedule", lambda: machine.rows("select 1 from instigators where instigator_type = 'SCHEDULE'"))
    for name, process in machine.processes.items():
        assert process.popen.poll() is None, process.log.read_text(encoding="utf-8")
        figures.append(f"{name} {process.memory_megabytes()} MB")
    print("\nstarted together:", ", ".join(figures))
    for name in ("code-location", "daemon"):
        done = machine.execute(compose()["services"][name]["healthcheck"]["test"][1:])
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_night_without_the_daemon_is_made_up_for(machine: Production, due: datetime, day: date) -> None:
    machine.processes["daemon"].kill_all()
    without_work_since(machine, (due - timedelta(minutes=5)).timestamp())
    machine.start("daemon")
    machine.wait_for_runs("STARTED")
    (run,) = runs_of(machine)
    assert run["tags"]["dagster/partition"] == str(day)
    assert run["tags"]["dagster/schedule_name"] == "every_night"


def test_a_power_cut_in_the_run_is_noticed_and_the_run_comes_again(machine: Production) -> None:
    begun = time.monotonic()
    machine.processes["code-location"].kill_all()
    machine.start("code-location")
    wait_for("the run to fail", lambda: machine.runs()[0] == "FAILURE")
    print(f"\nnoticed after {time.monotonic() - begun:.0f} s")
    machine.wait_for_runs("FAILURE", "STARTED")
    first, again = runs_of(machine)
    assert again["parent_run_id"] == first["run_id"]
    assert again["step_keys_to_execute"] is None


def test_another_run_of_the_warehouse_waits(machine: Production, day: date) -> None:
    body = {"query": LAUNCH, "variables": {"day": str(day)}}
    answer = urllib3.request("POST", f"http://127.0.0.1:{machine.port}/graphql", json=body, timeout=120).json()
    assert answer["data"]["launchPipelineExecution"]["__typename"] == "LaunchRunSuccess", answer
    assert machine.runs() == ["FAILURE", "STARTED", "QUEUED"]


def test_the_daemon_may_die_too(machine: Production) -> None:
    machine.processes["daemon"].kill_all()
    assert machine.runs() == ["FAILURE", "STARTED", "QUEUED"]
    machine.start("daemon")
    seen, memory = set(), [0]

    def second_has_ended() -> bool:
        seen.add(tuple(machine.runs()))
        memory.extend(peak_megabytes(number) for number in machine.processes["code-location"].children())
        return machine.runs()[1] == "FAILURE"

    wait_for("the end of the run", second_has_ended, seconds=900)
    print(f"\na run: {max(memory)} MB")
    assert all(runs[1:] == ("STARTED", "QUEUED") for runs in seen if runs[1] == "STARTED")


def test_the_shortfall_is_published_and_its_red_run_isn_t_retried(machine: Production, day: date) -> None:
    with duckdb.connect(str(published(machine)), read_only=True) as connection:
        found = connection.execute("select distinct check_name from audit.finding where as_of_date = ?", [day])
        assert CHECK in {name for (name,) in found.fetchall()}
    red = runs_of(machine)[1]["tags"]
    assert (red["dagster/failure_reason"], red["dagster/will_retry"]) == ("STEP_FAILURE", "false")


def test_the_watcher_tells_the_receiver(machine: Production, receiver: Web) -> None:
    def told() -> list[Any]:
        return [request for request in receiver.requests if CHECK.encode() in request.body]

    message = wait_for("the message", told)[0]
    moment, signature = (part.split("=")[1] for part in message.headers["x-ringfence-signature"].split(","))
    assert signature == sign(SECRET, moment, message.body)


def test_asked_to_end_the_code_location_waits_for_its_run(machine: Production) -> None:
    machine.wait_for_runs("FAILURE", "FAILURE", "STARTED")
    machine.processes["daemon"].end()
    before = published(machine).stat().st_ino
    assert machine.processes["code-location"].end(seconds=900) == 0
    assert machine.runs() == ["FAILURE", "FAILURE", "FAILURE"]
    assert runs_of(machine)[2]["tags"]["dagster/failure_reason"] == "STEP_FAILURE"  # the verdict, not a kill
    size = machine.rows("select pg_database_size('dagster') / 1000000")[0][0]
    print(f"\nDagster's database after three runs: {size} MB")
    assert published(machine).stat().st_ino != before


def block(begin: str) -> str:
    """The commands on the operations page that begin with a comment."""
    text = (DEPLOY / "OPERATIONS.md").read_text(encoding="utf-8")
    (found,) = [part.split("```")[0] for part in text.split("```bash\n")[1:] if part.startswith(begin)]
    return found


def execute(made: Production, commands: str, **variables: str) -> str:
    programs = made.command(["/opt/ringfence/.venv/bin"])[0]
    tools = Path(made.server.psql[0]).parent
    environment = made.environment | variables | {"PATH": f"{programs}:{tools}:/usr/bin:/bin"}
    done = subprocess.run(["bash"], input=commands, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout)
    # The last command of a restore has the status of the day, which is red.
    assert done.returncode in (0, 3), done.stdout + done.stderr
    return done.stdout


def test_what_was_backed_up_is_restored_and_proven(machine: Production, day: date) -> None:
    backup = machine.folder / "backup"
    execute(machine, block("# back up"), BACKUP=str(backup))
    before, runs = contents(published(machine)), runs_of(machine)
    for service in ("webserver", "alerts-watch", "metrics"):
        machine.processes[service].end()
    shutil.rmtree(machine.data / "landing")
    shutil.rmtree(machine.data / "warehouse")
    machine.rows("drop schema public cascade; create schema public")
    (copied,) = (path for path in backup.iterdir() if path.name != "landing")
    commands = block("# restore")
    until_proven = commands[: commands.index("# the build file anew")]
    said = execute(machine, until_proven, BACKUP=str(backup), **{"from": str(copied)})
    assert "equal" in said
    assert contents(published(machine)) == before
    assert runs_of(machine) == runs
    execute(machine, commands[len(until_proven) :], BACKUP=str(backup))
    after = contents(published(machine))
    changed = {table for table in before if after[table] != before[table]}
    assert all(table.startswith("audit.") for table in changed), changed
    with duckdb.connect(str(published(machine)), read_only=True) as connection:
        connection.execute(f"attach '{copied}/ringfence.duckdb' as copied (read_only)")
        for table in ("run", "published_figure"):
            lost = f"select run_id from copied.audit.{table} except select run_id from audit.{table}"
            assert connection.execute(lost).fetchall() == [], table
