"""How a warehouse stands: told whatever state it is in, and without leaving a trace."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path

import pytest
from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorStatus

from orchestration import cli
from orchestration.alerts.database import StoreError
from orchestration.alerts.incidents import Observation, Occasion, steps
from orchestration.alerts.store import Draft, Store
from orchestration.bench.speed.contenders import postgresql_tools
from orchestration.checks import Severity
from orchestration.operations import status_text
from orchestration.operations.dagster_records import SCHEDULER, DagsterRecords, RecordsError
from orchestration.operations.status import Run, Status, status
from orchestration.pipeline.run import ExitStatus
from orchestration.runner import open_instance
from orchestration.settings import Settings, WarehousePaths
from orchestration.timetable import CLOSE, PULL
from orchestration.warehouse.lock import WarehouseBusyError, holder, warehouse_lock
from tests.alerts.looks import PATIENCE, look, seen
from tests.connectors.postgresql_server import SETTINGS
from tests.operations.standing import DAY, MORNING, decide_schedule, files_of, hear_daemon, publish_runs, run_job
from tests.support.outside import lacking


def settings_of(folder: Path, **others: object) -> Settings:
    return Settings(landing=folder / "landing", warehouse=folder / "warehouse", **others)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with a published run, and with Dagster's records of one that failed, which nothing published."""
    folder = tmp_path_factory.mktemp("recorded")
    settings = settings_of(folder)
    publish_runs(settings.paths, ExitStatus.PASSED, ExitStatus.FAILED_CHECKS)

    def fail() -> None:
        try:
            raise ZeroDivisionError("no such\n  table")
        except ZeroDivisionError as error:
            raise RuntimeError("the step broke") from error

    with open_instance(settings) as instance:
        run_job(instance, fail)
    return folder


@pytest.fixture
def instance(recorded: Path) -> Iterator[DagsterInstance]:
    with open_instance(settings_of(recorded)) as opened:
        yield opened


def stands(folder: Path, at: datetime = MORNING, **others: object) -> Status:
    return status(settings_of(folder, **others), at)


def text_of(found: Status) -> dict[str, str]:
    return dict(status_text.matters(found))


def test_the_latest_day_its_age_and_the_last_runs(tmp_path: Path) -> None:
    paths = settings_of(tmp_path).paths
    publish_runs(paths, ExitStatus.PASSED, ExitStatus.FAILED_CHECKS, ExitStatus.FAILED_INTEGRITY)
    found = stands(tmp_path)
    assert found.published is not None
    # The last run was refused, so that the day before it is what analysts see.
    assert (found.published.day, found.published.days_behind) == (DAY - timedelta(days=1), 1)
    assert found.published.run_id == "run-2"
    assert [(run.run_id, run.status, run.first_date, run.seconds, run.message) for run in found.runs] == [
        ("run-3", "failed_integrity", DAY, 300, "message 3"),
        ("run-2", "failed_checks", DAY - timedelta(days=1), 300, "message 2"),
        ("run-1", "passed", DAY - timedelta(days=2), 300, "message 1"),
    ]
    assert len(status(settings_of(tmp_path), MORNING, runs_shown=2).runs) == 2
    assert [(one.table, one.last_day, one.days_behind) for one in found.tables] == [
        ("ledger_entries", DAY - timedelta(days=1), 1),
        ("accounts", None, None),
    ]
    assert found.problems == {}
    assert "2026-03-03, 1 day behind" in text_of(found)["published"]
    assert text_of(stands(tmp_path, MORNING - timedelta(days=1)))["published"].startswith("2026-03-03, nothing is")


def test_a_run_that_published_nothing_is_known_from_dagster(recorded: Path) -> None:
    found = stands(recorded, datetime(2100, 1, 1))
    failed, *published = found.runs
    assert [run.run_id for run in published] == ["run-2", "run-1"]
    assert (failed.status, failed.first_date, failed.last_date) == ("error", DAY - timedelta(days=1), DAY)
    assert failed.message == "ZeroDivisionError: no such table"
    assert failed.seconds is not None
    assert failed.seconds < 60


def test_a_run_under_way_is_told_with_its_process_and_step(recorded: Path, instance: DagsterInstance) -> None:
    seen: list[Status] = []
    settings = settings_of(recorded)

    def work() -> None:
        before = files_of(recorded)
        seen.append(status(settings, datetime(2100, 1, 1)))
        assert files_of(recorded) == before
        seen.append(stands(recorded, datetime(2100, 1, 2)))

    with warehouse_lock(settings.paths.lock_file):
        run_job(instance, work)
    found = seen[0]
    (run,) = [run for run in found.runs if run.status == "running"]
    assert (run.step, run.last_date) == ("building", DAY)
    assert found.held_by is not None
    assert f"process {found.held_by.process_id}" in text_of(found)["at work"]
    assert "in step building" in text_of(found)["at work"]
    # What it published before is told all the same.
    assert found.published is not None
    assert stands(recorded, datetime(2100, 1, 1)).held_by is None


def test_a_run_whose_process_is_gone_is_not_told_as_running(recorded: Path, instance: DagsterInstance) -> None:
    run_id = run_job(instance, lambda: None)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    with instance.run_storage.connect() as connection:  # as a kill leaves it
        connection.exec_driver_sql(f"update runs set status = 'STARTED', end_time = null where run_id = '{run_id}'")
    killed = stands(recorded, datetime(2100, 1, 1)).runs[0]
    instance.delete_run(run_id)
    assert (killed.run_id, killed.status, killed.seconds, killed.step) == (run_id, "killed", None, "building")


def test_the_schedule_is_what_the_instance_says_it_is(recorded: Path, instance: DagsterInstance) -> None:
    (off,) = stands(recorded).schedules
    assert (off.is_on, off.decided_by, off.next_at) == (False, "RINGFENCE_SCHEDULE", None)
    (wanted,) = stands(recorded, is_schedule_enabled=True).schedules
    assert (wanted.is_on, wanted.daemon_heard_at) == (True, None)
    assert "no daemon was ever heard" in text_of(stands(recorded, is_schedule_enabled=True))["schedule"]
    decide_schedule(instance, InstigatorStatus.RUNNING)
    hear_daemon(instance, MORNING - timedelta(seconds=20))
    (on,) = stands(recorded).schedules
    assert (on.is_on, on.decided_by, on.next_at) == (True, "instance", datetime(2026, 3, 6, 0, 30))
    assert "daemon heard 20 s ago" in text_of(stands(recorded))["schedule"]
    decide_schedule(instance, InstigatorStatus.STOPPED)
    (stopped,) = stands(recorded, is_schedule_enabled=True).schedules
    assert (stopped.is_on, stopped.decided_by) == (False, "instance")


def test_a_schedule_s_next_time_is_never_now() -> None:
    tick = datetime(2026, 3, 5, 0, 30)
    assert CLOSE.next_after(tick - timedelta(microseconds=1)) == tick
    assert CLOSE.next_after(tick) == tick + timedelta(days=1)
    assert PULL.next_after(tick) == datetime(2026, 3, 6, 0, 5)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("storage: {mysql: {}}", "storage mysql is none that can be read here"),
        ("storage: {postgres: {postgres_url: {env: NO_SUCH_VARIABLE}}}", "NO_SUCH_VARIABLE isn't set"),
        ("storage: {postgres: {postgres_url: 'no address with secret in it'}}", "an address of a database is none"),
        ("- a list", "holds no settings by name"),
        ("{", "can't be read"),
    ],
)
def test_records_that_can_t_be_read_say_why(tmp_path: Path, written: str, said: str) -> None:
    (tmp_path / "dagster.yaml").write_text(written, encoding="utf-8")
    with pytest.raises(RecordsError, match=said) as refused:
        DagsterRecords(tmp_path).check()
    assert "secret" not in str(refused.value)


def test_an_instance_without_records_has_none(tmp_path: Path) -> None:
    records = DagsterRecords(tmp_path)
    records.check()
    assert (records.runs(CLOSE.job, 5), records.schedule_states(), records.heard_at(SCHEDULER)) == ([], {}, None)
    assert (records.step_of("x"), records.failure_of("x")) == (None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_record_hides_nothing_else(settings: Settings, tmp_path: Path) -> None:
    history = settings.paths.dagster_home / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_bytes(b"no database at all" * 100)
    found = stands(tmp_path)
    assert list(found.problems) == ["dagster", "schedules"]
    assert "file is not a database" in found.problems["dagster"]
    assert [run.run_id for run in found.runs] == ["run-1"]


def write_incidents(settings: Settings, *observations: Observation) -> None:
    def wording(*_: object) -> list[Draft]:
        return [Draft("chat", "line", Occasion.OPENED, "body", (1,))]

    store = Store.in_file(settings.paths.alerts_file)
    store.apply(lambda known: steps(known, observations, look(), PATIENCE), wording, MORNING)
    (message,) = store.waiting_messages()
    store.mark_failed(message, "nothing listens there", MORNING + timedelta(minutes=1))
    store.mark_looked("production", MORNING - timedelta(minutes=3))
    store.close()


def test_incidents_are_counted_and_the_worst_come_first_without_their_subjects(
    settings: Settings, tmp_path: Path
) -> None:
    write_incidents(
        settings,
        seen("5", subject_id="customer-17", severity=Severity.WARNING),
        *(seen(str(amount), subject_id=f"customer-{amount}") for amount in range(1, 7)),
        seen(None, subject_id="customer-0"),
    )
    before = files_of(tmp_path)
    found = stands(tmp_path)
    assert files_of(tmp_path) == before
    assert found.incidents is not None
    assert (found.incidents.critical, found.incidents.warning) == (7, 1)
    assert [incident.impact_usd for incident in found.incidents.worst] == [Decimal(n) for n in (6, 5, 4, 3, 2)]
    assert (found.incidents.messages_waiting, found.incidents.waiting_since) == (1, MORNING)
    told = json.dumps(status_text.as_json(found)) + str([*status_text.matters(found), *status_text.tables(found)])
    assert "customer-" not in told
    assert text_of(found)["incidents"] == "7 critical, 1 warning (0 acknowledged, 0 silenced, 0 explained)"
    assert text_of(found)["watcher"] == "last looked 3 min 0 s ago"
    assert text_of(found)["messages"] == "1 waiting, the oldest since 2026-03-05 07:00; nothing listens there"


def test_a_store_that_the_file_of_alerts_names_is_read_where_it_is(settings: Settings, tmp_path: Path) -> None:
    write_incidents(settings, seen("5"))
    elsewhere = tmp_path / "elsewhere.sqlite"
    settings.paths.alerts_file.rename(elsewhere)
    assert stands(tmp_path).incidents is None
    assert "not kept" in text_of(stands(tmp_path))["incidents"]
    file = tmp_path / "alerts.yaml"
    file.write_text(f"store: sqlite:///{elsewhere}\n", encoding="utf-8")
    found = stands(tmp_path, alerts_file=file)
    assert found.incidents is not None
    assert found.incidents.critical == 1
    for written, said in (
        ("store: sqlite:////nowhere/at/all.sqlite", "unable to open database file"),
        ("store: postgresql://${NO_SUCH_VARIABLE}@127.0.0.1/x", "NO_SUCH_VARIABLE isn't set"),
        ("{", "can't be read"),
    ):
        file.write_text(written, encoding="utf-8")
        assert said in stands(tmp_path, alerts_file=file).problems["incidents"]


def test_sources_are_told_with_how_far_they_came(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text(
        f"sources: {{tables: {{kind: files, location: {tmp_path}, tables: {{tokens: {{pattern: tokens.csv}}}}}}}}",
        encoding="utf-8",
    )
    found = stands(tmp_path, sources_file=file)
    assert found.problems == {}
    assert [(source.source, source.state) for source in found.sources] == [("tables", "never pulled")]
    assert [schedule.name for schedule in found.schedules] == [PULL.name, CLOSE.name]
    file.write_text("sources: {tables: {kind: fils}}", encoding="utf-8")
    assert "did you mean files?" in stands(tmp_path, sources_file=file).problems["sources"]


def test_a_folder_that_isn_t_there_is_not_created_and_what_to_do_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "warehouse"
    assert cli._invoke(["status", "--warehouse", str(nowhere)]) == 0
    assert "ringfence run --landing DIR" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
    nowhere.mkdir()
    assert cli._invoke(["status", "--warehouse", str(nowhere)]) == 0
    assert "ringfence run --landing DIR" in capsys.readouterr().out
    assert list(nowhere.iterdir()) == []


@pytest.mark.parametrize("damage", ["torn", "flipped", "empty"])
def test_a_damaged_published_file_is_told_and_hides_nothing_else(
    settings: Settings, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_incidents(settings, seen("5"))
    file = settings.paths.published_file
    content = bytearray(file.read_bytes())
    content[4096 : 4096 + 4096] = bytes(reversed(content[4096 : 4096 + 4096]))
    damaged = {"torn": content[:5000], "flipped": content, "empty": b""}[damage]
    file.unlink()
    file.write_bytes(bytes(damaged))
    assert cli._invoke(["status", "--warehouse", str(settings.warehouse), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert "ringfence.duckdb" in told["problems"]["published"]
    assert (told["published"], told["runs"], told["incidents"]["critical"]) == (None, [], 1)


def test_the_command_prints_a_table_or_json_and_refuses_csv(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    warehouse = str(recorded / "warehouse")
    assert cli._invoke(["status", "--warehouse", warehouse]) == 0
    out = capsys.readouterr().out
    assert "published  2026-03-04" in out
    assert "ZeroDivisionError" in out
    assert cli._invoke(["status", "--warehouse", warehouse, "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["published"]["day"] == "2026-03-04"
    assert [run["status"] for run in told["runs"]][-3:] == ["error", "failed_checks", "passed"]
    assert cli._invoke(["status", "--warehouse", warehouse, "--format", "csv"]) == 2
    assert "take table or json" in capsys.readouterr().err


def test_it_starts_without_what_takes_a_second_to_import(recorded: Path) -> None:
    program = (
        "import sys; from orchestration.cli import _invoke;"
        f" assert _invoke(['status', '--warehouse', {str(recorded / 'warehouse')!r}]) == 0;"
        " slow = {'dagster', 'dbt', 'great_expectations', 'pandas'} & set(sys.modules); assert not slow, slow"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_looking_at_the_lock_never_turns_a_run_away(tmp_path: Path) -> None:
    file = WarehousePaths(tmp_path).lock_file
    assert holder(file) is None
    assert not file.exists()
    with warehouse_lock(file):
        held_by = holder(file)
    assert held_by is not None
    assert (held_by.process_id, holder(file)) == (int(file.read_text().split()[1]), None)
    file.write_text("")
    looking = subprocess.Popen(
        ["flock", "--shared", str(file), "sh", "-c", "echo held; sleep 0.1"], stdout=subprocess.PIPE, text=True
    )
    assert looking.stdout is not None
    assert looking.stdout.readline() == "held\n"
    with warehouse_lock(file):  # tries again until the one who looks has gone
        assert holder(file) is not None
    looking.wait()
    looking.stdout.close()
    working = subprocess.Popen(["flock", str(file), "sh", "-c", "echo held; read line"], stdin=-1, stdout=-1, text=True)
    assert working.stdout is not None
    working.stdout.readline()
    try:
        with pytest.raises(WarehouseBusyError), warehouse_lock(file):
            pass
    finally:
        working.communicate("\n")


def test_lengths_of_time_have_their_two_largest_units() -> None:
    lengths = [status_text.length(seconds) for seconds in (0, 59.6, 61, 3600, 90_000, -5)]
    assert lengths == ["0 s", "1 min 0 s", "1 min 1 s", "1 h 0 min", "1 d 1 h", "0 s"]


def test_a_run_that_waits_has_no_length() -> None:
    waiting = Status("w", MORNING, runs=(Run("r" * 36, DAY, DAY, "waiting", MORNING, None, None),))
    (rows,) = status_text.tables(waiting)
    assert rows.values == (("rrrrrrrr", DAY, DAY, "waiting", "2026-03-05 07:00", "", ""),)


def test_records_and_incidents_are_read_from_postgresql_and_can_t_be_changed_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if problem := postgresql_tools.missing():
        lacking(problem)
    if find_spec("dagster_postgres") is None:
        lacking("there is no dagster-postgres here; install the extra operations")

    def fail() -> None:
        raise ZeroDivisionError("it broke")

    with postgresql_tools.server(SETTINGS) as server:
        address = f"postgresql+psycopg2://ringfence@/postgres?host={server.folder}"
        monkeypatch.setenv("RECORDS_ADDRESS", address)
        storage = {"storage": {"postgres": {"postgres_url": {"env": "RECORDS_ADDRESS"}}}}
        (tmp_path / "dagster.yaml").write_text(json.dumps(storage), encoding="utf-8")
        with DagsterInstance.from_config(str(tmp_path)) as instance:
            run_id = run_job(instance, fail)
            decide_schedule(instance, InstigatorStatus.RUNNING)
            hear_daemon(instance, MORNING)
        records = DagsterRecords(tmp_path)
        (run,) = records.runs(CLOSE.job, 5)
        assert (run.run_id, run.status, run.last_date) == (run_id, "FAILURE", DAY)
        assert abs(run.started_at - datetime.now(UTC).replace(tzinfo=None)) < timedelta(minutes=10)
        assert (records.step_of(run_id), records.failure_of(run_id)) == ("building", "ZeroDivisionError: it broke")
        assert (records.schedule_states(), records.heard_at(SCHEDULER)) == ({CLOSE.name: "RUNNING"}, MORNING)
        Store(address, "production").close()
        store = Store.for_reading(address.replace("+psycopg2", ""))
        assert (store.incidents(), store.looked_at()) == ([], None)
        with pytest.raises(StoreError, match="read-only transaction"):
            store.mark_looked("production", MORNING)
        server.stop()
        with pytest.raises(StoreError, match="can't be read"):
            store.incidents()
        with pytest.raises(RecordsError, match=r"its database: .*Is the server running"):
            records.check()
