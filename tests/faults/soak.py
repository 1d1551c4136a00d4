"""Kill runs at random, many times: ``python -m tests.faults.soak --kills 200 [--whole] [--seed N]``.

After each kill the same is held as in continuous integration. Each begins with the warehouse after day 2. A third are
killed after a step, a third before a random change on disk, a third at a random moment. ``--whole`` builds every model.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from orchestration.settings import Settings
from tests.faults import children
from tests.faults.undisturbed import STEPS, Scope, Undisturbed, make_undisturbed, small_scope, whole_scope


def disturb(undisturbed: Undisturbed, settings: Settings, chance: random.Random, number: int, scope: Scope) -> str:
    """Run day 3 and kill it; return where."""
    if number % 3 == 0:
        step = STEPS[number // 3 % len(STEPS)]
        child = children.start(children.run_killed_after_step, settings, step, "killed", scope)
        place, status = f"after {step}", children.ended(child)
    elif number % 3 == 1:
        change = chance.randint(1, undisturbed.changes)
        child = children.start(children.run_killed_before_change, settings, change, "killed", scope)
        place, status = f"before change {change}", children.ended(child)
    else:
        seconds = chance.uniform(0, undisturbed.seconds)
        status = children.kill_after(children.start(children.run, settings, "killed", scope), seconds)
        place = f"after {seconds:.2f} s"
    if status not in (0, -signal.SIGKILL):
        raise AssertionError(f"{place}: the run ended with {status}")
    return place if status else "not at all: it had ended"


def main() -> int:
    """Kill, compare, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=600, help="begin no kill after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--whole", action="store_true", help="build every model, not one mart's")
    given = parser.parse_args()
    scope, chance = whole_scope() if given.whole else small_scope(), random.Random(given.seed)
    told: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        undisturbed = make_undisturbed(Path(scratch) / "undisturbed", scope)
        for number in range(given.kills):
            if time.monotonic() - started > given.minutes * 60:
                break
            folder = Path(scratch) / "disturbed"
            settings = undisturbed.copy(folder)
            place = disturb(undisturbed, settings, chance, number, scope)
            try:
                undisturbed.require_held(settings)
                undisturbed.require_mended(settings, scope=scope)
            except Exception as error:  # noqa: BLE001 (all of them are to be tried)
                told["FAILED"] += 1
                sys.stdout.write(f"kill {number}, {place}: {type(error).__name__} {error}\n")
            else:
                told["killed and made good" if "not at all" not in place else "ended before it was killed"] += 1
            shutil.rmtree(folder)
            if number % 20 == 19:
                sys.stdout.write(f"{number + 1} done\n")
                sys.stdout.flush()
    counted = ", ".join(f"{count} {what}" for what, count in sorted(told.items()))
    sys.stdout.write(f"{counted}; {undisturbed.changes} changes in a run; {time.monotonic() - started:,.0f} s\n")
    return int(told["FAILED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
