"""Progress of long work on standard error; standard output is for data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from orchestration import progress


@contextmanager
def progress_shown(*, enabled: bool) -> Iterator[None]:
    """Show what is being done: a moving line on a terminal, one line for each stage elsewhere."""
    if not enabled:
        yield
        return
    if not sys.stderr.isatty():
        with progress.listening(_StageLines()):
            yield
        return
    from rich.console import Console

    with (
        Console(stderr=True).status("starting") as status,
        progress.listening(lambda stage, detail: status.update(f"{stage}: {detail}")),
    ):
        yield


class _StageLines:
    """Prints a stage when it begins."""

    def __init__(self) -> None:
        self.stage = ""

    def __call__(self, stage: str, detail: str) -> None:  # noqa: ARG002 (a listener hears both)
        if stage != self.stage:
            self.stage = stage
            print(f"{stage} ...", file=sys.stderr, flush=True)
