"""What a suite consists of and what a gate asks, without Great Expectations' own classes.

What belongs here: the shapes that ``entry`` and ``leaving`` fill, ``engine`` runs and ``server`` answers with. What
doesn't: any rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
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


ENTRY, EXIT = "entry", "exit"


@dataclass(frozen=True, slots=True)
class Question:
    """What a gate asks: whether the build file keeps the rules of that gate.

    ``severities`` gives each check's severity in force, None if policy disables it; ``marts`` are those that exist.
    Results are also written as pages below ``data_docs``; what fails goes into ``run_file``, the record of the run.
    """

    gate: str
    build_file: Path
    data_docs: Path
    severities: Mapping[str, str | None]
    marts: tuple[str, ...] = ()
    run_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer that could not be given: the message in one line, and the traceback."""

    message: str
    traceback: str


@dataclass(frozen=True, slots=True)
class PagesWritten:
    """The answer that follows the outcomes: their pages have been written."""
