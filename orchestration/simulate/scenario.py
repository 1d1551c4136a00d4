"""Scenarios: named stories in ``data/scenarios/*.yaml``, read and checked.

What belongs here: finding, reading and validating a scenario's file. What doesn't: what an act does to the exchange
(package acts) and how the exchange lives (world, activity).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestration.errors import ConfigurationError
from orchestration.settings import REPOSITORY

SCENARIO_FOLDER = REPOSITORY / "data" / "scenarios"
MINIMUM_ACCOUNTS = 20
MAXIMUM_ACCOUNTS = 5_000_000
MAXIMUM_DAYS = 3_660


@dataclass(frozen=True, slots=True)
class ActPlan:
    """One act of the story: its registered name, the day it starts (0 is the first day) and its parameters."""

    name: str
    day: int
    facts: tuple[str, ...]
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario with its sizes. Dates are fixed by the file, never by the clock."""

    name: str
    description: str
    start: date
    days: int
    minimum_days: int
    accounts: int
    acts: tuple[ActPlan, ...]

    @property
    def last(self) -> date:
        """The last simulated day."""
        return self.date_of(self.days - 1)

    def date_of(self, day: int) -> date:
        """The calendar date of a day number."""
        return self.start + timedelta(days=day)

    def day_of(self, when: date) -> int:
        """The day number of a calendar date; may lie outside the simulated range."""
        return (when - self.start).days


def scenario_names() -> list[str]:
    """Names of the scenarios that ship with the project, sorted."""
    return sorted(path.stem for path in SCENARIO_FOLDER.glob("*.yaml"))


def load_scenario(
    name: str, *, days: int | None = None, accounts: int | None = None, last_date: date | None = None
) -> Scenario:
    """Read the scenario of that name, resized and ending on a day; raise ConfigurationError for what can't be."""
    if name not in scenario_names():
        raise ConfigurationError(f"unknown scenario {name!r}: choose one of {', '.join(scenario_names())}")
    scenario = _parse(SCENARIO_FOLDER / f"{name}.yaml")
    sized = replace(
        scenario,
        days=scenario.days if days is None else days,
        accounts=scenario.accounts if accounts is None else accounts,
    )
    _check_sizes(sized)
    if last_date is None:
        return sized
    if sized.acts:
        raise ConfigurationError(f"--last-day {last_date}: the story of scenario {name} has days of its own")
    return replace(sized, start=last_date - timedelta(days=sized.days - 1))


def _check_sizes(scenario: Scenario) -> None:
    if not scenario.minimum_days <= scenario.days <= MAXIMUM_DAYS:
        raise ConfigurationError(
            f"--days {scenario.days}: scenario {scenario.name} needs between {scenario.minimum_days} and "
            f"{MAXIMUM_DAYS} days"
        )
    if not MINIMUM_ACCOUNTS <= scenario.accounts <= MAXIMUM_ACCOUNTS:
        raise ConfigurationError(
            f"--accounts {scenario.accounts}: choose between {MINIMUM_ACCOUNTS} and {MAXIMUM_ACCOUNTS} accounts"
        )


def _parse(path: Path) -> Scenario:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        start = content["start"]
        acts = tuple(_parse_act(act, start) for act in content.get("acts") or [])
        return Scenario(
            name=path.stem,
            description=str(content["description"]).strip(),
            start=start,
            days=int(content["days"]),
            minimum_days=int(content["minimum_days"]),
            accounts=int(content["accounts"]),
            acts=acts,
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"scenario file {path.name} can't be read: {error}; correct it") from error


def _parse_act(content: dict[str, Any], start: date) -> ActPlan:
    parameters = {key: value for key, value in content.items() if key not in {"act", "date", "facts", "story"}}
    day = (content["date"] - start).days
    return ActPlan(content["act"], day, tuple(content.get("facts") or []), _dates_to_days(parameters, start))


def _dates_to_days(value: Any, start: date) -> Any:
    """The same content with every date as a day number."""
    if isinstance(value, date):
        return (value - start).days
    if isinstance(value, dict):
        return {key: _dates_to_days(item, start) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_to_days(item, start) for item in value]
    return value
