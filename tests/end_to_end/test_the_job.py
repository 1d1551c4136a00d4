"""The job through the command line: what it exits with, publishes, remembers and says.

One warehouse tells it all: a good day, a run that is killed while analysts read, and the run after it. The small
exchange is healthy until the fourth day, when a customer is let go short of dollars in a spot account. In a copy of the
warehouse as it was after the good day, nobody is, but a file of the fourth day is broken, and mended.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import duckdb
import pytest
from prometheus_client import generate_latest

from orchestration import cli
from orchestration.alerts.running import Watching, observe_runs, results_of
from orchestration.headlines.definitions import headlines
from orchestration.journal import recorded_runs
from orchestration.keyed_hashes import Hashing
from orchestration.operations.metrics.collector import RingfenceCollector, Subject, registry_of
from orchestration.pipeline.run import ExitStatus
from orchestration.runner import open_instance, run_days
from orchestration.settings import Settings, WarehousePaths
from tests.support.documented import contradicted_signs, undocumented
from tests.support.headlines import by_time
from tests.support.keyed import broken_keys, dangling
from tests.support.small_exchange import at, healthy_exchange, write_landing

GOOD, BAD = "2022-01-03", "2022-01-04"
FINDING = "no_negative_balance"
HASH_KEY = "a key"
HASHED = f"account {Hashing(HASH_KEY).of('c1-spot')}"
COMMAND = [sys.executable, "-m", "orchestration.cli"]
Rows = list[tuple[Any, ...]]
BREAKDOWNS = {
    "group_shortfall_usd": "in_kind_shortfall_usd",
    "exclusion_usd": "excluded_reserves_usd",
    "exposure_borrowing_usd": "affiliate_borrowing_usd",
    "exposure_uncollateralised_usd": "affiliate_uncollateralised_usd",
}
"""Headlines by what they are made of, and what these add up to."""


@dataclass(frozen=True)
class Story:
    """What happened, in order."""

    landing: Path
    warehouse: Path
    warehouse_after_good: Path
    good_status: int
    published_before_kill: Rows
    published_after_kill: Rows
    reads_during_run: int
    metrics_after_kill: str
    bad: subprocess.CompletedProcess[str]
    told_after_kill: dict[str, Any]


def arguments(landing: Path, warehouse: Path, day: str) -> list[str]:
    return [*COMMAND, "run", "--landing", str(landing), "--warehouse", str(warehouse), "--date", day]


def query(warehouse: Path, sql: str) -> Rows:
    with duckdb.connect(str(WarehousePaths(warehouse).published_file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def solvency(warehouse: Path) -> Rows:
    return query(warehouse, "select * from marts.fct_solvency_daily order by all")


def metrics(warehouse: Path) -> str:
    collector = RingfenceCollector(Subject(WarehousePaths(warehouse)))
    return generate_latest(registry_of(collector)).decode()


@contextmanager
def reading(warehouse: Path) -> Iterator[list[Rows]]:
    """Read the published file again and again while the block runs; the answers are in the list."""
    answers: list[Rows] = []
    stop = Event()

    def read() -> None:
        while not stop.wait(0.05):
            answers.append(solvency(warehouse))

    reader = Thread(target=read)
    reader.start()
    try:
        yield answers
    finally:
        stop.set()
        reader.join()


def killed_at(command: list[str], stage: str) -> None:
    """Start the command, and kill it as soon as it says that the stage has begun."""
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.strip() == stage:
                os.kill(process.pid, signal.SIGKILL)
                break
        assert process.wait() == -signal.SIGKILL


def told_of(warehouse: Path) -> dict[str, Any]:
    """What the command line says of how a warehouse stands."""
    command = [*COMMAND, "status", "--warehouse", str(warehouse), "--format", "json"]
    told: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return told


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("exchange")
    books = healthy_exchange()
    legs = [("c1-spot", "USD", "-250000", "transfer"), ("c3-spot", "USD", "250000", "transfer")]
    books.transaction("let-go-short", at(BAD, 12), legs)
    landing, warehouse = write_landing(books, folder / "landing"), folder / "warehouse"
    (landing / "trades").mkdir()
    good_status = cli._invoke(arguments(landing, warehouse, GOOD)[len(COMMAND) :])
    assert good_status == 0
    before = solvency(warehouse)
    after_good = folder / "after_good"
    # Dagster's own files say where they are.
    shutil.copytree(warehouse, after_good, symlinks=True, ignore=shutil.ignore_patterns("dagster"))
    with reading(warehouse) as answers:
        killed_at(arguments(landing, warehouse, BAD), "exit gate ...")
    assert all(answer == before for answer in answers)
    after, counted = solvency(warehouse), metrics(warehouse)
    told = told_of(warehouse)
    command, environment = arguments(landing, warehouse, BAD), {**os.environ, "RINGFENCE_HASH_KEY": HASH_KEY}
    bad = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    return Story(landing, warehouse, after_good, good_status, before, after, len(answers), counted, bad, told)


def test_a_healthy_day_passes_and_the_faulty_one_fails(story: Story) -> None:
    assert (story.good_status, story.bad.returncode) == (0, 3), story.bad.stderr


def test_readers_are_never_locked_out_and_a_kill_leaves_the_last_file_whole(story: Story) -> None:
    assert story.reads_during_run > 10
    assert story.published_after_kill == story.published_before_kill
    assert [str(row[0]) for row in story.published_after_kill] == ["2022-01-01", "2022-01-02", GOOD]


def test_metrics_tell_a_run_that_was_killed_from_one_that_published(story: Story) -> None:
    day = "ringfence_published_day_timestamp_seconds {}e+09\n"
    findings = f'ringfence_check_findings{{check="{FINDING}",kind="breach",severity="critical"}} '
    for text in ("ringfence_up 1.0\n", "ringfence_run_unfinished 1.0\n", day.format("1.641168"), f"{findings}0.0\n"):
        assert text in story.metrics_after_kill
    assert "ringfence_last_run_exit_status" not in story.metrics_after_kill
    told = metrics(story.warehouse)
    for text in ("ringfence_up 1.0\n", "ringfence_run_unfinished 0.0\n", day.format("1.6412544"), f"{findings}1.0\n"):
        assert text in told
    assert "ringfence_last_run_exit_status 3.0\n" in told
    # What the killed run read is its own; the one after it had nothing left to read.
    loads = "from audit.load inner join audit.run using (run_id) where table_name = 'ledger_entries'"
    ((rows,),) = query(story.warehouse, f"select sum(rows) {loads} and status = 'passed'")
    assert f'ringfence_load_rows{{table="ledger_entries"}} {float(rows)}\n' in story.metrics_after_kill
    assert 'ringfence_load_rows{table="ledger_entries"} 0.0\n' in told
    assert "c1-spot" not in told


def test_the_run_after_a_killed_one_just_works_and_names_it(story: Story) -> None:
    runs = query(story.warehouse, "select status, last_date::varchar from audit.run order by started_at")
    assert runs == [("passed", GOOD), ("killed", BAD), ("failed_checks", BAD)]
    assert query(story.warehouse, "select max(as_of_date)::varchar from marts.fct_solvency_daily") == [(BAD,)]


def test_the_status_tells_of_the_killed_run_at_once_and_keeps_telling(story: Story) -> None:
    killed, good = story.told_after_kill["runs"]
    assert (killed["status"], killed["last_date"], killed["step"]) == ("killed", BAD, "audit__finding")
    assert (good["status"], story.told_after_kill["published"]["day"]) == ("passed", GOOD)
    assert story.told_after_kill["held_by"] is None
    told = told_of(story.warehouse)
    assert [(run["status"], run["last_date"]) for run in told["runs"]] == [
        ("failed_checks", BAD),
        ("killed", BAD),
        ("passed", GOOD),
    ]
    assert {table["last_day"] for table in told["tables"]} == {BAD, None}
    assert told["problems"] == {}


def test_nothing_is_missing_to_run_again(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--landing", str(story.landing), "--warehouse", str(story.warehouse)]
    status = cli._invoke(["doctor", *folders, "--offline", "--format", "json"])
    found = json.loads(capsys.readouterr().out)
    assert (status, [line for line in found if line["state"] == "problem"]) == (0, [])
    assert {line["probe"] for line in found if line["state"] == "ok"} >= {"published", "build file", "lock", "dagster"}


def test_the_record_of_runs_knows_who_died_and_what_the_gates_found(story: Story) -> None:
    good, killed, bad = recorded_runs(WarehousePaths(story.warehouse).runs)
    assert (good.status, good.failed_rules) == ("passed", ())
    assert (killed.has_died, killed.last_date) == (True, date.fromisoformat(BAD))
    ((impact,),) = query(story.warehouse, "select impact_usd from audit.finding")
    (failed,) = bad.failed_rules
    assert (bad.status, failed.check_name, failed.is_error) == ("failed_checks", FINDING, False)
    assert (str(failed.day), failed.subjects, failed.impact_usd) == (BAD, 1, str(impact))
    now = datetime.now(UTC).replace(tzinfo=None)
    watching = Watching("production", now, timedelta(hours=6), event_days=7)
    told = observe_runs([good, killed], results_of([good, killed]), watching, ())
    assert [seen.check_name for seen in told if seen.check_name != FINDING] == ["run_completes"]
    assert observe_runs([good, killed, bad], results_of([good, killed, bad]), watching, ()) == []


def test_what_fails_is_published_all_the_same(story: Story) -> None:
    findings = query(
        story.warehouse,
        "select check_name, finding.as_of_date::varchar, severity, subject_id, finding.asset, impact_usd = -value_usd,"
        " last_date::varchar from audit.finding inner join marts.fct_negative_balance_daily as negative"
        " on account_id = subject_id and negative.as_of_date = finding.as_of_date"
        " inner join audit.run using (run_id)",
    )
    assert findings == [(FINDING, BAD, "critical", "c1-spot", "USD", True, BAD)]
    assert query(story.warehouse, "select count(*) from audit.finding") == [(1,)]
    ((evidence,),) = query(story.warehouse, "select evidence from audit.finding")
    assert query(story.warehouse, evidence)


def test_each_mart_is_what_the_landing_zone_gives_and_one_that_was_changed_is_told(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = WarehousePaths(tmp_path / "copy").published_file
    copy.parent.mkdir()
    shutil.copyfile(WarehousePaths(story.warehouse).published_file, copy)
    with duckdb.connect(str(copy)) as connection:
        connection.execute(f"update marts.fct_solvency_daily set net_gap_usd = 0 where as_of_date = '{BAD}'")
    status = cli._invoke(["rebuild", "--landing", str(story.landing), "--warehouse", str(copy.parent), "--verify"])
    *marts, verdict = capsys.readouterr().out.strip().splitlines()
    different = [line for line in marts if "DIFFERENT" in line]
    assert status == 4
    assert verdict.startswith("DIFFERENT: 1 of ")
    assert len(different) == 1
    assert different[0].startswith("fct_solvency_daily ")
    assert different[0].endswith(f"first on {BAD}")
    assert not (copy.parent / "rebuild").exists()


def test_the_run_is_red_in_dagster_and_says_why(story: Story) -> None:
    with open_instance(Settings(story.landing, story.warehouse)) as instance:
        runs = sorted(instance.get_run_records(), key=lambda record: record.create_timestamp)
        assert [record.dagster_run.status.value for record in runs] == ["SUCCESS", "FAILURE", "FAILURE"]
        failures = [
            event.event_specific_data.error.message
            for event in (entry.dagster_event for entry in instance.all_logs(runs[-1].dagster_run.run_id))
            if event is not None and event.is_step_failure
        ]
    ((impact,),) = query(story.warehouse, "select impact_usd from audit.finding")
    assert len(failures) == 1
    assert f"{BAD} {FINDING} {HASHED} USD ({impact:,.0f} USD)" in failures[0]


def test_the_summary_shows_the_hole_at_one_look(story: Story) -> None:
    ((impact,),) = query(story.warehouse, "select impact_usd from audit.finding")
    for text in ("FAILED", f"On {BAD}: covered", "owed to customers", FINDING, "ringfence findings", f"{impact:,.2f}"):
        assert text in story.bad.stdout
    assert "trades/: left out, no table of the contract" in story.bad.stdout
    last = story.bad.stderr.splitlines()[-1]
    assert last.startswith(f"ringfence: 1 critical finding from {BAD} to {BAD}: {BAD} {FINDING} {HASHED} USD")


def test_every_load_check_and_figure_is_recorded(story: Story) -> None:
    loads = query(story.warehouse, "select outcome, min(length(sha256)) from audit.load group by 1 order by 1")
    assert loads == [("accepted", 64)]
    checks = query(
        story.warehouse,
        "select check_name, unexpected from audit.check_result inner join audit.run using (run_id)"
        " where status = 'failed_checks' and not success",
    )
    assert checks == [(FINDING, 1)]
    assert query(story.warehouse, "select count(*) from audit.check_result where is_error") == [(0,)]
    figures = "select count(distinct as_of_date), count(distinct figure) from audit.published_figure"
    assert query(story.warehouse, f"{figures} where source_table = 'fct_solvency_daily'") == [(4, 12)]


def test_what_was_said_is_told_and_the_killed_run_said_nothing(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["asof", "--warehouse", str(story.warehouse), "--date", GOOD, "--known-at", GOOD]
    assert cli._invoke(command) == 0
    assert capsys.readouterr().out.startswith(f"{GOOD} as known at {BAD} 00:00:00 UTC: ")
    said = query(
        story.warehouse,
        "select distinct status, figure.published_at = run.published_at, is_restatement"
        " from audit.published_figure as figure inner join audit.run using (run_id) order by all",
    )
    assert said == [("failed_checks", True, False), ("passed", True, False)]
    assert query(story.warehouse, "from marts.fct_restatement") == []


def test_the_database_documents_itself(story: Story) -> None:
    with duckdb.connect(str(WarehousePaths(story.warehouse).published_file), read_only=True) as connection:
        assert undocumented(connection) == []
        assert contradicted_signs(connection) == []


def test_the_audit_has_the_keys_that_it_says(story: Story) -> None:
    with duckdb.connect(str(WarehousePaths(story.warehouse).published_file), read_only=True) as connection:
        assert broken_keys(connection) == []
        assert dangling(connection) == []


def test_breakdowns_add_up_to_their_headlines(story: Story) -> None:
    defined = headlines()
    with duckdb.connect(str(WarehousePaths(story.warehouse).published_file), read_only=True) as connection:
        for part, whole in BREAKDOWNS.items():
            parts = by_time(connection, defined[part])
            assert {day: parts.get(day) or 0 for day in by_time(connection, defined[whole])} == by_time(
                connection, defined[whole]
            )


def test_the_report_of_a_day_stands_alone(story: Story, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert cli._invoke(["report", "--warehouse", str(story.warehouse), "--date", BAD, "--out", str(out)]) == 0
    page = out.read_text(encoding="utf-8")
    assert "could hand every customer back" in page
    assert "1 critical finding stands" in page
    assert FINDING in page
    assert "<script" not in page
    assert "//" not in page.replace("http-equiv", "")


def test_a_report_of_a_day_that_was_never_published_is_refused(
    story: Story, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    assert cli._invoke(["report", "--warehouse", str(story.warehouse), "--date", "2022-03-01", "--out", str(out)]) == 2
    assert "it holds 2022-01-01 to 2022-01-04" in capsys.readouterr().err


def test_a_second_run_on_the_same_warehouse_is_turned_away(story: Story) -> None:
    program = (
        "import sys, time; from pathlib import Path; from orchestration.warehouse.lock import warehouse_lock\n"
        "with warehouse_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock_file = WarehousePaths(story.warehouse).lock_file
    with subprocess.Popen([sys.executable, "-c", program, lock_file], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        started = time.monotonic()
        command = arguments(story.landing, story.warehouse, GOOD)
        turned_away = subprocess.run(command, capture_output=True, text=True, check=False)
        holder.kill()
    assert turned_away.returncode == 1
    assert f"process {holder.pid} is working on it" in turned_away.stderr.splitlines()[-1]
    assert time.monotonic() - started < 60


def all_marts(warehouse: Path) -> dict[str, Rows]:
    names = query(warehouse, "select table_name from information_schema.tables where table_schema = 'marts'")
    return {name: query(warehouse, f"select * from marts.{name} order by all") for (name,) in names}


def standing_integrity(warehouse: Path) -> Rows:
    found = "select check_name, as_of_date::varchar, subject_id from audit.finding where kind = 'integrity'"
    return query(warehouse, found)


def test_a_refused_load_leaves_what_was_published_and_a_mended_one_clears_the_finding(
    story: Story, tmp_path: Path
) -> None:
    settings = Settings(write_landing(healthy_exchange(), tmp_path / "landing"), story.warehouse_after_good)
    before = all_marts(settings.warehouse)
    assert before["fct_solvency_daily"] == story.published_before_kill
    ledger = f"ledger_entries/date={BAD}/rows.csv.gz"
    whole = (settings.landing / ledger).read_bytes()
    assert b",-400," in gzip.decompress(whole)
    broken = gzip.decompress(whole).replace(b",-400,", b",four hundred,", 1)
    (settings.landing / ledger).write_bytes(gzip.compress(broken, mtime=0))

    refused = run_days(settings, date.fromisoformat(BAD), date.fromisoformat(BAD))

    assert refused.status is ExitStatus.FAILED_INTEGRITY
    assert standing_integrity(settings.warehouse) == [("schema_conforms", BAD, ledger)]
    assert all_marts(settings.warehouse) == before
    (settings.landing / ledger).write_bytes(whole)

    mended = run_days(settings, date.fromisoformat(BAD), date.fromisoformat(BAD))

    assert mended.status is ExitStatus.PASSED, mended.message
    assert standing_integrity(settings.warehouse) == []
    log = query(settings.warehouse, "select action, check_name from audit.finding_log order by all")
    assert log == [("raised", "schema_conforms"), ("withdrawn", "schema_conforms")]
    assert query(settings.warehouse, "select max(as_of_date)::varchar from marts.fct_solvency_daily") == [(BAD,)]
