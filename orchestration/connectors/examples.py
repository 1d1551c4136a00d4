"""The example configuration: every kind of source with every key, explained line by line.

What belongs here: putting the sections together. What doesn't: the sections themselves, ``examples/<kind>.yaml``.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from orchestration.connectors.kinds import KINDS, kinds_by_name
from orchestration.errors import ConfigurationError

EXAMPLES = Path(__file__).with_name("examples")

_HEAD = """\
# Sources that `ringfence sources pull` pulls into the landing zone, in this order. Keep those you have.
# Secrets stay in the environment: ${NAME} in an address, or the variable's name under a key that ends in _variable.
# Try it with: ringfence sources check --sources FILE --landing DIR
sources:
"""


def example(names: Sequence[str] = ()) -> str:
    """The configuration of the kinds named, or of all; raise ConfigurationError for a kind that there isn't."""
    for name in names:
        if name not in kinds_by_name():
            near = get_close_matches(name, kinds_by_name(), n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(kinds_by_name())}"
            raise ConfigurationError(f"no kind of source is named {name!r}; {hint}")
    chosen = [kind.name for kind in KINDS if not names or kind.name in names]
    return _HEAD + "".join(f"\n{_indented(name)}" for name in chosen)


def _indented(name: str) -> str:
    lines = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return "\n".join(f"  {line}" if line else "" for line in lines).rstrip() + "\n"
