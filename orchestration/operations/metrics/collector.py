"""The collector: reads every part on its own, so that what breaks takes nothing else along.

What belongs here: what is read when, what is remembered, and what is said when something can't be read. What doesn't:
how a part is read (``published``, ``surroundings``).

The published file is read once for each snapshot: it never changes, it is replaced. Of one that can't be read any more
nothing is remembered: what it said isn't known to be so.
"""

from __future__ import annotations

import threading
import time as wall
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import time
from importlib.metadata import version
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from orchestration.alerts.configuration import Alerts, AlertsSection
from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import Source
from orchestration.connectors.secrets import Secrets
from orchestration.operations.metrics import published, surroundings
from orchestration.operations.metrics.catalogue import WAREHOUSE_PARTS
from orchestration.operations.metrics.samples import Samples
from orchestration.reading.published import published_connection
from orchestration.settings import WarehousePaths

Identity = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """What metrics are about: a warehouse, and the alerts and sources that are configured for it, if they are.

    ``instance_folder`` is Dagster's, unless it is the warehouse's own.
    """

    paths: WarehousePaths
    alerts: Alerts | None = None
    sources: tuple[Source, ...] = ()
    landing: Path = Path()
    instance_folder: Path | None = None

    @property
    def deadline(self) -> time:
        """Until when (UTC) the day before is to be published: as alerts have it, or as they have it by default."""
        default = AlertsSection.model_fields["deadline"].default
        return time.fromisoformat(self.alerts.section.deadline if self.alerts else default)


@dataclass(slots=True)
class Part:
    """One part as it was read: its values, how long that took, and what went wrong, in a line."""

    samples: Samples = field(default_factory=Samples)
    seconds: float = 0.0
    problem: str | None = None


class RingfenceCollector(Collector):
    """Gathers all metrics when it is asked, in any thread. ``report`` hears of a problem once, when it turns up."""

    def __init__(
        self, subject: Subject, clock: Clock | None = None, report: Callable[[str], None] = lambda _: None
    ) -> None:
        self.subject, self.clock, self._report = subject, clock or Clock(), report
        self._secrets = Secrets()
        self._one_at_a_time = threading.Lock()
        self._remembered: tuple[Identity, dict[str, Part]] | None = None
        self._problems: dict[str, str | None] = {}

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """Nothing: registering it reads nothing."""
        return ()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """All metrics as they stand now."""
        with self._one_at_a_time:
            parts = self.parts()
        return list(_merged(parts, self.clock).families())

    @property
    def unread_parts(self) -> list[str]:
        """The parts that couldn't be read when metrics were last collected."""
        return [name for name, problem in self._problems.items() if problem is not None]

    def parts(self) -> dict[str, Part]:
        """Every part, each read as far as it can be."""
        subject = self.subject
        parts = dict(self._warehouse())
        parts["files"] = self._read(lambda samples: surroundings.read_files(subject.paths, samples))
        instance = subject.instance_folder or subject.paths.dagster_home
        parts["attempts"] = self._read(lambda samples: surroundings.read_attempts(instance, samples))
        parts["alerts"] = self._read(
            lambda samples: surroundings.read_alerts(
                subject.alerts, subject.paths, self._secrets, self.clock.now(), samples
            )
        )
        if subject.sources:
            parts["sources"] = self._read(
                lambda samples: surroundings.read_sources(subject.sources, subject.landing, samples)
            )
        for name, part in parts.items():
            if part.problem is not None and part.problem != self._problems.get(name):
                self._report(f"{name} can't be read: {part.problem}")
            self._problems[name] = part.problem
        return parts

    def _warehouse(self) -> dict[str, Part]:
        """The parts of the published file: as remembered, if it is the file that was read whole before."""
        identity = _identity(self.subject.paths.published_file)
        if self._remembered is not None and identity == self._remembered[0]:
            return self._remembered[1]
        self._remembered = None
        parts = self._read_warehouse()
        if identity is not None and all(part.problem is None for part in parts.values()):
            self._remembered = identity, parts
        return parts

    def _read_warehouse(self) -> dict[str, Part]:
        readers = published.readers(self.subject.deadline)
        try:
            with published_connection(self.subject.paths) as connection:
                return {
                    name: self._read(lambda samples, reader=readers[name]: reader(connection, samples))  # type: ignore[misc]
                    for name in WAREHOUSE_PARTS
                }
        except Exception as error:  # noqa: BLE001 (whatever it is, the other parts are to be told)
            return {name: Part(problem=self._line(error)) for name in WAREHOUSE_PARTS}

    def _read(self, read: Callable[[Samples], None]) -> Part:
        part, began = Part(), wall.perf_counter()
        try:
            read(part.samples)
        except Exception as error:  # noqa: BLE001 (whatever it is, the other parts are to be told)
            part.problem = self._line(error)
        part.seconds = wall.perf_counter() - began
        return part

    def _line(self, error: Exception) -> str:
        lines = str(error).strip().splitlines()
        return self._secrets.redact(lines[0] if lines else type(error).__name__)


def _identity(file: Path) -> Identity | None:
    """What tells a published file from every other, and from itself once anything about it changed."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _merged(parts: dict[str, Part], clock: Clock) -> Samples:
    merged = Samples()
    for name, part in parts.items():
        merged.add(part.samples)
        merged.put("part_up", part.problem is None, name)
        merged.put("part_read_seconds", part.seconds, name)
    merged.put("up", all(parts[name].problem is None for name in WAREHOUSE_PARTS))
    merged.put("collected_timestamp_seconds", clock.now())
    merged.put("build_info", 1, version("ringfence"))
    surroundings.settle_last_run(merged)
    return merged


def registry_of(collector: RingfenceCollector) -> CollectorRegistry:
    """A registry that knows this collector and nothing of the process."""
    registry = CollectorRegistry()
    registry.register(collector)
    return registry
