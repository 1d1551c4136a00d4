"""What a run comes to: its exit status, and one line that names the worst findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from orchestration.checks import Kind, checks_by_name
from orchestration.keyed_hashes import affected, process_hashing, sentence
from orchestration.pipeline.findings import PUBLISHED_STAGE, STAGED_TABLE, Finding, critical_findings
from orchestration.pipeline.run import ExitStatus, RunContext

_WORST_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """Exit status and message of a run."""

    status: ExitStatus
    message: str


def amount_in_usd(finding: Finding) -> str:
    """The money at stake as people write it: whole dollars, or 'unpriced'."""
    return "unpriced" if finding.impact_usd is None else f"{finding.impact_usd:,.0f} USD"


def worst_of_each_check(findings: Sequence[Finding]) -> list[Finding]:
    """The first finding of each check, in the order given."""
    worst: dict[str, Finding] = {}
    for finding in findings:
        worst.setdefault(finding.check_name, finding)
    return list(worst.values())


def _one_line(finding: Finding) -> str:
    """The finding as logs may show it: nobody is named."""
    hashing = process_hashing()
    subject = affected(finding.subject_type, finding.subject_id, hashing)
    subject += f" {finding.asset}" if finding.asset is not None else ""
    said = sentence(finding.subject_type, finding.subject_id, finding.message, finding.observed, hashing)
    # Money is at stake in what a check finds about the exchange, not in what a file looks like.
    check = checks_by_name().get(finding.check_name)
    at_stake = "" if check is not None and check.kind is Kind.INTEGRITY else f" ({amount_in_usd(finding)})"
    return f"{finding.as_of_date} {finding.check_name} {subject}{at_stake}" + (f": {said}" if said else "")


def _named(findings: Sequence[Finding]) -> str:
    worst = worst_of_each_check(findings)
    shown = " | ".join(_one_line(finding) for finding in worst[:_WORST_SHOWN])
    more = len(worst) - _WORST_SHOWN
    return shown + (f" | and {more} more checks" if more > 0 else "")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def entry_verdict(connection: duckdb.DuckDBPyConnection) -> Verdict:
    """Judge the staged integrity findings: one critical of any date, and nothing of this delivery is taken."""
    critical = critical_findings(connection, kinds=[Kind.INTEGRITY], table=STAGED_TABLE)
    if not critical:
        return Verdict(ExitStatus.PASSED, "the delivery can be trusted")
    return Verdict(
        ExitStatus.FAILED_INTEGRITY,
        f"{_counted(len(critical), 'critical integrity finding')}, nothing of this delivery was taken: "
        + _named(critical),
    )


def final_verdict(connection: duckdb.DuckDBPyConnection, context: RunContext) -> Verdict:
    """Judge the standing findings: a critical one on a day of this run fails it."""
    critical = critical_findings(
        connection, kinds=PUBLISHED_STAGE, first_date=context.first_date, last_date=context.last_date
    )
    if not critical:
        return Verdict(ExitStatus.PASSED, f"no critical finding from {context.first_date} to {context.last_date}")
    return Verdict(
        ExitStatus.FAILED_CHECKS,
        f"{_counted(len(critical), 'critical finding')} from {context.first_date} to {context.last_date}: "
        + _named(critical),
    )
