"""Findings of a day as a report shows them: the largest of each check, how many more there are, and the query for all.

What belongs here: which findings, and what may be said of them outside the house. What doesn't: their layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb

from orchestration.keyed_hashes import PLAIN_SUBJECTS, affected, process_hashing, sentence
from orchestration.reading.published import fetch_rows
from orchestration.sql import quoted

Row = dict[str, Any]

SHOWN_PER_CHECK = 20
"""A check can find thousands; a page that shows them all shows none."""

_CHECKS = """
    select check_name, any_value(kind) as kind, min(severity) as severity, count(*) as findings,
        count(*) filter (where severity = 'critical') as critical, max(impact_usd) as largest_impact_usd
    from audit.finding
    where as_of_date = ?
    group by check_name
    order by severity, largest_impact_usd desc nulls last, check_name
"""

_LARGEST = """
    select check_name, kind, severity, subject_type, subject_id, asset, observed, expected, impact_usd, message,
        evidence, first_seen_on
    from audit.finding
    where as_of_date = ?
    qualify row_number() over (
        partition by check_name
        order by severity, impact_usd desc nulls last, subject_type, subject_id, asset nulls first, message
    ) <= ?
    order by severity, impact_usd desc nulls last, check_name, subject_type, subject_id, asset nulls first, message
"""


@dataclass(frozen=True, slots=True)
class CheckFindings:
    """What one check found: how many, the largest of them, and the query that returns all."""

    check_name: str
    kind: str
    severity: str
    findings: int
    critical: int
    largest_impact_usd: Any
    query: str
    rows: list[Row]

    @property
    def left_out(self) -> int:
        """How many findings aren't shown."""
        return self.findings - len(self.rows)


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything found on the day, check by check, the gravest first."""

    checks: list[CheckFindings]

    @property
    def total(self) -> int:
        """How many findings there are."""
        return sum(check.findings for check in self.checks)

    @property
    def critical(self) -> int:
        """How many of them are critical."""
        return sum(check.critical for check in self.checks)


def read_findings(connection: duckdb.DuckDBPyConnection, day: date) -> Findings:
    """The findings of a day, without the names of whom they are about."""
    rows: dict[str, list[Row]] = {}
    for row in fetch_rows(connection, _LARGEST, (day, SHOWN_PER_CHECK)):
        rows.setdefault(row["check_name"], []).append(_without_names(row))
    return Findings(
        [
            CheckFindings(**check, query=_query(check["check_name"], day), rows=rows[check["check_name"]])
            for check in fetch_rows(connection, _CHECKS, (day,))
        ]
    )


def _query(check_name: str, day: date) -> str:
    return f"select * from audit.finding where as_of_date = date '{day}' and check_name = {quoted(check_name)}"


def _without_names(finding: Row) -> Row:
    """The finding as a report shows it: about somebody, it holds a keyed hash and the amounts only."""
    kind, subject = finding["subject_type"], finding["subject_id"]
    if kind in PLAIN_SUBJECTS:
        return finding
    hashing = process_hashing()
    return finding | {
        "subject_id": affected(kind, subject, hashing),
        "message": sentence(kind, subject, finding["message"], finding["observed"], hashing),
        "evidence": None,
        "observed": None,
        "expected": None,
    }
