"""kill -9 after every step of a run, and at random statements and moments within it."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from tests.faults import children
from tests.faults.undisturbed import STEPS, Undisturbed, runs

SEEDS_OF_STATEMENTS, SEEDS_OF_MOMENTS = (1, 2), (1,)
_PUBLISHED_AFTER = STEPS.index("publish_run")


def test_runs_killed_after_every_step_are_made_good_by_the_next(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Each run goes on from what the one before left, and gets a step further (``soak``: each from a good day)."""
    settings = undisturbed.copy(tmp_path)
    expected = [("one", "passed"), ("two", "passed")]
    for number, step in enumerate(STEPS):
        assert children.ended(children.start(children.run_killed_after_step, settings, step, step)) == -signal.SIGKILL
        is_published = number >= _PUBLISHED_AFTER
        expected.append((step, "passed" if is_published else "killed"))
        undisturbed.require_held(settings, is_before=not is_published)
    undisturbed.require_mended(settings)
    assert runs(settings.paths) == [*expected, ("again", "passed")]


@pytest.mark.parametrize("seed", SEEDS_OF_STATEMENTS)
def test_a_run_killed_at_a_random_statement_is_made_good_by_the_next(
    seed: int, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings, number = undisturbed.copy(tmp_path), random.Random(seed).randint(1, undisturbed.changes)
    child = children.start(children.run_killed_before_change, settings, number, "killed")
    assert children.ended(child) == -signal.SIGKILL
    undisturbed.require_held(settings)
    undisturbed.require_mended(settings)


@pytest.mark.parametrize("seed", SEEDS_OF_MOMENTS)
def test_a_run_killed_at_a_random_moment_is_made_good_by_the_next(
    seed: int, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path)
    # It may have ended by then, where the machine is faster than it was; then there was nothing to kill.
    seconds = random.Random(seed).uniform(0, undisturbed.seconds)
    assert children.kill_after(children.start(children.run, settings, "killed"), seconds) in (0, -signal.SIGKILL)
    undisturbed.require_held(settings)
    undisturbed.require_mended(settings)
