"""What Great Expectations' results mean: the outcome of each rule, from the result alone.

What belongs here: reading results, in whichever form GX gives them. What doesn't: running anything, and what follows.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from expectations.rules import Rule, RuleOutcome
from orchestration.journal import FailedRule
from orchestration.keyed_hashes import process_hashing, without_values
from orchestration.safe_text import one_line


def described(rule: Rule, number: int) -> dict[str, Any]:
    """What an expectation carries along, so that its result says which rule it is of."""
    return {"rule": number, "name": rule.name, "subject": rule.subject, "kind": rule.kind}


def number_of(result: Any) -> int:
    """The rule's place in its suite."""
    return int(result.expectation_config.meta["rule"])


def outcome_of(stage: str, result: Any) -> RuleOutcome:
    """The outcome of one rule."""
    raised = _raised(result)
    figures = _figures(result)
    is_error = raised is not None or not isinstance(result.success, bool)
    meta = result.expectation_config.meta
    return RuleOutcome(
        stage=stage,
        check_name=meta["name"],
        subject=meta["subject"],
        kind=meta["kind"],
        severity=str(getattr(result.expectation_config.severity, "value", result.expectation_config.severity)),
        success=bool(result.success) and not is_error,
        is_error=is_error,
        rows_checked=figures.get("element_count"),
        unexpected=_unexpected(figures),
        observed=raised if raised is not None else _observed(figures),
    )


def outcome_without_result(stage: str, rule: Rule, error: Exception) -> RuleOutcome:
    """The outcome of a rule whose table can't be read."""
    return RuleOutcome(
        stage=stage,
        check_name=rule.name,
        subject=rule.subject,
        kind=rule.kind,
        severity=str(rule.expectation.severity.value),
        success=False,
        is_error=True,
        rows_checked=None,
        unexpected=None,
        observed=_without_values(str(error)),
    )


def failure_of(outcome: RuleOutcome, result: Any = None) -> FailedRule:
    """A rule that failed, as the record of a run keeps it: with what the latest day has that fails it."""
    day, subjects, impact_usd = _latest_day(_figures(result)) if result is not None else (None, None, None)
    return FailedRule(
        gate=outcome.stage,
        check_name=outcome.check_name,
        subject=outcome.subject,
        kind=outcome.kind,
        severity=outcome.severity,
        is_error=outcome.is_error,
        day=day,
        subjects=subjects if subjects is not None else outcome.unexpected,
        impact_usd=impact_usd,
        observed=outcome.observed,
    )


def _figures(result: Any) -> dict[str, Any]:
    return result.result if isinstance(result.result, dict) else {}


def _latest_day(figures: dict[str, Any]) -> tuple[date | None, int | None, str | None]:
    """The latest day that a rule of the catalogue shows, with its subjects and the money at stake."""
    rows = [row for row in figures.get("details", {}).get("unexpected_rows") or () if "day" in row]
    if not rows:
        return None, None, None
    latest = max(row["day"] for row in rows)
    of_day = [row for row in rows if row["day"] == latest]
    amounts = [Decimal(row["impact_usd"]) for row in of_day if row.get("impact_usd") is not None]
    return (
        date.fromisoformat(latest),
        sum(int(row["subjects"]) for row in of_day),
        str(sum(amounts)) if amounts else None,
    )


def _raised(result: Any) -> str | None:
    """The message of an expectation that raised, in whichever of its two forms GX reports it."""
    info = result.exception_info or {}
    entries = [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]
    for entry in entries:
        if entry.get("raised_exception"):
            return _without_values(str(entry.get("exception_message")))
    return None


def _without_values(text: str) -> str:
    """An engine's message, which ends in pages, logs and alerts."""
    return one_line(without_values(text, process_hashing()))[:500]


def _unexpected(figures: dict[str, Any]) -> int | None:
    if figures.get("unexpected_count") is not None:
        return int(figures["unexpected_count"])
    rows = figures.get("details", {}).get("unexpected_rows")
    if rows is None:
        counted = figures.get("observed_value")
        return counted if isinstance(counted, int) else None
    # A catalogue rule's rows are days, each with the number of subjects that fail on it.
    return sum(int(row.get("subjects", 1)) for row in rows)


def _observed(figures: dict[str, Any]) -> str | None:
    rows = figures.get("details", {}).get("unexpected_rows")
    if not rows:
        mismatched = figures.get("details", {}).get("mismatched")
        return str(mismatched) if mismatched else None
    shown = "; ".join(", ".join(f"{name} {value}" for name, value in row.items()) for row in rows[:5])
    return shown + (f"; and {len(rows) - 5} more" if len(rows) > 5 else "")
