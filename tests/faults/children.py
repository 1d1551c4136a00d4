"""Runs in processes of their own, which are killed, put out of room or stripped of rights.

Each is forked from a process that has imported all of it and opened nothing, so that it costs what its run costs.
"""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

import pytest

from orchestration.settings import Settings
from orchestration.warehouse.lock import WarehouseBusyError
from tests.faults.undisturbed import Scope, changes_told, plain_run

FAILED = 17
"""Exit status of a child in which something was raised."""


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.warm"])
    return context


def start(work: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    """Start ``work`` in a process of its own."""
    process = _context().Process(target=_guarded, args=(work, arguments))
    process.start()
    return process


def _guarded(work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    try:
        work(*arguments)
    except BaseException as error:
        traceback.print_exc(file=sys.stderr)
        raise SystemExit(FAILED) from error


def ended(process: ForkServerProcess) -> int:
    """Wait for the end of a child; its exit status, or the negated signal that ended it."""
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def kill_after(process: ForkServerProcess, seconds: float) -> int:
    """Kill a child when so much time has passed, unless it has ended before; return as ``ended`` does."""
    has_ended, _, _ = select.select([process.sentinel], [], [], seconds)
    if not has_ended:  # else its number may be another's by now
        process.kill()
    return ended(process)


def run_killed_after_step(settings: Settings, step: str, run_id: str, scope: Scope | None = None) -> None:
    """Run day 3 until that step is done, and die there."""

    def after(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    plain_run(settings, run_id, scope=scope, after=after)


def run_killed_before_change(settings: Settings, number: int, run_id: str, scope: Scope | None = None) -> None:
    """Run day 3 until just before its n-th change of anything on disk, and die there."""

    def counted(changes: int) -> None:
        if changes == number:
            os.kill(os.getpid(), signal.SIGKILL)

    with changes_told(counted):
        plain_run(settings, run_id, scope=scope)


def run(settings: Settings, run_id: str, scope: Scope | None = None) -> None:
    """Run day 3."""
    plain_run(settings, run_id, scope=scope)


def require_busy(settings: Settings, holder: int) -> None:
    """Be told that another process works on the warehouse, and by which one."""
    with pytest.raises(WarehouseBusyError, match=f"process {holder} is working on it; wait until it has ended"):
        plain_run(settings, "second")
