"""Pulling: every configured source, day by day, each delivery whole or not at all.

What belongs here: the order of things, what is skipped and refused, and errors told without secrets. What doesn't: how
a source is asked, how files land.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path

from orchestration.connectors.attempts import BusyError, Failure, alone, forget_failure, record_failure
from orchestration.connectors.base import Clock, Completed, Connector, Order, Probe, Services
from orchestration.connectors.configuration import Source
from orchestration.connectors.delivery import (
    Delivery,
    Manifest,
    configuration_digest,
    finish_deliveries,
    is_delivered,
    last_manifest,
)
from orchestration.connectors.errors import IncompleteError, ResumeError, TooLateError
from orchestration.connectors.secrets import Secrets
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.progress import report


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of one source on one day: a manifest, or the error in one line, or neither if it was there already."""

    source: str
    day: date
    manifest: Manifest | None = None
    error: str | None = None
    trace: str = ""
    exit_status: int = 0


class PullError(RingfenceError):
    """A source's pull ended without a delivery. The message holds no secret; ``trace`` is where it came from.

    ``is_too_late``: this day can't be had any more, and the next ones don't depend on it.
    """

    def __init__(self, message: str, trace: str, exit_status: int, is_too_late: bool = False) -> None:
        super().__init__(message)
        self.trace, self.exit_status, self.is_too_late = trace, exit_status, is_too_late


def check_source(source: Source, landing: Path, clock: Clock | None = None) -> list[Probe]:
    """Try a source without pulling anything. What raises is a probe that doesn't work."""
    secrets = Secrets()
    services = Services(landing, secrets, clock or Clock(), lambda _: None)
    probes: list[Probe] = []
    with secrets.kept_out_of_logs():
        try:
            probes.extend(source.connector(services).check())
        except RingfenceError as error:
            probes.append(Probe(source.kind.name, False, str(error)))
        except Exception as error:  # noqa: BLE001 (a source must not hide the others' state)
            probes.append(Probe(source.kind.name, False, f"{type(error).__name__}: {error}"))
    return [Probe(secrets.redact(probe.subject), probe.works, secrets.redact(probe.detail)) for probe in probes]


def pull_day(
    source: Source, landing: Path, day: date, clock: Clock | None = None, *, is_final: bool = True
) -> Manifest | None:
    """Pull one source's records of one day and land them; None if they had landed before.

    Raises PullError if the day hasn't ended, days before it are missing, the source is being pulled elsewhere, or it
    didn't give all of it. ``is_final``: the caller won't try again by itself, so that a failure is news.
    """
    secrets, clock = Secrets(), clock or Clock()
    services = Services(landing, secrets, clock, lambda text: report(f"pulling {source.name}", secrets.redact(text)))
    try:
        with secrets.kept_out_of_logs(), alone(landing, source.name):
            finish_deliveries(landing, source.name)
            if is_delivered(landing, source.name, day):
                return None
            manifest = _pull(source, landing, day, services)
            forget_failure(landing, source.name, day)
            return manifest
    except Exception as error:  # noqa: BLE001 (its message and traceback may hold a secret: neither goes on as it is)
        status = error.exit_status if isinstance(error, RingfenceError) else 1
        why = secrets.redact(_in_words(error))
        if _is_news(error, day, clock):
            record_failure(landing, source.name, Failure(day, why, clock.now(), is_final))
        trace = secrets.redact("".join(traceback.format_exception(error)))
        is_too_late = isinstance(error, TooLateError)
    raise PullError(f"source {source.name}, {day}: {why}", trace, status, is_too_late)


def _is_news(error: Exception, day: date, clock: Clock) -> bool:
    """Whether a failure tells of the source, and not of somebody who asked too early or while it is being pulled."""
    return day < clock.now().date() and not isinstance(error, BusyError)


def _in_words(error: Exception) -> str:
    if isinstance(error, RingfenceError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return (
            f"{error.filename or 'landing zone'}: {error.strerror}; make room or mend the rights there, and pull again"
        )
    return f"{type(error).__name__}: {error}"


def _pull(source: Source, landing: Path, day: date, services: Services) -> Manifest:
    feeds = source.kind.load().feeds_of(source.configuration)
    order = _order(source, landing, day, services, has_gaps=any(feed.of_the_present for feed in feeds))
    connector: Connector = source.connector(services)
    digest = configuration_digest([source.configuration, order.position, order.day])
    delivery = Delivery(landing, source.name, source.kind.name, order, connector.feeds, digest)
    try:
        completed = _fill(delivery, connector, order, services)
    except ResumeError:
        if delivery.resume is None:
            raise
        delivery.begin_anew()
        completed = _fill(delivery, connector, order, services)
    return delivery.land(completed.position, services.clock.now())


def _fill(delivery: Delivery, connector: Connector, order: Order, services: Services) -> Completed:
    """Take all that the source gives; raise IncompleteError if it ends without saying that this was all."""
    day, rows = order.day, 0
    services.report(f"{day}" + (" (going on where it stopped)" if delivery.resume is not None else ""))
    for answer in connector.pull(Order(day, order.position, delivery.resume)):
        if isinstance(answer, Completed):
            return answer
        delivery.add(answer)
        rows += getattr(answer.rows, "num_rows", 0)
        services.report(f"{day}, {rows:,} rows")
    raise IncompleteError("the pull ended without saying that it was whole", "report this as a defect")


def _order(source: Source, landing: Path, day: date, services: Services, *, has_gaps: bool) -> Order:
    if services.clock.now() < datetime.combine(day + timedelta(days=1), time()):
        raise ConfigurationError("the day hasn't ended (UTC), so its records can't be whole; pull it afterwards")
    before = last_manifest(landing, source.name, before=day)
    if not has_gaps and before is not None and before.day < day - timedelta(days=1):
        missing = before.day + timedelta(days=1)
        raise ConfigurationError(f"{missing} and what follows hasn't been pulled; pull --from {missing} --to {day}")
    return Order(day, before.position if before is not None else None)


def pull_days(
    sources: Sequence[Source], landing: Path, first: date, last: date, clock: Clock | None = None
) -> Iterator[Pulled]:
    """Pull the sources in their order, day by day, and yield what came of each.

    A source that fails is left alone for the rest of the range, since its next day goes on from this one; others go on.
    So does one that tells only of the present, after a day that is too long past.
    """
    failed: set[str] = set()
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        for source in sources:
            if source.name in failed:
                continue
            try:
                yield Pulled(source.name, day, pull_day(source, landing, day, clock))
            except PullError as error:
                if not error.is_too_late:
                    failed.add(source.name)
                yield Pulled(source.name, day, None, str(error), error.trace, error.exit_status)
