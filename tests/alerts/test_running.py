"""Runs that failed, died or hang are told once, and resolved by whichever run makes them good."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration import cli
from orchestration.alerts.running import Result, Watching, observe_runs
from orchestration.alerts.watching import look_after_run
from orchestration.journal import (
    CANCELED,
    CLOSE,
    ERROR,
    PULL,
    FailedRule,
    Run,
    add_end,
    add_failed_rules,
    recording,
    run_file,
)
from orchestration.pipeline.run import ExitStatus
from orchestration.settings import Settings
from tests.alerts.warehouses import BREACH, DAY, MORNING, Warehouse, said, watch
from tests.connectors import web

NEXT = DAY + timedelta(days=1)
BEFORE = datetime(2026, 3, 5, 0, 30)


def rule(check: str = "no_negative_balance", **changes: Any) -> FailedRule:
    values = {
        "gate": "exit",
        "check_name": check,
        "subject": f"findings.{check}",
        "kind": "breach",
        "severity": "critical",
        "day": NEXT,
        "subjects": 3,
        "impact_usd": "1500.25",
    }
    return FailedRule(**(values | changes))


def ended(warehouse: Warehouse, run_id: str, status: str, day: date = NEXT, message: str = "disk full") -> None:
    """A run after those that were published so far."""
    began_at = datetime(2026, 3, 5, 0, 40) + timedelta(minutes=len(list(warehouse.paths.runs.glob("*"))))
    add_end(warehouse.paths.runs, Run(run_id, CLOSE, day, day, began_at, status=status, message=message))


def die(warehouse: Warehouse, run_id: str, day: date = NEXT) -> None:
    """A process that was killed in the middle of a run."""
    program = (
        "import os, sys; from datetime import date; from pathlib import Path\n"
        "from orchestration.journal import recording\n"
        "with recording(Path(sys.argv[1]), sys.argv[2], 'daily_close', *[date.fromisoformat(sys.argv[3])] * 2):\n"
        "    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(warehouse.paths.runs), run_id, str(day)], check=False)


def complete(warehouse: Warehouse, run_id: str, day: date = NEXT) -> None:
    with recording(warehouse.paths.runs, run_id, CLOSE, day, day) as record:
        record.end("passed", "")


@pytest.mark.parametrize(
    ("status", "words"),
    [(ERROR, "without a result: disk full"), (CANCELED, "it was stopped: disk full"), (None, "its process, which")],
)
def test_a_run_without_a_result_is_one_incident_until_its_day_has_one(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, status: str | None, words: str
) -> None:
    warehouse.publish()
    if status is None:
        die(warehouse, "run-a")
    else:
        ended(warehouse, "run-a", status)
    watch(alerts_file, warehouse).look()
    watch(alerts_file, warehouse).look()
    assert said(receiver) == [("opened", "run_completes")]
    assert words in receiver.requests[0].json["told"][0]["what"]
    ended(warehouse, "run-old", "passed", DAY)  # a day before is no answer
    watch(alerts_file, warehouse).look()
    assert len(receiver.requests) == 1
    with recording(warehouse.paths.runs, "run-b", CLOSE, NEXT, NEXT) as record:
        watch(alerts_file, warehouse).look()
        assert len(receiver.requests) == 1
        record.end("failed_integrity", "a result, if a bad one")
    watch(alerts_file, warehouse).look()
    assert said(receiver)[1:] == [("resolved", "run_completes")]


def test_what_is_published_makes_good_too_where_the_record_of_runs_is_lost(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    add_end(warehouse.paths.runs, Run("run-a", CLOSE, DAY, DAY, datetime(2026, 3, 4, 23), status=ERROR, message="x"))
    warehouse.publish()
    watch(alerts_file, warehouse).look()
    assert receiver.requests == []


def test_a_run_at_work_is_no_alarm_unless_it_hangs(alerts_file: Path, warehouse: Warehouse, receiver: web.Web) -> None:
    warehouse.publish()
    with recording(warehouse.paths.runs, "run-a", CLOSE, DAY, DAY) as record:
        now = datetime.now()
        quiet = watch(alerts_file, warehouse, now + timedelta(hours=5))
        # Only what concerns this run: by that time, a day that is long past wasn't published either.
        assert "run_completes" not in {incident.seen.check_name for incident in quiet.look().incidents}
        hanging = watch(alerts_file, warehouse, now + timedelta(hours=8)).look()
        told = [one.seen.message for one in hanging.incidents if one.seen.check_name == "run_completes"]
        assert len(told) == 1
        assert "it hangs: it has been running since" in told[0]
        record.end("passed", "")
    watch(alerts_file, warehouse, now + timedelta(hours=9)).look()
    assert ("resolved", "run_completes") in said(receiver)


def test_the_first_run_of_all_is_told_although_nothing_was_ever_published(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    die(warehouse, "run-a", DAY)
    watch(alerts_file, warehouse).look()
    assert sorted(said(receiver)) == [("opened", "published_in_time"), ("opened", "run_completes")]


def test_a_rule_that_could_not_be_evaluated_is_the_one_incident_of_the_run_that_it_ended(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish()
    ended(warehouse, "run-a", ERROR)
    path = run_file(warehouse.paths.runs, "run-a")
    add_failed_rules(path, [rule("prices_agree", is_error=True, observed="no such column"), rule("x", kind="shape")])
    watch(alerts_file, warehouse).look()
    told = {told["what"] for request in receiver.requests for told in request.json["told"]}
    assert said(receiver) == [("opened", "check_runs")] * 2
    assert any("Check prices_agree could not be evaluated" in what and "no such column" in what for what in told)
    assert any("Rule x on findings.x (exit gate): it failed although no check found anything" in what for what in told)
    complete(warehouse, "run-b")
    warehouse.publish(day=NEXT)
    watch(alerts_file, warehouse).look()
    assert said(receiver)[2:] == [("resolved", "check_runs")] * 2


def test_what_a_run_says_at_its_end_is_no_news_if_its_record_tells_more(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish()
    ended(warehouse, "run-a", ERROR)
    add_failed_rules(run_file(warehouse.paths.runs, "run-a"), [rule("prices_agree", is_error=True)])
    settings = Settings(Path("landing"), warehouse.paths.root, alerts_file=alerts_file)
    assert look_after_run(settings, "run-a", NEXT, "the rule could not be evaluated", ExitStatus.ERROR) == []
    assert {check for _, check in said(receiver)} - {"published_in_time"} == {"check_runs"}


def test_what_a_gate_had_found_is_told_although_its_run_died(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish()
    die(warehouse, "run-a")
    add_failed_rules(run_file(warehouse.paths.runs, "run-a"), [rule()])
    watch(alerts_file, warehouse).look()
    assert sorted(said(receiver)) == [("opened", "no_negative_balance"), ("opened", "run_completes")]
    found = next(
        told
        for request in receiver.requests
        for told in request.json["told"]
        if told["check_name"] == "no_negative_balance"
    )
    assert found["category"] == "the business is in breach"
    assert "for 3 subjects" in found["what"]
    assert found["impact_usd"] == "1500.25"
    complete(warehouse, "run-b")
    warehouse.publish(BREACH, day=NEXT)
    watch(alerts_file, warehouse).look()
    # Now it is known who it is; nobody hears of the same hole twice.
    assert sorted(said(receiver)[2:]) == [
        ("opened", "no_negative_balance"),
        ("resolved", "no_negative_balance"),
        ("resolved", "run_completes"),
    ]


def test_a_hole_that_is_known_by_name_isn_t_told_again_by_its_check(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish(BREACH)
    ended(warehouse, "run-a", ERROR)
    add_failed_rules(run_file(warehouse.paths.runs, "run-a"), [rule()])
    watch(alerts_file, warehouse).look()
    assert sorted(said(receiver)) == [("opened", "no_negative_balance"), ("opened", "run_completes")]


WATCHING = Watching("production", MORNING, timedelta(hours=6), event_days=7)


@pytest.mark.parametrize(
    ("failed", "told"),
    [
        (rule(day=DAY), {"run_completes"}),  # found on a day before, and told by the run of that day
        (rule("transfers_to_affiliates_explained", day=DAY), {"run_completes", "transfers_to_affiliates_explained"}),
        (rule("transfers_to_affiliates_explained", day=DAY - timedelta(days=9)), {"run_completes"}),
        (rule("keys_unique", kind="integrity", day=DAY), {"run_completes", "keys_unique"}),
        (rule("columns_match", kind="shape", severity="warning", day=None), {"run_completes"}),
        (rule("no_check_of_ours", day=NEXT), {"run_completes"}),
    ],
)
def test_only_what_is_of_the_day_is_told_of_a_run_that_was_not_published(failed: FailedRule, told: set[str]) -> None:
    run = Run("run-a", CLOSE, NEXT, NEXT, BEFORE, status=ERROR, message="disk full", failed_rules=(failed,))
    assert {seen.check_name for seen in observe_runs([run], [], WATCHING, ())} == told


def test_a_shape_that_a_finding_explains_is_no_defect_of_the_program() -> None:
    rules = (rule("keys_unique", kind="integrity", gate="entry"), rule("origin_known", kind="shape", gate="entry"))
    run = Run("run-a", CLOSE, NEXT, NEXT, BEFORE, status=ERROR, message="disk full", failed_rules=rules)
    assert {seen.check_name for seen in observe_runs([run], [], WATCHING, ())} == {"run_completes", "keys_unique"}


@pytest.mark.parametrize(
    ("result", "stands"),
    [
        (Result(BEFORE + timedelta(minutes=1), NEXT), False),
        (Result(BEFORE + timedelta(minutes=1), NEXT + timedelta(days=3)), False),
        (Result(BEFORE + timedelta(minutes=1), DAY), True),
        (Result(BEFORE - timedelta(minutes=1), NEXT), True),
    ],
)
def test_only_a_later_run_of_that_day_or_one_after_it_makes_good(result: Result, stands: bool) -> None:
    run = Run("run-a", CLOSE, NEXT, NEXT, BEFORE, status=ERROR, message="disk full")
    assert bool(observe_runs([run], [result], WATCHING, ())) is stands


def test_the_order_of_runs_is_kept_when_the_clock_is_put_back() -> None:
    run = Run("run-a", CLOSE, NEXT, NEXT, BEFORE, status=ERROR, message="disk full", number=3)
    assert observe_runs([run], [Result(BEFORE - timedelta(hours=2), NEXT, number=4)], WATCHING, ()) == []
    assert observe_runs([run], [Result(BEFORE + timedelta(hours=2), NEXT, number=2)], WATCHING, ()) != []


def test_pulling_that_failed_is_an_incident_of_that_job_until_it_works(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish()
    failed = Run("pull-a", PULL, NEXT, NEXT, BEFORE, status=ERROR, message="code location gone")
    add_end(warehouse.paths.runs, failed)
    watch(alerts_file, warehouse).look()
    assert said(receiver) == [("opened", "run_completes")]
    assert receiver.requests[0].json["told"][0]["affected"] == "job pull_sources"
    add_end(warehouse.paths.runs, Run("pull-b", PULL, NEXT, NEXT, BEFORE + timedelta(minutes=9), status="passed"))
    ended(warehouse, "run-a", "passed")
    watch(alerts_file, warehouse).look()
    assert said(receiver)[1:] == [("resolved", "run_completes")]


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (RuntimeError("a defect"), 1, [("opened", "run_completes")]),
        (KeyboardInterrupt(), 1, [("opened", "run_completes")]),
        (MemoryError(), 1, [("opened", "run_completes")]),
    ],
)
def test_the_command_tells_whatever_broke_it(
    alerts_file: Path,
    warehouse: Warehouse,
    receiver: web.Web,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    told: list[tuple[str, str]],
) -> None:
    from orchestration import runner

    def broken(*_: object, **__: object) -> None:
        raise error

    warehouse.publish()
    monkeypatch.setenv("RINGFENCE_ALERTS", str(alerts_file))
    monkeypatch.setattr(runner, "run_days", broken)
    arguments = ["--landing", "landing", "--warehouse", str(warehouse.paths.root), "--date", "2999-01-01"]
    assert cli._invoke(["run", *arguments]) == status
    assert [one for one in said(receiver) if one[1] == "run_completes"] == told


def test_wrong_usage_and_a_run_that_is_turned_away_are_no_alarm(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    warehouse.publish()
    monkeypatch.setenv("RINGFENCE_ALERTS", str(alerts_file))
    (tmp_path / "landing").mkdir()
    lock = warehouse.paths.lock_file
    program = (
        "import sys; from pathlib import Path; from orchestration.warehouse.lock import warehouse_lock\n"
        "with warehouse_lock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        places = ["--landing", str(tmp_path / "landing"), "--warehouse", str(warehouse.paths.root)]
        assert cli._invoke(["run", *places, "--date", "2999-01-01"]) == 1
        assert cli._invoke(["run", "--landing", str(tmp_path / "no"), *places[2:], "--date", "2999-01-01"]) == 2
        holder.kill()
    assert "run_completes" not in {check for _, check in said(receiver)}
