"""The record of runs tells who is at work, who has ended and how, and who died; whatever the record went through."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from orchestration.errors import RingfenceError
from orchestration.journal import (
    CANCELED,
    CLOSE,
    ERROR,
    PULL,
    FailedRule,
    Run,
    add_end,
    add_failed_check,
    add_failed_rules,
    recorded_runs,
    recording,
    run_file,
)

DAY = date(2026, 3, 4)
RULE = FailedRule("exit", "no_negative_balance", "findings.no_negative_balance", "breach", "critical", day=DAY)
HELD = """
import sys, time
from datetime import date
from pathlib import Path
from orchestration.journal import recording
with recording(Path(sys.argv[1]), "held", "daily_close", date(2026, 3, 4), date(2026, 3, 4)) as record:
    if sys.argv[2] == "end":
        record.end("passed", "all is well")
    print("held", flush=True)
    time.sleep(60)
"""


def begin(folder: Path, run_id: str = "run") -> None:
    with recording(folder, run_id, CLOSE, DAY, DAY) as record:
        record.end("passed", "all is well")


def test_a_run_is_alive_until_it_has_ended(tmp_path: Path) -> None:
    with recording(tmp_path, "run", CLOSE, DAY, DAY) as record:
        (run,) = recorded_runs(tmp_path)
        assert (run.is_alive, run.has_died, run.status, run.last_date) == (True, False, None, DAY)
        record.end("failed_checks", "a hole")
    (run,) = recorded_runs(tmp_path)
    assert (run.is_alive, run.has_died, run.is_completed, run.message) == (False, False, True, "a hole")
    assert run.ended_at is not None
    assert run.ended_at >= run.began_at


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("no\nroom"), "no room"),
        (KeyboardInterrupt(), "it was interrupted (SIGTERM or Ctrl-C)"),
        (AssertionError(), "AssertionError"),
    ],
)
def test_what_goes_through_is_the_end_of_a_run(tmp_path: Path, error: BaseException, words: str) -> None:
    with pytest.raises(type(error)), recording(tmp_path, "run", CLOSE, DAY, DAY):
        raise error
    assert [(run.status, run.message) for run in recorded_runs(tmp_path)] == [(ERROR, words)]


def test_a_run_that_says_nothing_has_ended_by_an_error(tmp_path: Path) -> None:
    with recording(tmp_path, "run", CLOSE, DAY, DAY):
        pass
    assert [run.status for run in recorded_runs(tmp_path)] == [ERROR]


def test_within_a_run_it_is_the_same_run_whose_end_the_outermost_tells(tmp_path: Path) -> None:
    with recording(tmp_path, "run", CLOSE, DAY, DAY) as outer:
        with recording(tmp_path, "run", CLOSE, DAY, DAY) as inner:
            assert (outer.is_outermost, inner.is_outermost) == (True, False)
        assert recorded_runs(tmp_path)[0].is_alive
        outer.end("passed", "")
    assert [run.status for run in recorded_runs(tmp_path)] == ["passed"]


@pytest.mark.parametrize(("last_word", "has_died"), [("none", True), ("end", False)])
def test_a_process_that_is_killed_leaves_a_run_that_died_unless_it_had_ended(
    tmp_path: Path, last_word: str, has_died: bool
) -> None:
    command = [sys.executable, "-c", HELD, str(tmp_path), last_word]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        (run,) = recorded_runs(tmp_path)
        assert run.is_alive
        process.kill()
    (run,) = recorded_runs(tmp_path)
    assert (run.is_alive, run.has_died) == (False, has_died)


def test_a_number_that_another_process_has_by_now_doesn_t_make_a_run_alive(tmp_path: Path) -> None:
    begin(tmp_path)
    path = run_file(tmp_path, "run")
    path.write_text(path.read_text(encoding="utf-8").split("\n\n")[0], encoding="utf-8")  # its end never came
    assert f'"process": {os.getpid()}' in path.read_text(encoding="utf-8")
    assert recorded_runs(tmp_path)[0].has_died


def test_a_torn_line_costs_that_line_only(tmp_path: Path) -> None:
    path = run_file(tmp_path, "run")
    with recording(tmp_path, "run", CLOSE, DAY, DAY) as record:
        with path.open("a", encoding="utf-8") as stream:
            stream.write('{"event": "rules", "at": "2026-03-05T0')
        add_failed_rules(path, [RULE])
        record.end("passed", "")
    (run,) = recorded_runs(tmp_path)
    assert (run.status, run.failed_rules) == ("passed", (RULE,))
    path.write_bytes(b"\xff\xfe no record at all")
    assert recorded_runs(tmp_path) == []


def test_the_first_end_counts(tmp_path: Path) -> None:
    begin(tmp_path)
    assert not add_end(tmp_path, Run("run", CLOSE, DAY, DAY, datetime(2026, 3, 5), status=ERROR, message="failed"))
    assert [run.status for run in recorded_runs(tmp_path)] == ["passed"]


def test_the_end_of_a_run_that_never_began_to_record_is_kept_with_its_days(tmp_path: Path) -> None:
    ended = Run("run", PULL, None, DAY, datetime(2026, 3, 5), status=CANCELED, ended_at=datetime(2026, 3, 6))
    assert add_end(tmp_path, ended)
    assert not add_end(tmp_path, ended)
    assert recorded_runs(tmp_path) == [ended]


def test_a_failed_check_is_kept_once_and_only_of_runs_that_are_known(tmp_path: Path) -> None:
    begin(tmp_path)
    assert add_failed_check(tmp_path, "run", RULE)
    assert not add_failed_check(tmp_path, "run", RULE)
    assert not add_failed_check(tmp_path, "another", RULE)
    assert [run.failed_rules for run in recorded_runs(tmp_path)] == [(RULE,)]


def test_only_its_user_reads_the_record_and_only_the_newest_stay_with_those_at_work(tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    with recording(folder, "at-work", CLOSE, DAY, DAY) as record:
        for number in range(4):
            with recording(folder, f"run-{number}", CLOSE, DAY, DAY, kept=2) as other:
                other.end("passed", "")
        assert {run.run_id for run in recorded_runs(folder)} == {"at-work", "run-2", "run-3"}
        record.end("passed", "")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert (stat.S_IMODE(folder.stat().st_mode), modes) == (0o700, {0o600})


def test_where_nothing_can_be_recorded_no_run_begins(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("in the way", encoding="utf-8")
    with pytest.raises(RingfenceError, match="that a run began can't be recorded"):
        begin(tmp_path / "runs")
