"""The one validated file of alerts: where they go, how soon again, who owns which check. No secret stands in it.

What belongs here: reading and refusing. What doesn't: a channel's own keys (its module in ``channels``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from orchestration.alerts.channels import CHANNELS, Channel, ChannelSettings
from orchestration.alerts.incidents import Category, Incident, Patience
from orchestration.alerts.observing import (
    CHECK_RUNS,
    PUBLISHED_IN_TIME,
    ROWS_ARRIVE,
    RUN_COMPLETES,
    SOURCE_PULLED,
    categories_of,
)
from orchestration.checks import CHECK_DISABLED, Kind, Severity, checks_by_name
from orchestration.connectors.configuration import UniqueKeys, first_problem
from orchestration.connectors.secrets import Address, Secrets, VariableName
from orchestration.durations import Duration
from orchestration.errors import ConfigurationError

EXAMPLE = Path(__file__).with_name("examples") / "alerts.yaml"
"""Every key of the file and of every channel, explained."""
FINANCIAL_CONTROL, DATA_ENGINEERING = "team:financial-control", "team:data-engineering"
"""Who owns checks that the file gives no owner."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What an incident can be, as far as routes tell them apart."""

    check_name: str
    category: Category
    severity: Severity
    owner: str

    @property
    def kind(self) -> Kind | None:
        """The check's kind; None for what is watched besides the catalogue."""
        check = checks_by_name().get(self.check_name)
        return Kind.POLICY if self.check_name == CHECK_DISABLED.name else check.kind if check else None


class Condition(BaseModel):
    """Which incidents a route takes: those that fit every list that isn't empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    categories: tuple[Category, ...] = ()
    kinds: tuple[Kind, ...] = ()
    severities: tuple[Severity, ...] = ()
    checks: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()

    def takes(self, incident: Incident, owner: str) -> bool:
        """Whether an incident, whose check has that owner, goes this way."""
        return self.fits(Trouble(incident.seen.check_name, incident.seen.category, incident.seen.severity, owner))

    def fits(self, trouble: Trouble) -> bool:
        """Whether every list that isn't empty names what the trouble is."""
        wanted = (
            (self.categories, trouble.category),
            (self.kinds, trouble.kind),
            (self.severities, trouble.severity),
            (self.checks, trouble.check_name),
            (self.owners, trouble.owner),
        )
        return all(not listed or value in listed for listed, value in wanted)


class Again(BaseModel):
    """How long after a message an open incident is told again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    critical: Duration = timedelta(hours=4)
    warning: Duration = timedelta(days=1)


class RouteSection(BaseModel):
    """What every route has; each channel adds its own keys under ``to``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str
    to: dict[str, Any] = {}
    when: Condition = Condition()
    group_by: Literal["incident", "asset", "affiliate", "subject", "check"] = "incident"


class AlertsSection(BaseModel):
    """The file as a whole."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environment: str = Field(min_length=1, max_length=100)
    store: Address | None = None
    hash_key_variable: VariableName
    again_after: Again = Again()
    growth_pct: int = Field(25, ge=1, le=10_000)
    event_days: int = Field(7, ge=1, le=366)
    hangs_after: Duration = timedelta(hours=6)
    deadline: str = Field("06:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    owners: dict[str, str] = {}
    runbook: str = ""
    routes: dict[str, RouteSection] = Field(min_length=1)
    nobody_is_told: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class Alerts:
    """The configuration that was read, and the settings of each route's channel."""

    section: AlertsSection
    routes: dict[str, tuple[type[Channel], ChannelSettings]]

    @property
    def patience(self) -> Patience:
        """When something is said again."""
        again = self.section.again_after
        growth = Decimal(self.section.growth_pct) / 100
        return Patience({Severity.CRITICAL: again.critical, Severity.WARNING: again.warning}, growth)

    def store_address(self, secrets: Secrets) -> str | None:
        """Where the store is, with its secrets in it; None if it is the file beside the warehouse."""
        return secrets.fill_url(self.section.store) if self.section.store is not None else None

    def owner_of(self, check_name: str) -> str:
        """Who owns a check: as configured, or financial control for breaches and data engineering for the rest."""
        if check_name in self.section.owners:
            return self.section.owners[check_name]
        check = checks_by_name().get(check_name)
        return FINANCIAL_CONTROL if check and check.kind is Kind.BREACH else DATA_ENGINEERING

    def is_left_out(self, incident: Incident) -> bool:
        """Whether the file says that nobody is told of an incident."""
        owner = self.owner_of(incident.seen.check_name)
        return any(condition.takes(incident, owner) for condition in self.section.nobody_is_told)

    def runbook_of(self, check_name: str) -> str:
        """Where a check's runbook stands; empty if there is none."""
        return self.section.runbook.replace("{check}", check_name)


def load_alerts(path: Path) -> Alerts:
    """Read the configuration file; raise ConfigurationError that names the file, the key and the remedy."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeys)  # noqa: S506 (a safe loader's child)
    except OSError as error:
        raise ConfigurationError(f"alerts file {path} can't be read: {error.strerror}; name another") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"alerts file {path} is no YAML: {' '.join(str(error).split())}") from error
    try:
        section = AlertsSection.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"alerts file {path}: {first_problem(error)}") from error
    _check_names(path, section)
    alerts = Alerts(section, {name: _channel(path, name, route) for name, route in section.routes.items()})
    _check_routes(path, alerts)
    return alerts


def _check_names(path: Path, section: AlertsSection) -> None:
    """Every check and owner that is named is one."""
    checks, owners = watched_checks(), {FINANCIAL_CONTROL, DATA_ENGINEERING, *section.owners.values()}
    named = [("owners", "check", name, checks) for name in section.owners]
    for place, condition in _conditions(section):
        named += [(f"{place}.checks", "check", name, checks) for name in condition.checks]
        named += [(f"{place}.owners", "owner", name, owners) for name in condition.owners]
    for place, what, name, known in named:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"alerts file {path}: {place}: no {what} is named {name}; {hint}")


def _conditions(section: AlertsSection) -> list[tuple[str, Condition]]:
    places = [(f"routes.{name}.when", route.when) for name, route in section.routes.items()]
    return places + [(f"nobody_is_told.{place}", condition) for place, condition in enumerate(section.nobody_is_told)]


def _check_routes(path: Path, alerts: Alerts) -> None:
    """Every condition fits something, and everything has a route or is left out in so many words."""
    troubles = [
        Trouble(name, category, severity, alerts.owner_of(name))
        for name in sorted(watched_checks())
        for category in categories_of(name)
        for severity in Severity
    ]
    conditions = _conditions(alerts.section)
    for place, condition in conditions:
        if not any(condition.fits(trouble) for trouble in troubles):
            raise ConfigurationError(
                f"alerts file {path}: {place}: no incident can fit all of its lists; take out what excludes the other"
            )
    untaken = [trouble for trouble in troubles if not any(condition.fits(trouble) for _, condition in conditions)]
    if untaken:
        first, others = untaken[0], len({trouble.check_name for trouble in untaken}) - 1
        raise ConfigurationError(
            f"alerts file {path}: routes: none takes {first.check_name} when it is {first.severity.value}"
            f" ({first.category.value}, owner {first.owner})"
            f"{f', nor all of {others} other checks' if others else ''}; add a route without when, which takes"
            " everything, or say under nobody_is_told which incidents nobody is told of"
        )


def _channel(path: Path, name: str, route: RouteSection) -> tuple[type[Channel], ChannelSettings]:
    channel = CHANNELS.get(route.channel)
    place = f"alerts file {path}: routes.{name}"
    if channel is None:
        near = get_close_matches(route.channel, CHANNELS, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(CHANNELS)}"
        raise ConfigurationError(f"{place}.channel: there is no {route.channel}; {hint}")
    if channel.keeps_states and route.group_by != "incident":
        raise ConfigurationError(
            f"{place}.group_by: {route.channel} resolves each incident by itself and groups them by its own rules;"
            " leave group_by out"
        )
    try:
        return channel, channel.settings_class.model_validate(route.to)
    except ValidationError as error:
        raise ConfigurationError(f"{place}.to.{first_problem(error)}") from error


def watched_checks() -> set[str]:
    """Names that an incident's check can have."""
    of_the_job = {RUN_COMPLETES, CHECK_RUNS, ROWS_ARRIVE, PUBLISHED_IN_TIME, SOURCE_PULLED}
    return {*checks_by_name(), CHECK_DISABLED.name, *of_the_job}
