"""Parses the dbt project ahead, so that nothing waits for it later: ``python -m orchestration.warehouse.prepare``.

With ``--strict`` it parses anew and fails on any warning, for continuous integration.
"""

from __future__ import annotations

import sys

from orchestration.errors import RingfenceError
from orchestration.warehouse.dbt import parse_strictly, prepare_project


def main(arguments: list[str]) -> int:
    """Prepare the project; return the exit status."""
    try:
        if "--strict" in arguments:
            parse_strictly()
        else:
            prepare_project()
    except RingfenceError as error:
        print(f"ringfence: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
