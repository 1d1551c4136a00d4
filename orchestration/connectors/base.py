"""What a connector is: what it is asked, what it answers, and what it is given to work with.

What belongs here: the interface, and nothing that runs. What doesn't: how answers land (``delivery``), who asks
(``pulling``), any source.
"""

from __future__ import annotations

import importlib
import time as wall
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import BaseModel, ConfigDict

from orchestration.connectors.errors import SourceError
from orchestration.connectors.secrets import Secrets
from orchestration.errors import ConfigurationError

Json = Any
"""A value that JSON can hold; decimals as text."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A table that a source fills.

    ``may_be_empty``: a complete answer can have no rows (no transfer today); otherwise no rows is missing data.
    ``may_be_absent``: if the source doesn't yield the table at all, no file lands; one yielded without rows does.
    ``of_the_present``: the source tells only what is so now, so a day that wasn't pulled soon after its end stays
    missing, and the days after it go on without it (``present``).
    """

    table: str
    may_be_empty: bool = False
    may_be_absent: bool = False
    of_the_present: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a source: the records of one day, in UTC.

    ``position`` is what the source said with the last delivery that landed before this day, None if there is none.
    ``resume`` is the last durable cursor of a pull of this very day that didn't end, None to begin at the beginning.
    """

    day: date
    position: Json = None
    resume: Json = None

    @property
    def since(self) -> datetime:
        """The first moment of the day, without a zone."""
        return datetime.combine(self.day, time())

    @property
    def until(self) -> datetime:
        """The first moment after the day."""
        return self.since + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of one table: Arrow columns named as the contract's; those left out are null.

    Amounts are Arrow decimals, integers or text (plain or scientific), never floats; times are timestamps (without a
    zone: UTC) or ISO 8601 text. A reference table's rows are all that the source holds; which are news is told later.
    ``resume``: once this batch and all before it are durable, a pull of the same day may go on from here. None if the
    pull can only begin anew, in whole or since the last batch that had one.
    ``delivered_since``: rows of a dated table that this source may have delivered before, with that day or later; those
    it did are left out. None lands them all. ``is_known_by_key``: such a row is known by its key, whatever else it says
    now, and not by all of its columns; for a source that has come to spell its rows otherwise.
    ``is_durable``: make it so now, however few rows there are; for what took long to get.
    """

    table: str
    rows: pa.Table | pa.RecordBatchReader
    resume: Json = None
    delivered_since: date | None = None
    is_durable: bool = False
    is_known_by_key: bool = False


@dataclass(frozen=True, slots=True)
class Completed:
    """The last thing a pull says: all was there. Without it a pull counts as partial and nothing of it lands.

    ``position`` is kept in the manifest and handed to the next day's pull: a cursor, a block, the versions seen.
    """

    position: Json


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried without pulling: ``detail`` says what was found, or what is wrong and the remedy."""

    subject: str
    works: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as connectors see it; tests put their own in place. ``sleep`` and ``monotonic`` are in seconds."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC).replace(tzinfo=None)
    monotonic: Callable[[], float] = wall.monotonic
    sleep: Callable[[float], None] = wall.sleep


@dataclass(frozen=True, slots=True)
class Services:
    """What a connector is given: the landing zone (for registered wallets), secrets, time, who hears of progress."""

    landing: Path
    secrets: Secrets = field(default_factory=Secrets)
    clock: Clock = field(default_factory=Clock)
    report: Callable[[str], None] = lambda _: None


class SourceConfiguration(BaseModel):
    """What every source's section of the configuration file has. Each kind adds its own keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str


class Connector(ABC):
    """One configured source. Construction checks nothing outside; libraries are imported where they are used.

    Whatever a method raises as SourceError is told to people; secrets in it are blotted out by whoever pulls.
    """

    configuration_class: ClassVar[type[SourceConfiguration]]

    def __init__(self, name: str, configuration: SourceConfiguration, services: Services) -> None:
        self.name, self.services = name, services
        self._configuration = configuration

    @classmethod
    @abstractmethod
    def feeds_of(cls, configuration: Any) -> tuple[Feed, ...]:
        """The tables that a source of this configuration fills; reads no secret and asks nobody."""

    @property
    def feeds(self) -> tuple[Feed, ...]:
        """The tables that this source fills."""
        return self.feeds_of(self._configuration)

    @abstractmethod
    def check(self) -> Iterator[Probe]:
        """Try what a pull needs (address, credentials, rights, names) with as little as can be, and pull nothing.

        What doesn't work is a Probe with ``works`` false, or a SourceError.
        """

    @abstractmethod
    def pull(self, order: Order) -> Iterator[Batch | Completed]:
        """Yield the day's records and at last Completed; raise SourceError if they can't be had whole."""

    def table_of(self, columns: Mapping[str, list[Any]]) -> pa.Table:
        """Text columns as an Arrow table: values are text or None; other values are written as text exactly."""
        return pa.table(
            {name: pa.array([_text(value) for value in values], pa.string()) for name, values in columns.items()}
        )


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        raise SourceError("a binary float where an exact number belongs", "report this as a defect of the connector")
    return str(value)


def require(module: str, extra: str) -> Any:
    """Import an optional library; raise ConfigurationError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        missing = error.name or module
        raise ConfigurationError(
            f"this kind of source needs the package {missing.split('.')[0]}; install it with: pip install"
            f" 'ringfence[{extra}]'"
        ) from error
