"""How long the imports of a run take, by package; the expectations load beside it and aren't counted.

What belongs here: reading Python's own account of it. What doesn't: the other parts (``pipeline_run``).
"""

from __future__ import annotations

import sys
from collections import Counter

from orchestration.bench.speed.measuring import run_measured

_MODULES = "orchestration.cli, orchestration.runner, orchestration.definitions"
_SHOWN = 8


def import_seconds() -> list[tuple[str, float]]:
    """Seconds spent in each top-level package's own modules, the most expensive first; compiled files are at hand."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {_MODULES}"]
    run_measured(command, environment=None, timeout=300)
    measured = run_measured(command, environment=None, timeout=300)
    spent: Counter[str] = Counter()
    for _, line in measured.lines:
        own, _, rest = line.removeprefix("import time:").partition("|")
        if line.startswith("import time:") and own.strip().isdigit():
            spent[rest.partition("|")[2].strip().partition(".")[0]] += int(own)
    shown = [(name, microseconds / 1e6) for name, microseconds in spent.most_common(_SHOWN)]
    others = spent.total() / 1e6 - sum(seconds for _, seconds in shown)
    return [*shown, ("others", others)]
