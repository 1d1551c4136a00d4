"""An engine without a warehouse: looks into a store in memory, and the messages that come of them, for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.incidents import (
    Bears,
    Incident,
    Look,
    Observation,
    Occasion,
    Patience,
    Step,
    bears_on_nothing,
    steps,
)
from orchestration.alerts.store import Message, Store
from orchestration.alerts.told import Content
from orchestration.alerts.wording import Wording
from orchestration.checks import CHECKS
from orchestration.keyed_hashes import Hashing
from tests.alerts.looks import DAY, NIGHT, PATIENCE

EVERY_CHECK = tuple(check.name for check in CHECKS)
WATCHED = ("rows_arrive", "check_runs", "run_completes", "published_in_time")
HASHING = Hashing("a key")


@dataclass(frozen=True)
class Heard:
    """What a message said: on which route, why, of which checks, and what it explained."""

    route: str
    occasion: Occasion
    checks: tuple[str, ...]
    explains: tuple[str, ...] = ()


class Desk:
    """Looks and changes, one after the other."""

    def __init__(
        self, folder: Path, routes: dict[str, dict[str, Any]], bears: Bears = bears_on_nothing, url: str = "sqlite://"
    ) -> None:
        to = {"url": "http://127.0.0.1:1", "secret_variable": "HOOK_SECRET"}
        section = {
            "environment": "production",
            "hash_key_variable": "HASH_KEY",
            "routes": {name: {"channel": "webhook", "to": to, **route} for name, route in routes.items()},
        }
        file = folder / "desk.yaml"
        file.write_text(yaml.safe_dump(section), encoding="utf-8")
        self.wording = Wording(load_alerts(file), HASHING, "/warehouse")
        self.store, self.bears = Store(url), bears

    def look(
        self,
        *seen: Observation,
        at: datetime = NIGHT,
        day: date = DAY,
        checks: Sequence[str] = (*EVERY_CHECK, *WATCHED),
        patience: Patience = PATIENCE,
    ) -> list[Heard]:
        """Look, and return what is said."""
        look = Look("production", at, day, checks)
        return self._apply(lambda known: steps(known, seen, look, patience, self.bears), at)

    def change(self, number: int, change: Callable[[Incident], Step], at: datetime = NIGHT) -> list[Heard]:
        """What somebody makes of an incident."""
        return self._apply(lambda known: [change(one) for one in known if one.number == number], at)

    def _apply(self, look: Callable[[Sequence[Incident]], list[Step]], at: datetime) -> list[Heard]:
        before = len(self.store.messages())
        self.store.apply(look, self.wording.drafts, at)
        return [_heard(message) for message in self.store.messages()[before:]]

    def incident(self, check: str) -> Incident:
        """The one incident of a check that stands."""
        (found,) = [one for one in self.store.incidents() if one.seen.check_name == check]
        return found


def _heard(message: Message) -> Heard:
    content = Content.read(message.body)
    checks = tuple(told.check_name for told in content.told)
    return Heard(
        message.route, message.occasion, checks, tuple(line.split(" ")[1].strip(",") for line in content.explains)
    )


def nights(number: float) -> datetime:
    """So many days after the first look."""
    return NIGHT + timedelta(days=number)
