"""Writes what the pages show anew: ``python -m tests.guide.refresh`` (two whole runs), or ``--plain`` (their steps).

What belongs here: which pages, and writing them. What doesn't: how (``pages``, ``generated``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.guide.exchange import GUIDE, PAGES, exchange_shell
from tests.guide.generated import GENERATED
from tests.guide.pages import with_generated, with_outputs
from tests.guide.pictures import drawn


def main(arguments: list[str]) -> None:
    """Run the tour, and what else shows its exchange."""
    with (
        TemporaryDirectory() as folder,
        exchange_shell(Path(folder).resolve(), is_whole="--plain" not in arguments) as shell,
    ):
        for page in PAGES:
            shown = with_outputs(page.read_text(encoding="utf-8"), shell)
            page.write_text(with_generated(shown, {name: make() for name, make in GENERATED.items()}), encoding="utf-8")
        for name, svg in drawn(shell.paths).items():
            (GUIDE / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
