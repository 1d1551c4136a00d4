"""Probes of what is reached over the network, or opened by a secret: sources, routes of alerts, their store, the time.

What belongs here: trying what the files of sources and alerts name. What doesn't: how each is tried (its connector or
channel), sending and pulling.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import urllib3

from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.pulling import check_source
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.operations.doctor.naming import addresses, hash_key_variable, named_variables
from orchestration.operations.doctor.probing import Case, Outcome, Probe, left_out, ok, problem, warning
from orchestration.operations.doctor.warehouse import CLOCK_TOLERANCE
from orchestration.operations.status import store_address
from orchestration.operations.status_text import length
from orchestration.settings import HASH_KEY, environment_variable

if TYPE_CHECKING:
    from orchestration.alerts.channels import Channel
    from orchestration.alerts.watching import Watch

LEAST_KEY = 16
_NEW_KEY = "openssl rand -hex 32"
NO_SOURCES = "no file of sources (--sources or RINGFENCE_SOURCES)"
NO_ALERTS = "no file of alerts (--alerts or RINGFENCE_ALERTS)"
WATCHER_SILENCE = timedelta(minutes=15)
"""A watcher looks every minute; one that is called by a timer every few."""

_ASKED_FOR_TIME, _SECONDS = 3, 5.0


def secrets(case: Case) -> Iterator[Outcome]:
    """Every variable that a file names is set; no value is told."""
    named = named_variables(case.settings)
    missing = False
    yield from _keys(case)
    for place, names in named.items():
        for name in names:
            if not environment_variable(name):
                missing = True
                yield problem(f"{place}: {name} isn't set", "set it to the secret where the job is started")
    if not named:
        yield left_out("no file of sources or alerts names a secret")
    elif not missing:
        yield ok(f"{len({name for names in named.values() for name in names})} set, none missing")


def _keys(case: Case) -> Iterator[Outcome]:
    """Customers' identifiers are hashed with a key that lasts, and that they can't be tried one by one against."""
    if not environment_variable(HASH_KEY):
        yield warning(
            f"{HASH_KEY} isn't set: hashes in logs and reports are other ones in every process",
            f"{HASH_KEY}: {_NEW_KEY}",
        )
    for name in dict.fromkeys((HASH_KEY, hash_key_variable(case.settings))):
        value = environment_variable(name) if name else None
        if value and len(value) < LEAST_KEY:
            yield warning(f"{name} has fewer than {LEAST_KEY} signs: hashes could be undone", f"{name}: {_NEW_KEY}")


def source_probes(case: Case, *, is_offline: bool) -> Iterator[Probe]:
    """A probe for each source, or one that says why there is none."""
    if case.settings.sources_file is None:
        yield _said("sources", left_out(NO_SOURCES))
        return
    try:
        sources = load_sources(case.settings.sources_file)
    except RingfenceError as error:
        yield _said("sources", problem(str(error), "mend the file; 'ringfence sources example' shows every key"))
        return
    if is_offline:
        yield _said("sources", left_out("--offline", "ringfence sources check"))
        return
    for source in sources:
        yield Probe(f"source {source.name}", _source_probe(_impatient(source)), is_outside=True)


def _said(name: str, outcome: Outcome) -> Probe:
    return Probe(name, lambda _: (outcome,))


def _impatient(source: Source) -> Source:
    """The source as asked by somebody who waits for the answer: its own patience is for pulls at night."""
    http = getattr(source.configuration, "http", None)
    if http is None or not hasattr(http, "attempts"):
        return source
    quick = http.model_copy(update={"attempts": min(http.attempts, 2)})
    return Source(source.name, source.kind, source.configuration.model_copy(update={"http": quick}))


def _source_probe(source: Source) -> Any:
    def look(case: Case) -> Iterator[Outcome]:
        remedy = f"ringfence sources check --source {source.name}"
        for tried in check_source(source, case.settings.landing, Clock(now=case.machine.now)):
            told = f"{tried.subject}: {tried.detail}"
            yield ok(told) if tried.works else problem(told, remedy)

    return look


def alert_probes(case: Case, *, is_offline: bool) -> Iterator[Probe]:
    """A probe for the store and for each route, or one that says why there is none."""
    if case.settings.alerts_file is None:
        yield _said("alerts", left_out(NO_ALERTS, "without one nobody is told of anything"))
        return
    from orchestration.alerts.configuration import load_alerts
    from orchestration.alerts.watching import Watch

    try:
        watch = Watch(load_alerts(case.settings.alerts_file), case.settings.paths, Clock(now=case.machine.now))
    except RingfenceError as error:
        yield _said("alerts", problem(str(error), "until then nobody is told of anything"))
        return
    yield Probe("alert store", alert_store, is_outside=True)
    if is_offline:
        yield _said("alert routes", left_out("--offline"))
        return
    for name, channel in watch.channels().items():
        yield Probe(f"route {name}", _route_probe(watch, name, channel), is_outside=True)


def _route_probe(watch: Watch, name: str, channel: Channel) -> Any:
    def look(_: Case) -> Iterator[Outcome]:
        try:
            yield ok(watch.secrets.redact(channel.check()))
        except Exception as error:  # noqa: BLE001 (whatever it is, alerts don't get there)
            told = str(error) if isinstance(error, RingfenceError) else f"{type(error).__name__}: {error}"
            yield problem(watch.secrets.redact(told), f"mend the route, then: ringfence alerts test --route {name}")

    return look


def alert_store(case: Case) -> Iterator[Outcome]:
    """The store of incidents can be read, or can be begun."""
    address = store_address(case.settings)
    if address is None:
        file = case.settings.paths.alerts_file
        above = next(path for path in file.parents if path.exists())
        if case.machine.may(above, os.W_OK | os.X_OK):
            yield ok("none yet; the first look creates it")
        else:
            yield problem(f"{file} can't be created", f"give this user the right to write to {above}")
        return
    from orchestration.alerts.store import Store

    store = Store.for_reading(address)
    try:
        waiting, looked_at = store.waiting_messages(), store.looked_at()
    except RingfenceError as error:
        yield problem(str(error), "start its database or mend its address; a look creates or upgrades it")
        return
    finally:
        store.close()
    if looked_at is None or case.machine.now() - looked_at > WATCHER_SILENCE:
        when = "ever" if looked_at is None else f"for {length((case.machine.now() - looked_at).total_seconds())}"
        yield warning(f"nobody has looked {when}", "keep it running: ringfence alerts watch")
    tried = [message for message in waiting if message.attempts]
    if tried:
        yield warning(f"{len(tried):,} messages were tried in vain: {tried[0].last_error}", "ringfence alerts look")
    else:
        yield ok(f"opens; {len(waiting):,} messages waiting")


def time_of_others(*, is_offline: bool) -> Probe:
    """A probe of the clock against what servers say, that sources and alerts talk to anyway."""
    if is_offline:
        return _said("time", left_out("--offline"))
    return Probe("time", _time_probe, is_outside=True)


def _time_probe(case: Case) -> Iterator[Outcome]:
    offsets = list(_offsets(case))
    if not offsets:
        yield left_out("no server that sources or alerts name tells its time")
        return
    # One server may be wrong itself: any that agrees will do.
    host, offset = min(offsets, key=lambda one: abs(one[1]))
    distance = length(abs(offset.total_seconds()))
    if abs(offset) <= CLOCK_TOLERANCE:
        yield ok(f"{distance} from {host}'s")
    else:
        word = "behind" if offset > timedelta(0) else "ahead of"
        yield warning(f"{distance} {word} {host}'s: signatures and certificates fail", "timedatectl set-ntp true")


def _offsets(case: Case) -> Iterator[tuple[str, timedelta]]:
    """How far the clocks of servers are ahead of ours."""
    pool, asked = urllib3.PoolManager(retries=False, headers={"user-agent": "ringfence"}), 0
    for address in addresses(case.settings):
        try:
            parts = urlsplit(case.secrets.fill(address))
            before = case.machine.now()
            answer = pool.request("HEAD", f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/", timeout=_SECONDS)
            told = parsedate_to_datetime(answer.headers["date"])
        except (urllib3.exceptions.HTTPError, ConfigurationError, OSError, ValueError, KeyError):
            continue
        middle: datetime = before + (case.machine.now() - before) / 2
        yield parts.hostname or "?", told.replace(tzinfo=None) - middle
        asked += 1
        if asked == _ASKED_FOR_TIME:
            return
