"""From which tables of the landing zone each check's findings are made, as the dbt project has it.

What belongs here: walking dbt's graph. What doesn't: what follows from it when a table is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from orchestration.checks import CHECKS
from orchestration.warehouse.dbt import manifest_as_json

_CALENDAR = frozenset({"plan", "time"})
_VALUATION = frozenset({"tokens"})
"""Folders of intermediate models that everything is built with: which days there are, and what a unit is worth."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Tables by check.

    ``whole``: all that a finding is made from, but for the calendar; ``measured``: what it is about, without what that
    is valued at, unless it is about values only.
    """

    whole: Mapping[str, frozenset[str]]
    measured: Mapping[str, frozenset[str]]


@cache
def lineage() -> Lineage:
    """The lineage of every check, walked once per process; raises DbtError if the project doesn't parse."""
    nodes = manifest_as_json()["nodes"]
    models = {node["name"]: key for key, node in nodes.items() if node["resource_type"] == "model"}
    whole, measured = {}, {}
    for check in CHECKS:
        if check.name in models:
            whole[check.name] = _tables(nodes, models[check.name], _CALENDAR)
            without_values = _tables(nodes, models[check.name], _CALENDAR | _VALUATION)
            measured[check.name] = without_values or whole[check.name]
    return Lineage(whole, measured)


def _tables(nodes: Mapping[str, Any], start: str, left_out: frozenset[str]) -> frozenset[str]:
    """Landing tables above a model, by paths that touch no model of the folders left out."""
    found, met, waiting = set(), {start}, [start]
    while waiting:
        for parent in nodes[waiting.pop()]["depends_on"].get("nodes", ()):
            kind, _, *source = parent.split(".")
            if kind == "source" and source[0] == "landing":
                found.add(source[1])
            elif parent in nodes and parent not in met and not left_out & set(nodes[parent]["fqn"][:-1]):
                met.add(parent)
                waiting.append(parent)
    return frozenset(found)
