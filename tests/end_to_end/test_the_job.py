"""The job through the command line: what it exits with, publishes and remembers, day by day or as a range.

The small exchange is healthy until the fourth day, when a customer is let go short of dollars in a spot account.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from orchestration import cli
from orchestration.runner import open_instance
from orchestration.settings import Settings, WarehousePaths
from orchestration.warehouse.lock import WarehouseBusyError, warehouse_lock
from tests.support.small_exchange import at, healthy_exchange, write_landing

FIRST, GOOD, BAD, LAST = "2022-01-01", "2022-01-03", "2022-01-04", "2022-01-05"
COMMAND = [sys.executable, "-m", "orchestration.cli"]
FINDING = "no_negative_balance"


@dataclass(frozen=True)
class Exchange:
    """A landing zone, the warehouse of one run per day, and that of one run over all days."""

    landing: Path
    daily: Path
    range: Path
    daily_statuses: list[int]
    range_status: int


def ringfence(*arguments: object) -> int:
    return cli._invoke([str(argument) for argument in arguments])


def run(landing: Path, warehouse: Path, *days: str) -> int:
    return ringfence("run", "--landing", landing, "--warehouse", warehouse, *days)


def query(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(WarehousePaths(warehouse).published_file), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def stake(warehouse: Path, day: str) -> Decimal:
    ((impact,),) = query(warehouse, f"select impact_usd from audit.finding where as_of_date = '{day}'")
    assert isinstance(impact, Decimal)
    return impact


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Exchange:
    folder = tmp_path_factory.mktemp("exchange")
    books = healthy_exchange()
    legs = [("c1-spot", "USD", "-250000", "transfer"), ("c3-spot", "USD", "250000", "transfer")]
    books.transaction("let-go-short", at(BAD, 12), legs)
    landing = write_landing(books, folder / "landing")
    statuses = [run(landing, folder / "daily", "--date", day) for day in (GOOD, BAD, LAST)]
    return Exchange(
        landing,
        folder / "daily",
        folder / "range",
        statuses,
        run(landing, folder / "range", "--from", FIRST, "--to", LAST),
    )


def test_a_run_fails_from_the_first_faulty_day_on(exchange: Exchange) -> None:
    assert exchange.daily_statuses == [0, 3, 3]
    assert exchange.range_status == 3


def test_what_fails_is_published_all_the_same(exchange: Exchange) -> None:
    findings = query(
        exchange.range,
        "select check_name, cast(as_of_date as varchar), severity, subject_id, asset, impact_usd = -value_usd,"
        " cast(first_seen_on as varchar) from audit.finding left join marts.fct_negative_balance_daily as negative"
        " using (as_of_date, asset) where negative.account_id = subject_id order by as_of_date",
    )
    assert findings == [(FINDING, day, "critical", "c1-spot", "USD", True, BAD) for day in (BAD, LAST)]
    days = query(exchange.range, "select cast(as_of_date as varchar) from marts.fct_solvency_daily order by 1")
    assert [day for (day,) in days] == [f"2022-01-0{number}" for number in range(1, 6)]


def test_the_evidence_of_a_finding_returns_the_rows(exchange: Exchange) -> None:
    for (evidence,) in query(exchange.range, "select evidence from audit.finding"):
        assert query(exchange.range, evidence)


def test_a_range_leaves_the_same_marts_and_findings_as_one_run_per_day(exchange: Exchange) -> None:
    tables = query(exchange.range, "select table_name from duckdb_tables() where schema_name = 'marts' order by 1")
    assert len(tables) >= 14
    for (table,) in tables:
        content = f"select * from marts.{table} order by all"
        assert query(exchange.range, content) == query(exchange.daily, content), table
    content = "select * exclude (run_id) from audit.finding order by all"
    assert query(exchange.range, content) == query(exchange.daily, content)


def test_each_finding_names_the_run_that_raised_it(exchange: Exchange) -> None:
    runs = query(
        exchange.daily,
        "select cast(as_of_date as varchar), cast(last_date as varchar) from audit.finding"
        " inner join audit.run using (run_id) order by 1",
    )
    assert runs == [(BAD, BAD), (LAST, LAST)]


def test_what_was_published_once_is_remembered(exchange: Exchange) -> None:
    said = query(
        exchange.daily,
        "select count(*), count(distinct run_id), count(distinct (as_of_date, source_table, figure, subject))"
        " from audit.published_figure where source_table = 'fct_solvency_daily'",
    )
    figures, runs, subjects = said[0]
    assert runs == 3
    assert figures == subjects == 5 * 12


def test_every_load_and_every_check_is_recorded(exchange: Exchange) -> None:
    loads = query(exchange.daily, "select outcome, count(*) > 0, min(length(sha256)) from audit.load group by 1")
    assert loads == [("accepted", True, 64)]
    checks = query(
        exchange.daily,
        "select check_name, success, unexpected from audit.check_result inner join audit.run using (run_id)"
        f" where last_date = date '{LAST}' and kind = 'breach' and not success",
    )
    assert checks == [(FINDING, False, 2)]
    assert query(exchange.daily, "select count(*) from audit.check_result where is_error") == [(0,)]


def test_the_database_documents_itself(exchange: Exchange) -> None:
    bare = query(
        exchange.range,
        "select schema_name, table_name, null from duckdb_tables() where comment is null union all"
        " select schema_name, table_name, column_name from duckdb_columns() where comment is null"
        " and schema_name in ('marts', 'audit') and not internal",
    )
    assert bare == []


def test_the_run_is_red_in_dagster_and_says_why(exchange: Exchange) -> None:
    with open_instance(Settings(exchange.landing, exchange.daily)) as instance:
        runs = sorted(instance.get_runs(), key=lambda found: found.tags["dagster/asset_partition_range_start"])
        assert [found.status.value for found in runs] == ["SUCCESS", "FAILURE", "FAILURE"]
        failures = [
            event.event_specific_data.error.message
            for event in (entry.dagster_event for entry in instance.all_logs(runs[1].run_id))
            if event is not None and event.is_step_failure
        ]
    assert len(failures) == 1
    assert f"{BAD} {FINDING} c1-spot USD ({stake(exchange.daily, BAD):,.0f} USD)" in failures[0]


def test_running_a_day_again_changes_nothing_and_judges_that_day(exchange: Exchange) -> None:
    before = query(exchange.daily, "select * from audit.finding order by all")
    assert run(exchange.landing, exchange.daily, "--date", GOOD) == 0
    assert query(exchange.daily, "select * from audit.finding order by all") == before
    assert query(exchange.daily, "select max(as_of_date)::varchar from marts.fct_solvency_daily") == [(LAST,)]


def test_the_summary_shows_the_hole_at_one_look(exchange: Exchange, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(exchange.landing, exchange.range, "--from", FIRST, "--to", LAST) == 3
    captured = capsys.readouterr()
    for text in ("FAILED", f"On {LAST}: covered", "owed to customers", FINDING, "ringfence findings"):
        assert text in captured.out
    assert f"{stake(exchange.range, LAST):,.2f} USD" in captured.out
    assert "2 critical findings" in captured.err.splitlines()[-1]


def test_the_report_of_a_day_stands_alone(exchange: Exchange, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    assert ringfence("report", "--warehouse", exchange.range, "--date", LAST, "--out", out) == 0
    page = out.read_text(encoding="utf-8")
    assert "could hand every customer back" in page
    assert "1 critical finding stands" in page
    assert FINDING in page
    assert "<script" not in page
    assert "//" not in page.replace("http-equiv", "")


def test_a_report_of_a_day_that_was_never_published_is_refused(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    assert ringfence("report", "--warehouse", exchange.range, "--date", "2022-03-01", "--out", out) == 2
    assert "it holds 2022-01-01 to 2022-01-05" in capsys.readouterr().err


def test_a_second_run_on_the_same_warehouse_is_turned_away(
    exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    program = (
        "import sys, time; from pathlib import Path; from orchestration.warehouse.lock import warehouse_lock\n"
        "with warehouse_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    lock_file = WarehousePaths(exchange.range).lock_file
    with subprocess.Popen([sys.executable, "-c", program, lock_file], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert run(exchange.landing, exchange.range, "--date", GOOD) == 1
        err = capsys.readouterr().err.strip()
        with pytest.raises(WarehouseBusyError), warehouse_lock(lock_file):
            pass
        holder.kill()
    assert f"process {holder.pid} is working on it" in err.splitlines()[-1]


@pytest.mark.parametrize("stage", ["building ...", "publishing ..."])
def test_a_killed_run_leaves_the_last_file_whole_and_the_next_run_just_works(
    exchange: Exchange, stage: str, tmp_path: Path
) -> None:
    warehouse = tmp_path / "warehouse"
    days = ("--from", FIRST, "--to", LAST)
    assert run(exchange.landing, warehouse, "--date", GOOD) == 0
    before = query(warehouse, "select count(*), max(as_of_date) from marts.fct_solvency_daily")
    arguments = [*COMMAND, "run", "--landing", str(exchange.landing), "--warehouse", str(warehouse), *days]
    killed_at(arguments, stage)
    assert query(warehouse, "select count(*), max(as_of_date) from marts.fct_solvency_daily") == before
    assert run(exchange.landing, warehouse, *days) == 3
    content = "select * exclude (run_id) from audit.finding order by all"
    assert query(warehouse, content) == query(exchange.range, content)
    content = "select * from marts.fct_customer_liability_daily order by all"
    assert query(warehouse, content) == query(exchange.range, content)
    statuses = query(warehouse, "select status from audit.run order by started_at")
    assert [status for (status,) in statuses][:3:2] == ["passed", "failed_checks"]


def killed_at(arguments: list[str], stage: str) -> None:
    """Start the command, and kill it as soon as it says that the stage has begun."""
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.strip() == stage:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.wait()
        assert process.returncode == -signal.SIGKILL


def test_readers_are_never_locked_out(exchange: Exchange) -> None:
    arguments = ["run", "--landing", str(exchange.landing), "--warehouse", str(exchange.range), "--date", GOOD]
    reads = 0
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            reads += len(query(exchange.range, "select count(*) from marts.fct_solvency_daily"))
            time.sleep(0.05)
    assert process.returncode == 0
    assert reads > 10


def test_policy_of_the_run_is_what_counts(
    exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("checks: {no_negative_balance: {enabled: false}}")
    warehouse = tmp_path / "warehouse"
    assert run(exchange.landing, warehouse, "--from", FIRST, "--to", LAST, "--policy", str(policy)) == 0
    capsys.readouterr()
    assert ringfence("findings", "--warehouse", warehouse, "--date", LAST, "--format", "json") == 0
    (finding,) = json.loads(capsys.readouterr().out)
    assert (finding["check_name"], finding["severity"], finding["subject_id"]) == ("check_disabled", "warning", FINDING)
