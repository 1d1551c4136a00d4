"""SIGTERM from an orchestrator, and Ctrl-C: the run ends at once, says so, and nothing is half done."""

from __future__ import annotations

import os
import signal
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

import duckdb

from orchestration.settings import Settings
from tests.faults import children
from tests.faults.undisturbed import Undisturbed, plain_run, runs


def run_that_can_be_stopped(settings: Settings, stopped: signal.Signals, ready: Connection) -> None:
    """Run day 3 as the command line does, which turns the signal into an exception, and tell when building begins."""
    signal.signal(stopped, signal.default_int_handler)
    plain_run(settings, "stopped", after=lambda step: ready.send(step) if step == "judge_delivery" else None)


def test_a_run_that_is_stopped_while_it_builds_ends_and_is_made_good(undisturbed: Undisturbed, tmp_path: Path) -> None:
    settings = undisturbed.copy(tmp_path)
    ready, theirs = Pipe(duplex=False)
    child = children.start(run_that_can_be_stopped, settings, signal.SIGTERM, theirs)
    assert ready.recv() == "judge_delivery"
    assert child.pid is not None
    os.kill(child.pid, signal.SIGTERM)
    assert children.ended(child) == children.FAILED
    undisturbed.require_held(settings, is_before=True)
    with duckdb.connect(str(settings.paths.build_file), read_only=True) as connection:
        ended = "select status, finished_at is not null from audit.run where run_id = 'stopped'"
        assert connection.execute(ended).fetchall() == [("error", True)]
    undisturbed.require_mended(settings)
    assert runs(settings.paths)[2:] == [("stopped", "error"), ("again", "passed")]
