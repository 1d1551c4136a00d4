"""What a suite consists of, without Great Expectations' own classes.

What belongs here: the shapes that ``entry`` and ``leaving`` fill and ``engine`` runs. What doesn't: any rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SHAPE = "shape"
"""Kind of a rule that no check of the catalogue stands for: its failure is an error of the program, not a finding."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation. ``expectation`` is a Great Expectations object with its severity set.

    ``name`` is a check of the catalogue, or says what the rule guards; ``subject`` is the table it is about.
    """

    name: str
    subject: str
    kind: str
    expectation: Any


@dataclass(frozen=True, slots=True)
class TableSuite:
    """The rules on one table of the build file."""

    name: str
    schema: str
    table: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What became of one rule. A rule that could not be evaluated is an error, never a pass."""

    stage: str
    check_name: str
    subject: str
    kind: str
    severity: str
    success: bool
    is_error: bool
    rows_checked: int | None
    unexpected: int | None
    observed: str | None
