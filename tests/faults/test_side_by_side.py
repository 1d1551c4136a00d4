"""Runs and readers at the same time: one run works on a warehouse, and nobody who reads is in its way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import duckdb

from orchestration.pipeline.run import ExitStatus
from tests.faults import children
from tests.faults.undisturbed import STEPS, Undisturbed, plain_run, runs


def test_one_of_two_runs_works_and_a_reader_keeps_what_it_opened(undisturbed: Undisturbed, tmp_path: Path) -> None:
    settings = replace(undisturbed.copy(tmp_path), snapshots_kept=1)
    opened = next(settings.paths.snapshots.glob("*_two.duckdb"))
    amounts = "select sum(liability), count(*) from marts.fct_customer_liability_daily"
    turned_away: list[int] = []

    def after(step: str) -> None:
        assert reader.execute(amounts).fetchall() == before
        if step in (STEPS[0], STEPS[5]):
            turned_away.append(children.ended(children.start(children.require_busy, settings, os.getpid())))

    with duckdb.connect(str(settings.paths.published_file), read_only=True) as reader:
        before = reader.execute(amounts).fetchall()
        assert plain_run(settings, "first", after=after) is ExitStatus.PASSED
        assert not opened.exists(), "its snapshot wasn't dropped"
        assert reader.execute(amounts).fetchall() == before
    assert turned_away == [0, 0]
    undisturbed.require_held(settings, is_before=False)
    assert runs(settings.paths) == [("one", "passed"), ("two", "passed"), ("first", "passed")]
