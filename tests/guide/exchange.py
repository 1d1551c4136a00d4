"""The exchange that the pages show: the demo's collapse, simulated and run by the tour's own commands.

What belongs here: a shell in which they run, by the job itself or by its steps without Dagster, dbt and Great
Expectations, which take a quarter of the time and must come to the same. What doesn't: pages.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch
from uuid import uuid4

from orchestration import demo, runner, simulate
from orchestration.ending import RunResult, recorded_result
from orchestration.pipeline.run import ExitStatus
from orchestration.settings import HASH_KEY, REPOSITORY, Settings, WarehousePaths
from tests.faults.undisturbed import plain_run, whole_scope
from tests.guide.pages import Shell

GUIDE = REPOSITORY / "orchestration" / "guide"
TOUR, AUDITORS, README = GUIDE / "TOUR.md", GUIDE / "AUDITORS.md", REPOSITORY / "README.md"
PAGES = (TOUR, README, AUDITORS)
"""Pages with commands, in the order in which these are run: the tour's make the exchange."""
PICTURES = ("history", "network")
"""Pictures of the report that the pages show."""


class ExchangeShell(Shell):
    """A shell that knows what the demo says, and where it works: pages don't tell the folder."""

    simulation: simulate.SimulationSummary

    def run(self, line: str) -> str:
        """Run a command of a page."""
        head, _, filters = line.partition(" | ")
        if head != "make demo":
            return super().run(line).replace(f"{self.folder}/", "")
        told = demo.demo_lines(self.simulation, self.paths, RunResult("demo", ExitStatus.FAILED_CHECKS, ""))
        (self.folder / "demo.txt").write_text("\n".join(told) + "\n", encoding="utf-8")
        return super().run(f"cat demo.txt | {filters}")

    @property
    def paths(self) -> WarehousePaths:
        """The warehouse that the tour fills."""
        return WarehousePaths(self.folder / "warehouse")


def _plain_days(settings: Settings, first: date, last: date, **_: Any) -> RunResult:
    """What stands in for ``run_days``."""
    run_id = str(uuid4())
    plain_run(settings, run_id, first, last, scope=whole_scope())
    recorded = recorded_result(settings, run_id)
    assert recorded is not None
    return RunResult(run_id, *recorded)


@contextmanager
def exchange_shell(folder: Path, *, is_whole: bool) -> Iterator[ExchangeShell]:
    """A shell in an empty folder; ``is_whole`` runs the job itself."""
    shell = ExchangeShell(folder)
    write = simulate.simulate

    def simulated(*arguments: Any, **options: Any) -> simulate.SimulationSummary:
        shell.simulation = write(*arguments, **options)
        return shell.simulation

    with (
        patch.object(simulate, "simulate", simulated),
        patch.object(runner, "run_days", runner.run_days if is_whole else _plain_days),
        patch.dict("os.environ", {HASH_KEY: "the exchange is made up"}),
    ):
        yield shell
