"""Rules for the checks of the catalogue, over the staged findings: a check passes if it found nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.rules import SHAPE, Rule, TableSuite
from orchestration.checks import CHECK_DISABLED, CHECKS, Kind

_SCHEMA, _TABLE = "checked", "finding"


def _check_rule(name: str, kind: Kind, severity: str) -> Rule:
    # Days and counts only: subjects are customers' identifiers, which have no place in Data Docs.
    query = (
        "select cast(as_of_date as varchar) as day, severity, count(*) as subjects,"
        " cast(sum(impact_usd) as varchar) as impact_usd"
        f" from {{batch}} where check_name = '{name}' group by as_of_date, severity order by as_of_date, severity"
    )
    expectation = gxe.UnexpectedRowsExpectation(
        unexpected_rows_query=query,
        description=f"No subject fails {name}.",
        severity=FailureSeverity(severity),
        meta={"check": name},
    )
    return Rule(name, f"findings.{name}", kind.value, expectation)


def _shape_rules() -> list[Rule]:
    names = ", ".join(f"'{check.name}'" for check in (*CHECKS, CHECK_DISABLED))
    incomplete = (
        "select check_name, count(*) as subjects from {batch} where as_of_date is null or subject_type is null"
        " or subject_id is null or message is null or severity is null or kind is null or impact_usd < 0"
        f" or severity not in ('critical', 'warning') or check_name not in ({names}) or first_seen_on > as_of_date"
        " group by check_name"
    )
    expectation = gxe.UnexpectedRowsExpectation(
        unexpected_rows_query=incomplete,
        description="Every finding names its check, day, subject and severity, and no impact is negative.",
        severity=FailureSeverity.CRITICAL,
    )
    return [Rule("findings_complete", f"{_SCHEMA}.{_TABLE}", SHAPE, expectation)]


def check_suite(name: str, kinds: Sequence[Kind], severities: Mapping[str, str | None]) -> TableSuite:
    """One rule for each check of these kinds that policy doesn't disable, and one on the findings' own form."""
    rules = _shape_rules()
    for check in CHECKS:
        severity = severities[check.name]
        if check.kind in kinds and severity is not None:
            rules.append(_check_rule(check.name, check.kind, severity))
    return TableSuite(name, _SCHEMA, _TABLE, tuple(rules))
