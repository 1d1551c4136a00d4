"""A run that only Dagster started records that it began and how it ended, as one of the command line does."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from orchestration.defs.common import Workspace
from orchestration.errors import RingfenceError
from orchestration.journal import Run, recorded_runs
from orchestration.landing import create_schemas
from orchestration.pipeline.run import ExitStatus, close_run, open_run
from orchestration.policy import load_policy
from orchestration.settings import Settings
from orchestration.warehouse.build_file import build_connection

DAY = date(2026, 3, 4)
TAGS = {"dagster/partition": str(DAY)}
Step = Callable[[Workspace, str], None]


def executed(settings: Settings, step: Step, tags: dict[str, str] = TAGS) -> Run:
    """The record of a run of one step, which is seen at work while it lasts."""

    @dg.asset
    def only(workspace: Workspace) -> None:
        under_way = recorded_runs(settings.paths.runs)[-1]
        assert under_way.is_alive
        step(workspace, under_way.run_id)

    definitions = dg.Definitions(
        assets=[only],
        jobs=[dg.define_asset_job("daily_close", executor_def=dg.in_process_executor)],
        resources={"workspace": Workspace.of(settings)},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("daily_close")
        job.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
    return recorded_runs(settings.paths.runs)[-1]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = Settings(tmp_path / "landing", tmp_path / "warehouse")
    settings.paths.snapshots.mkdir(parents=True)
    return settings


def opened(workspace: Workspace, run_id: str) -> None:
    with build_connection(workspace.settings.paths.build_file) as connection:
        create_schemas(connection)
        open_run(connection, load_policy(), run_id=run_id, first_date=DAY, last_date=DAY, landing_first_date=DAY)


def judged(workspace: Workspace, run_id: str) -> None:
    opened(workspace, run_id)
    with build_connection(workspace.settings.paths.build_file) as connection:
        close_run(connection, run_id, ExitStatus.FAILED_CHECKS, "a hole")
    (workspace.settings.paths.snapshots / f"ringfence_{DAY}_{run_id}.duckdb").touch()


def red(workspace: Workspace, run_id: str) -> None:
    judged(workspace, run_id)
    raise dg.Failure("a hole", allow_retries=False)


def broken(workspace: Workspace, run_id: str) -> None:
    judged(workspace, run_id)
    raise RingfenceError("disk full while publishing")


def interrupted(workspace: Workspace, run_id: str) -> None:
    opened(workspace, run_id)
    raise KeyboardInterrupt


def nothing(workspace: Workspace, run_id: str) -> None:
    """A step that gives no result."""


@pytest.mark.parametrize(
    ("step", "status", "words"),
    [
        (judged, "failed_checks", "a hole"),
        (red, "failed_checks", "a hole"),
        (broken, "error", "disk full while publishing"),
        (interrupted, "error", "it was interrupted"),
        (nothing, "partial", "a part of the job"),
    ],
)
def test_how_a_run_ended_is_recorded(settings: Settings, step: Step, status: str, words: str) -> None:
    run = executed(settings, step)
    assert (run.is_alive, run.status, run.first_date, run.last_date) == (False, status, DAY, DAY)
    assert words in run.message


def test_the_audit_says_the_same_of_an_error(settings: Settings) -> None:
    run = executed(settings, broken)
    with build_connection(settings.paths.build_file) as connection:
        said = connection.execute("select status, message from audit.run where run_id = ?", [run.run_id]).fetchall()
    assert said == [("error", "disk full while publishing")]


def test_a_run_that_goes_on_where_another_failed_has_its_result(settings: Settings) -> None:
    executed(settings, judged)
    assert executed(settings, nothing).status == "failed_checks"
    assert executed(settings, nothing, {"dagster/partition": "2026-03-05"}).status == "partial"
    assert executed(settings, nothing, {}).status == "partial"
