"""Parses the dbt project ahead, so that nothing waits for it later: ``python -m orchestration.warehouse.prepare``.

With ``--strict`` it fails on any warning, and compiles all models, for continuous integration.
"""

from __future__ import annotations

import sys

from orchestration.errors import RingfenceError
from orchestration.warehouse.compiled import compiled_project
from orchestration.warehouse.dbt import prepare_project, require_no_warnings


def main(arguments: list[str]) -> int:
    """Prepare the project; return the exit status."""
    try:
        prepare_project()
        if "--strict" in arguments:
            require_no_warnings()
            compiled_project()  # kept too: tests build by it
    except RingfenceError as error:
        print(f"ringfence: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
