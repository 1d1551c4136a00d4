"""What the launcher says of a run that it can't ask about; a code location that answers is in tests/production."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG

from orchestration.dagster_launcher import CodeLocationLauncher


@pytest.fixture
def launcher() -> Iterator[CodeLocationLauncher]:
    with DagsterInstance.ephemeral() as instance:
        launcher = CodeLocationLauncher()
        launcher.register_instance(instance)
        yield launcher


def run_of(launcher: CodeLocationLauncher, tags: dict[str, str]) -> DagsterRun:
    run = DagsterRun(job_name="daily_close", run_id="one", status=DagsterRunStatus.STARTED, tags=tags)
    return launcher._instance.add_run(run)


def test_a_code_location_that_doesn_t_answer_may_be_ending_after_its_run(
    launcher: CodeLocationLauncher, tmp_path: Path
) -> None:
    nobody = {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(tmp_path / "code-location.sock")})}
    assert launcher.supports_check_run_worker_health
    assert launcher.check_run_worker_health(run_of(launcher, nobody)).status is WorkerStatus.RUNNING


def test_a_run_from_the_command_line_is_not_the_launchers(launcher: CodeLocationLauncher) -> None:
    assert launcher.check_run_worker_health(run_of(launcher, {})).status is WorkerStatus.RUNNING
