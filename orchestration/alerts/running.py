"""What the record of runs shows of trouble: runs that ended without a result, and what their gates had found by then.

What belongs here: which runs are made good, and by which, and putting names on the others. What doesn't: what was
published (``observing``), keeping the record (``orchestration.journal``).

Runs come one after the other, so that one which came to a result of a day makes good what failed before it for that day
or an earlier one, however either was started.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from orchestration.alerts.incidents import Category, Observation
from orchestration.alerts.observing import (
    RUN_COMPLETES,
    category_of,
    of_job,
    rule_failed,
    run_failed,
)
from orchestration.checks import Kind, Severity, checks_by_name
from orchestration.journal import CANCELED, CLOSE, ERROR, PULL, FailedRule, Run

_SHAPE = "shape"


@dataclass(frozen=True, slots=True)
class Result:
    """That a run which began then came to a result of the days up to ``last_date``; ``number`` as the record has it."""

    began_at: datetime
    last_date: date
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Watching:
    """What a look judges runs by. ``event_days``: how long what happened once is looked at."""

    environment: str
    at: datetime
    hangs_after: timedelta
    event_days: int


def results_of(runs: Iterable[Run], job: str = CLOSE) -> list[Result]:
    """The results that the record shows."""
    return [Result(run.began_at, _day_of(run), run.number) for run in runs if run.job == job and run.is_completed]


def observe_runs(
    runs: Sequence[Run], results: Sequence[Result], watching: Watching, found: Collection[str]
) -> list[Observation]:
    """What stands against the daily close. ``found``: checks whose findings are seen already.

    Of several runs that failed the latest day's counts, and of that day's the last.
    """
    standing = _standing([run for run in runs if run.job == CLOSE], results, watching)
    if standing is None:
        return []
    run, why = standing
    day = _day_of(run)
    # A rule that could not be evaluated is why the run came to nothing: one incident, not two.
    observations = [_fatal(watching, run, rule) for rule in _fatal_rules(run)]
    if not observations:
        observations = [run_failed(watching.environment, day, why, run.run_id)]
    observations += [
        _unpublished(watching, run, rule)
        for rule in run.failed_rules
        if rule.check_name not in found and _is_of_now(rule, day, watching)
    ]
    return observations


def observe_pulls(runs: Sequence[Run], watching: Watching) -> list[Observation]:
    """What stands against the job that pulls the sources, apart from what each source says of itself."""
    standing = _standing([run for run in runs if run.job == PULL], results_of(runs, PULL), watching)
    if standing is None:
        return []
    run, why = standing
    failed = of_job(watching.environment, RUN_COMPLETES, Category.CHECK_FAILED, _day_of(run), PULL)
    return [replace(failed, message=f"Pulling {_day_of(run)} ended without a result: {why}", run_id=run.run_id)]


def _standing(runs: Sequence[Run], results: Sequence[Result], watching: Watching) -> tuple[Run, str] | None:
    """The run to tell of that came to no result, none after it either, and why; None if there is none."""
    failed = [(run, why) for run in runs if (why := _trouble(run, watching)) is not None]
    open_ = [(run, why) for run, why in failed if not any(_makes_good(result, run) for result in results)]
    return max(open_, key=lambda one: (_day_of(one[0]), one[0].began_at), default=None)


def _makes_good(result: Result, run: Run) -> bool:
    has_numbers = result.number is not None and run.number is not None
    is_later = result.number > run.number if has_numbers else result.began_at > run.began_at  # type: ignore[operator]
    return is_later and result.last_date >= _day_of(run)


def _trouble(run: Run, watching: Watching) -> str | None:
    """Why a run came to no result; None if it did, or may still."""
    if run.status == ERROR:
        return run.message
    if run.status == CANCELED:
        return f"it was stopped: {run.message}" if run.message else "it was stopped"
    if run.has_died:
        began = f"{run.began_at:%Y-%m-%d %H:%M} UTC"
        return f"its process, which began at {began}, died (killed, out of memory, or the machine went down)"
    if run.status is None and watching.at - run.began_at >= watching.hangs_after:
        hours = watching.hangs_after / timedelta(hours=1)
        return f"it hangs: it has been running since {run.began_at:%Y-%m-%d %H:%M} UTC, longer than {hours:g} hours"
    return None


def _day_of(run: Run) -> date:
    """The last day that the run was asked for; without one, the day that had ended when it began."""
    return run.last_date or run.began_at.date() - timedelta(days=1)


def _fatal_rules(run: Run) -> list[FailedRule]:
    """Rules that ended the run: not evaluated, or against a shape that no finding explains."""
    explained = {rule.gate for rule in run.failed_rules if rule.kind == Kind.INTEGRITY.value and not rule.is_error}
    return [
        rule
        for rule in run.failed_rules
        if rule.is_error
        or (rule.kind == _SHAPE and rule.severity == Severity.CRITICAL.value and rule.gate not in explained)
    ]


def _fatal(watching: Watching, run: Run, rule: FailedRule) -> Observation:
    if rule.is_error:
        return rule_failed(
            watching.environment, _day_of(run), run.run_id, rule.check_name, rule.observed or "no reason given"
        )
    name = f"{rule.subject} {rule.check_name}"
    text = f"it failed although no check found anything: {rule.observed or f'{rule.subjects} rows'}"
    failed = rule_failed(watching.environment, _day_of(run), run.run_id, name, text)
    return replace(failed, message=f"Rule {rule.check_name} on {rule.subject} ({rule.gate} gate): {text}.")


def _is_of_now(rule: FailedRule, day: date, watching: Watching) -> bool:
    """Whether a check's failure says something of the day, and not of one that was told long ago."""
    check = checks_by_name().get(rule.check_name)
    if check is None or rule.is_error or rule.kind == _SHAPE:
        return False
    if rule.day is None or check.kind is Kind.INTEGRITY:
        return True
    return rule.day > day - timedelta(days=watching.event_days if check.is_event else 1)


def _unpublished(watching: Watching, run: Run, rule: FailedRule) -> Observation:
    """What a check had found when its run ended; whom it concerns stands nowhere that could be read."""
    day = rule.day or _day_of(run)
    subjects = f"{rule.subjects:,} subjects" if rule.subjects is not None else "something"
    return Observation(
        environment=watching.environment,
        check_name=rule.check_name,
        category=category_of(rule.check_name, checks_by_name()[rule.check_name].kind),
        severity=Severity(rule.severity),
        subject_type="check",
        subject_id=rule.check_name,
        asset=None,
        day=day,
        since=day,
        message=f"{rule.check_name} fails on {day} for {subjects}; the run that found it ended before publishing it.",
        impact_usd=None if rule.impact_usd is None else Decimal(rule.impact_usd),
        run_id=run.run_id,
    )
