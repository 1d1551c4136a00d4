"""Dagster's memory of runs doesn't grow without end."""

from __future__ import annotations

import pytest
from dagster import DagsterInstance, DagsterRun

from orchestration.runner import _drop_old_runs


@pytest.mark.parametrize(
    ("kept", "left"), [(1, []), (3, ["four", "five"]), (9, ["one", "two", "three", "four", "five"])]
)
def test_the_newest_runs_stay_with_the_one_that_begins(kept: int, left: list[str]) -> None:
    with DagsterInstance.ephemeral() as instance:
        for run_id in ("one", "two", "three", "four", "five"):
            instance.add_run(DagsterRun(job_name="daily", run_id=run_id))
        _drop_old_runs(instance, kept)
        assert [run.run_id for run in instance.get_runs()][::-1] == left
