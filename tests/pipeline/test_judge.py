"""The process that evaluates expectations: what it answers, and that it never outlives whoever asks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from expectations.rules import ENTRY, Question
from orchestration.checks import CHECKS
from orchestration.contract import TABLES
from orchestration.landing import create_schemas
from orchestration.pipeline.judge import Judge, JudgeError

SEVERITIES = {check.name: check.severity.value for check in CHECKS}


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    started = Judge()
    yield started
    started.end()


@pytest.fixture
def build_file(tmp_path: Path) -> Path:
    path = tmp_path / "ringfence_build.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_schemas(connection)
    return path


def test_outcomes_come_first_and_pages_when_they_are_waited_for(judge: Judge, build_file: Path, tmp_path: Path) -> None:
    outcomes = judge.ask(Question(ENTRY, build_file, tmp_path / "pages", SEVERITIES))
    assert {outcome.subject for outcome in outcomes} >= {f"incoming.{table.name}" for table in TABLES}
    duckdb.connect(str(build_file)).close()  # whoever asked can write to the file at once
    judge.settle()
    assert (tmp_path / "pages" / ENTRY / "index.html").is_file()


def test_a_question_that_can_t_be_answered_is_an_error_with_its_cause_and_the_next_one_is_answered(
    judge: Judge, build_file: Path, tmp_path: Path
) -> None:
    with pytest.raises(JudgeError, match="KeyError") as caught:
        judge.ask(Question(ENTRY, build_file, tmp_path / "pages", {}))
    assert "entry_suites" in str(caught.value.__cause__)
    assert judge.ask(Question(ENTRY, build_file, tmp_path / "pages", SEVERITIES))
    judge.settle()


def test_pages_that_can_t_be_written_are_an_error(judge: Judge, build_file: Path, tmp_path: Path) -> None:
    (tmp_path / "pages").write_text("in the way")
    assert judge.ask(Question(ENTRY, build_file, tmp_path / "pages", SEVERITIES))
    with pytest.raises(JudgeError, match="pages"):
        judge.settle()


def test_a_judge_that_is_gone_is_an_error(build_file: Path, tmp_path: Path) -> None:
    judge = Judge()
    os.kill(judge.process_id, signal.SIGKILL)
    with pytest.raises(JudgeError, match="run again"):
        judge.ask(Question(ENTRY, build_file, tmp_path / "pages", SEVERITIES))
    assert not judge.is_alive


def test_a_killed_run_takes_its_judge_along() -> None:
    program = (
        "import time; from orchestration.pipeline.judge import judge\n"
        "print(judge().process_id, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        process_id = int(run.stdout.readline())
        run.kill()
    deadline = time.monotonic() + 30
    while is_running(process_id):
        assert time.monotonic() < deadline, "the judge outlived the run"
        time.sleep(0.05)


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process_id}/stat")
    # Nobody may be left to collect what has ended.
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
