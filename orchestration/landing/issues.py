"""What can be wrong with a file, and where it is kept.

What belongs here: the record of one issue and writing it to ``incoming.schema_issue``. What doesn't: finding issues.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from orchestration.landing.rows import insert_rows
from orchestration.landing.schemas import INCOMING_TABLES

KEPT_PER_FILE = 1_000
"""A file of a million bad rows has one cause; a thousand of them show it."""

_SHOWN_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing in one file that doesn't conform. ``line`` counts the header; ``source_row`` doesn't."""

    problem: str
    expected: str
    line: int | None = None
    source_row: int | None = None
    column: str | None = None
    value: str | None = None
    content: str | None = None


def first_line(error: BaseException) -> str:
    """The first line of an error's message: enough for a person, without the engine's advice below it."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:_SHOWN_CHARACTERS]


def write_issues(
    connection: duckdb.DuckDBPyConnection,
    file: tuple[str, date | None, str],
    issues: Sequence[Issue],
    total: int,
) -> None:
    """Keep the first issues of a file (table, day, path), and say how many there are if they are more."""
    kept = list(issues[:KEPT_PER_FILE])
    if total > len(kept):
        kept.append(Issue(f"{total} problems in this file, the first {len(kept)} are listed", "no problem"))
    rows = [
        (
            *file,
            issue.line,
            issue.source_row,
            issue.column,
            None if issue.value is None else issue.value[:_SHOWN_CHARACTERS],
            issue.expected,
            issue.problem,
            issue.content,
        )
        for issue in kept
    ]
    columns = tuple((name, type_) for name, type_, _ in INCOMING_TABLES["schema_issue"][1])
    insert_rows(connection, "incoming.schema_issue", columns, rows)
