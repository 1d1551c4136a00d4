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
from orchestration.alerts.observing import CHECK_RUNS, PUBLISHED_IN_TIME, ROWS_ARRIVE, RUN_COMPLETES
from orchestration.checks import CHECK_DISABLED, Kind, Severity, checks_by_name
from orchestration.connectors.configuration import UniqueKeys, first_problem
from orchestration.connectors.secrets import Address, Secrets, VariableName
from orchestration.durations import Duration
from orchestration.errors import ConfigurationError


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
        seen = incident.seen
        check = checks_by_name().get(seen.check_name)
        wanted = (
            (self.categories, seen.category),
            (self.kinds, check.kind if check else None),
            (self.severities, seen.severity),
            (self.checks, seen.check_name),
            (self.owners, owner),
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
    deadline: str = Field("06:00", pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    owners: dict[str, str] = {}
    runbook: str = ""
    routes: dict[str, RouteSection] = Field(min_length=1)


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
        return "team:financial-control" if check and check.kind is Kind.BREACH else "team:data-engineering"

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
    return Alerts(section, {name: _channel(path, name, route) for name, route in section.routes.items()})


def _check_names(path: Path, section: AlertsSection) -> None:
    known = watched_checks()
    named = [("owners", name) for name in section.owners]
    named += [
        (f"routes.{route}.when.checks", name) for route, part in section.routes.items() for name in part.when.checks
    ]
    for place, name in named:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
            raise ConfigurationError(f"alerts file {path}: {place}: no check is named {name}; {hint}")


def _channel(path: Path, name: str, route: RouteSection) -> tuple[type[Channel], ChannelSettings]:
    channel = CHANNELS.get(route.channel)
    if channel is None:
        raise ConfigurationError(
            f"alerts file {path}: routes.{name}.channel: there is no {route.channel}; there are {', '.join(CHANNELS)}"
        )
    try:
        return channel, channel.settings_class.model_validate(route.to)
    except ValidationError as error:
        raise ConfigurationError(f"alerts file {path}: routes.{name}.to.{first_problem(error)}") from error


def watched_checks() -> set[str]:
    """Names that an incident's check can have."""
    return {*checks_by_name(), CHECK_DISABLED.name, RUN_COMPLETES, CHECK_RUNS, ROWS_ARRIVE, PUBLISHED_IN_TIME}
