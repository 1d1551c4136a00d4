"""The fault library: everything that can be planted into a healthy exchange, each with exactly what must be found.

How it works. A fault is an act (package ``acts``) with a name, the check that it is about, a form and a description.
It has the same hooks: ``prepare`` changes the plan, ``morning`` and ``evening`` act on the book, ``publish`` changes
what management reports, ``deliver`` and ``refer`` change what is delivered of a day or of the reference tables, and
``spoil`` changes files or writes a second delivery. ``findings`` yields what must be found: every finding, of every
check, on every day, computed from the simulator's records and never by running the pipeline. An innocent fault yields
none.

How to add one. Write a class in the module of its family and append it to the module's ``FAULTS``. Then

- choose the latest hook that does: what a source says wrongly belongs in ``deliver``, what happened in ``evening``;
- act through accounts and wallets of your own (``Fault.open_customer``, ``open_affiliate``, ``open_house``), so that
  the rest of the exchange is the same as without the fault, and faults don't meet;
- a fault that hangs on a month's end is a ``MonthEndFault``: others are planted later in a longer exchange;
- say in ``touches`` what else the fault bends: an asset's price, a group's reserves, a month's report. Two faults that
  share a word there are never planted together;
- take amounts from the world (``owed_usd``, prices, balances), never from a seed that happens to work, and keep away
  from limits: a fault must hold for any seed and size;
- list every consequence. An account in the red may have negative equity too; a wallet that isn't eligible may leave its
  group short. ``tests/simulate/test_faults.py`` plants every group and compares the findings with the truth, both ways.

Stages. A published fault leaves the load sound. One that is refused keeps the load out, so nothing else is found with
it; one that is refused later does so in a second delivery (folder ``later/``, see ``delivery.lay_over``) after a first
run that passed. ``compatible_groups`` partitions faults into as few exchanges as these rules allow.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.errors import ConfigurationError
from orchestration.simulate.faults import (
    affiliates,
    integrity,
    liabilities,
    reconciliation,
    reserves,
    revenue,
    tokens,
)
from orchestration.simulate.faults.base import Fault, Stage
from orchestration.simulate.scenario import ActPlan, Scenario

FAULTS: dict[str, type[Fault]] = {
    fault.name: fault
    for family in (integrity, reconciliation, reserves, affiliates, liabilities, tokens, revenue)
    for fault in family.FAULTS
}
"""The registry by name, in order of families."""

SCENARIO = "healthy"
"""Faults are planted into the exchange in which nothing else is wrong."""

__all__ = ["FAULTS", "Fault", "Stage", "compatible_groups", "fault_lines", "minimum_days", "plan_faults"]


def plan_faults(scenario: Scenario, names: Sequence[str]) -> list[Fault]:
    """The faults of those names, planned for a scenario; raise ConfigurationError if they can't be planted into it."""
    for name in names:
        if name not in FAULTS:
            raise ConfigurationError(f"unknown fault {name!r}: `ringfence simulate --list-faults` names them all")
    if len(set(names)) < len(names):
        raise ConfigurationError("a fault is named twice: name each once")
    if names and scenario.name != SCENARIO:
        raise ConfigurationError(f"faults are planted into scenario {SCENARIO}, not {scenario.name}: change --scenario")
    for position, name in enumerate(names):
        for other in names[:position]:
            reason = _collision(FAULTS[name], FAULTS[other])
            if reason:
                raise ConfigurationError(f"faults {other} and {name} don't go together: {reason}; plant them apart")
        if scenario.days < FAULTS[name].minimum_days:
            raise ConfigurationError(
                f"--days {scenario.days}: fault {name} needs at least {FAULTS[name].minimum_days} days"
            )
    return [FAULTS[name](ActPlan(name, FAULTS[name].planting_day(scenario), (), {})) for name in names]


def compatible_groups(names: Sequence[str] | None = None) -> list[tuple[str, ...]]:
    """Partition faults (all by default) into groups that can be planted together, each as full as it gets.

    The order of the registry decides, so the same names give the same groups.
    """
    groups: list[list[str]] = []
    for name in FAULTS if names is None else names:
        fitting = (g for g in groups if not any(_collision(FAULTS[name], FAULTS[other]) for other in g))
        found = next(fitting, None)
        if found is None:
            groups.append([name])
        else:
            found.append(name)
    return [tuple(group) for group in groups]


def minimum_days(names: Sequence[str]) -> int:
    """The least number of days of an exchange that holds these faults."""
    return max((FAULTS[name].minimum_days for name in names), default=1)


def fault_lines() -> list[str]:
    """The catalogue as lines of text: name, check, form and description, by family."""
    width = max(len(name) for name in FAULTS)
    checks = max(len(fault.check) for fault in FAULTS.values())
    return [
        f"{fault.name:{width}}  {fault.check:{checks}}  {fault.form:8}  {fault.description}"
        for fault in FAULTS.values()
    ]


def _collision(one: type[Fault], other: type[Fault]) -> str | None:
    if one.stage is not other.stage:
        return f"one is {one.stage.value}, the other {other.stage.value}"
    shared = one.touches & other.touches
    return f"both touch {', '.join(sorted(shared))}" if shared else None
