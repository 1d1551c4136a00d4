"""Prometheus Alertmanager, by its API v2. It groups, inhibits, silences and repeats by its own configuration.

What belongs here: alerts as Alertmanager knows them, by their labels. What doesn't: what is said (``told``).

Alertmanager keeps alerts in memory until ``endsAt``. So after every look it is told what stands, and that whatever else
it still holds of this route is over: a restart, a lost message or a label that changed is mended by the next look.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field, model_validator

from orchestration.alerts.channels.base import Channel, ChannelError, ChannelServices, ChannelSettings, Sending
from orchestration.alerts.channels.fitting import cut
from orchestration.alerts.channels.posting import PostingSettings, as_bytes, ask, post
from orchestration.alerts.incidents import Occasion
from orchestration.alerts.told import Told
from orchestration.connectors.secrets import Address, VariableName
from orchestration.durations import Duration

JOB = "ringfence"
LABEL, ANNOTATION = 200, 10_000
"""So many characters of a label and of an annotation are passed on; Alertmanager has no limit of its own."""
TEST_STANDS_FOR = timedelta(minutes=15)
_AT_ONCE, _MEGABYTES = 500, 64

Alert = dict[str, Any]


class AlertmanagerSettings(PostingSettings):
    """Every member of the cluster, how to log in, how long an alert stands there that nobody refreshes."""

    urls: tuple[Address, ...] = Field(min_length=1)
    user: str | None = None
    password_variable: VariableName | None = None
    token_variable: VariableName | None = None
    expires_after: Duration = timedelta(hours=26)
    generator_url: str = ""

    @model_validator(mode="after")
    def _one_log_in(self) -> AlertmanagerSettings:
        if (self.user is None) != (self.password_variable is None):
            raise ValueError("user and password_variable go together; give both or neither")
        if self.user is not None and self.token_variable is not None:
            raise ValueError("give either user and password_variable or token_variable")
        if self.expires_after < timedelta(minutes=3):
            raise ValueError("expires_after must be longer than looks are apart; write 3m or more")
        return self


class AlertmanagerChannel(Channel):
    """Fires and resolves alerts at every member of a cluster, since members don't pass alerts on to each other."""

    settings_class: ClassVar[type[ChannelSettings]] = AlertmanagerSettings
    keeps_states: ClassVar[bool] = True
    forgets: ClassVar[bool] = True

    def __init__(self, settings: AlertmanagerSettings, services: ChannelServices) -> None:
        super().__init__(settings, services)
        self.settings = settings

    def send(self, sending: Sending) -> None:
        """Fire or resolve; taken once every member has taken it."""
        alerts = [*self._alerts(sending)]
        self._at_each(lambda address: self._post(address, alerts))

    def refresh(self, standing: Sequence[Sending]) -> None:
        """Fire all that stands, and resolve whatever else a member still holds of this route."""
        fired = [alert for sending in standing for alert in self._alerts(sending)]
        self._at_each(lambda address: self._post(address, [*fired, *self._over(address, fired)]))

    def check(self) -> str:
        """Every member answers and takes the log-in; nothing fires."""
        versions = []

        def status(address: str) -> None:
            answer = json.loads(self._get(address, "/api/v2/status"))
            versions.append(answer["versionInfo"]["version"])

        self._at_each(status)
        return f"{len(versions)} answered, version {', '.join(sorted(set(versions)))}"

    def _at_each(self, tell: Callable[[str], None]) -> None:
        """Tell every member, then raise if one couldn't be told."""
        failed: list[ChannelError] = []
        for address in self.settings.urls:
            try:
                tell(address)
            except ChannelError as error:
                failed.append(error)
            except (ValueError, LookupError, TypeError) as error:
                failed.append(ChannelError(f"what answers is no Alertmanager ({type(error).__name__})"))
        if failed:
            of = f"{len(failed)} of {len(self.settings.urls)} members: " if len(self.settings.urls) > 1 else ""
            raise ChannelError(
                of + "; ".join(map(str, failed)),
                is_final=all(error.is_final for error in failed),
                retry_after=max((error.retry_after for error in failed if error.retry_after), default=None),
            )

    def _alerts(self, sending: Sending) -> Iterator[Alert]:
        now = self.services.now()
        stands_for = TEST_STANDS_FOR if sending.is_test else self.settings.expires_after
        ends = now if sending.occasion is Occasion.RESOLVED else now + stands_for
        for told in sending.content.told:
            begins = min(datetime.fromisoformat(told.since[:10]), now)
            alert: Alert = {
                "labels": self._labels(sending, told),
                "annotations": _annotations(sending, told),
                "startsAt": _moment(begins),
                "endsAt": _moment(ends),
            }
            yield alert | ({"generatorURL": self.settings.generator_url} if self.settings.generator_url else {})

    def _labels(self, sending: Sending, told: Told) -> dict[str, str]:
        """What tells alerts apart. Nobody is named, and nothing in it changes from day to day."""
        labels = {
            "alertname": told.check_name,
            "job": JOB,
            "route": self.services.route,
            "environment": self.services.environment,
            "severity": told.severity,
            "category": told.category_name,
            "check": told.check_name,
            "asset": told.asset or "",
            "owner": told.owner,
            "subject": told.affected,
            "test": "true" if sending.is_test else "",
        }
        return {name: cut(text, LABEL) for name, text in labels.items() if text}

    def _over(self, address: str, fired: Sequence[Alert]) -> Iterator[Alert]:
        """What a member holds of this route that isn't fired any more, resolved."""
        matchers = {"job": JOB, "route": self.services.route, "environment": self.services.environment}
        query = urlencode([("filter", f"{name}={json.dumps(text)}") for name, text in matchers.items()])
        standing = {_identity(alert["labels"]) for alert in fired}
        for alert in json.loads(self._get(address, f"/api/v2/alerts?{query}")):
            if "test" not in alert["labels"] and _identity(alert["labels"]) not in standing:
                kept = {name: alert[name] for name in ("labels", "annotations", "startsAt")}
                yield kept | {"endsAt": _moment(self.services.now())}

    def _get(self, address: str, path: str) -> bytes:
        where = address.rstrip("/") + path
        return ask(self.services, "GET", where, None, self._log_in(), self.settings.seconds, _MEGABYTES)

    def _post(self, address: str, alerts: Sequence[Alert]) -> None:
        where = address.rstrip("/") + "/api/v2/alerts"
        for start in range(0, len(alerts), _AT_ONCE):
            body = as_bytes(alerts[start : start + _AT_ONCE])
            post(self.services, where, body, self._log_in(), self.settings.seconds)

    def _log_in(self) -> Mapping[str, str]:
        settings, secrets = self.settings, self.services.outside.secrets
        if settings.token_variable is not None:
            return {"authorization": f"Bearer {secrets.read(settings.token_variable)}"}
        if settings.user is not None and settings.password_variable is not None:
            both = f"{settings.user}:{secrets.read(settings.password_variable)}"
            encoded = base64.b64encode(both.encode()).decode()
            secrets.add(encoded)
            return {"authorization": f"Basic {encoded}"}
        return {}


def _annotations(sending: Sending, told: Told) -> dict[str, str]:
    """What is said of an alert; the latest counts."""
    annotations = {
        "summary": f"{told.what} {told.how_much}",
        "description": told.text(),
        "query": told.query,
        "command": told.command,
        "runbook": told.runbook,
        "message": sending.key,
    }
    return {name: cut(text, ANNOTATION) for name, text in annotations.items() if text}


def _identity(labels: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds") + "Z"
