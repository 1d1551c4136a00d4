"""One look at a warehouse from beginning to end: see, decide, keep, send.

What belongs here: the order of things. What doesn't: each step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from orchestration.alerts.channels import Channel, ChannelServices, Sending
from orchestration.alerts.choosing import Choice
from orchestration.alerts.configuration import Alerts, load_alerts
from orchestration.alerts.explaining import Explaining
from orchestration.alerts.incidents import Category, Incident, Observation, Occasion, State, Step, steps
from orchestration.alerts.observing import RUN_COMPLETES, run_failed
from orchestration.alerts.outbox import Delivered, deliver
from orchestration.alerts.seeing import Places, see
from orchestration.alerts.store import Draft, Store
from orchestration.alerts.told import Content
from orchestration.alerts.wording import Wording
from orchestration.checks import Severity
from orchestration.connectors.base import Clock, Services
from orchestration.connectors.secrets import Secrets
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.journal import recorded_runs
from orchestration.keyed_hashes import Hashing
from orchestration.pipeline.run import ExitStatus
from orchestration.progress import report
from orchestration.settings import Settings, WarehousePaths
from orchestration.warehouse.lineage import Lineage, lineage


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of a look: the incidents that it touched, what was sent or not, and what else went wrong."""

    incidents: list[Incident]
    delivered: list[Delivered]
    problems: tuple[str, ...] = ()


class Watch:
    """Looks at one warehouse with one configuration."""

    def __init__(
        self,
        alerts: Alerts,
        paths: WarehousePaths,
        clock: Clock | None = None,
        *,
        landing: Path | None = None,
        sources_file: Path | None = None,
    ) -> None:
        self.alerts, self.paths, self.clock = alerts, paths, clock or Clock()
        self.places = Places(paths, landing, sources_file)
        self.secrets = Secrets()
        self.hashing = Hashing(self.secrets.read(alerts.section.hash_key_variable))
        self.wording = Wording(alerts, self.hashing, str(paths.root))

    @classmethod
    def of(cls, settings: Settings) -> Watch:
        """The watch that these settings ask for; raise ConfigurationError if they name no alerts file."""
        if settings.alerts_file is None:
            raise ConfigurationError("no alerts file: give --alerts FILE, or set RINGFENCE_ALERTS")
        alerts = load_alerts(settings.alerts_file)
        return cls(alerts, settings.paths, landing=settings.landing, sources_file=settings.sources_file)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store of incidents: that of the configuration, or a file of its own beside the warehouse."""
        address, environment = self.alerts.store_address(self.secrets), self.alerts.section.environment
        store = Store(address, environment) if address else Store.in_file(self.paths.alerts_file, environment)
        try:
            yield store
        finally:
            store.close()

    def channels(self) -> dict[str, Channel]:
        """A channel for each route."""
        outside, environment = Services(Path(), self.secrets, self.clock), self.alerts.section.environment
        return {
            name: channel(settings, ChannelServices(outside, self.clock.now, environment, name))
            for name, (channel, settings) in self.alerts.routes.items()
        }

    def look(self, *besides: Observation) -> Watched:
        """See what there is to see now, keep what becomes of it with its messages, and send what is due.

        ``besides``: what the caller saw and the warehouse can't show, such as a run that ended by an error.
        """
        at = self.clock.now()
        look, seen = see(self.places, self.alerts.section, at)
        seen += besides
        problems: list[str] = []
        standing: dict[str, list[Sending]] = {}

        def wording(taken: Sequence[Step], heard: Mapping[int, Collection[str]]) -> list[Draft]:
            drafts = [*self.wording.drafts(taken, heard)]
            problems.extend(_nobody_told(incident) for incident in self.wording.untold(taken))
            standing.update(self._standing(taken, heard, drafts))
            return drafts

        with self.secrets.kept_out_of_logs(), self.store() as store:
            incidents = store.apply(
                lambda known: steps(known, seen, look, self.alerts.patience, Explaining(_lineage)),
                wording,
                at,
            )
            delivered = self.send(store)
            problems += self._refresh(standing)
            store.mark_looked(self.alerts.section.environment, self.clock.now())
            return Watched(incidents, delivered, tuple(problems))

    def _standing(
        self, taken: Sequence[Step], heard: Mapping[int, Collection[str]], drafts: Sequence[Draft]
    ) -> dict[str, list[Sending]]:
        """What stands, for each receiver that forgets, with what it is to hear first in this look."""
        first = [(number, draft.route) for draft in drafts for number in draft.incidents]
        routes = {step.incident.number: {*heard.get(step.incident.number, ())} for step in taken}
        for number, route in first:
            routes[number].add(route)
        forgetful = [name for name, (channel, _) in self.alerts.routes.items() if channel.forgets]
        return {name: [*self.wording.standing(name, taken, routes)] for name in forgetful}

    def _refresh(self, standing: Mapping[str, Sequence[Sending]]) -> Iterator[str]:
        """Tell receivers that forget what stands; yield what went wrong with that."""
        channels = self.channels()
        for name, sendings in standing.items():
            try:
                channels[name].refresh(sendings)
            except Exception as error:  # noqa: BLE001 (the other receivers are to hear of it, and of the next look)
                yield self.secrets.redact(f"{name}: {error}")

    def change(self, choice: Choice, change: Callable[[Incident], Step], *, with_past: bool = False) -> Watched:
        """Let ``change`` make of the incidents chosen what somebody wants, keep it with its messages, and send them.

        ``with_past``: also of earlier ones of the same trouble whose silence still runs. Raises ConfigurationError if
        an incident is named that doesn't stand.
        """

        def changed(known: Sequence[Incident]) -> list[Step]:
            unresolved = [incident for incident in known if incident.state is not State.RESOLVED]
            chosen = choice.among(unresolved, self.wording)
            troubles = {incident.seen.fingerprint for incident in chosen} if with_past else set()
            past = [one for one in known if one.state is State.RESOLVED and one.seen.fingerprint in troubles]
            return [change(incident) for incident in (*chosen, *past)]

        with self.secrets.kept_out_of_logs(), self.store() as store:
            incidents = store.apply(changed, self.wording.drafts, self.clock.now())
            return Watched([one for one in incidents if one.state is not State.RESOLVED], self.send(store))

    def send(self, store: Store) -> list[Delivered]:
        """Send what is due; if another process keeps sending, that is left to it."""
        with store.sending(self.clock.sleep) as may_send:
            if not may_send:
                report("alerting", "another process is sending")
                return []
            return deliver(store, self.channels(), self.clock.now, self.secrets.redact)


def _lineage() -> Lineage:
    """What depends on what; if nobody can say, nothing explains anything, and everything is told."""
    try:
        return lineage()
    except Exception as error:  # noqa: BLE001 (whatever is wrong with the project, what is wrong must be told)
        report("alerting", f"nothing is explained, since the dbt project can't be read: {error}")
        return Lineage({}, {})


def _nobody_told(incident: Incident) -> str:
    return f"no route takes incident {incident.number} ({incident.seen.check_name}); give it one, or leave it out"


def look_after_run(settings: Settings, run_id: str, last_date: date, message: str, status: ExitStatus) -> list[str]:
    """Look at the warehouse after a run, and return what went wrong with that, in lines for people.

    An error is told even if the run couldn't record that it ended by one.
    """

    def look(watch: Watch) -> Watched:
        is_known = any(run.run_id == run_id and run.status for run in recorded_runs(settings.paths.runs))
        failed = run_failed(watch.alerts.section.environment, last_date, message, run_id)
        return watch.look(*([failed] if status is ExitStatus.ERROR and not is_known else []))

    return look_quietly(settings, look)


def look_quietly(settings: Settings, look: Callable[[Watch], Watched] = lambda watch: watch.look()) -> list[str]:
    """Look, and return what went wrong with that, in lines for people.

    Whatever fails here must not hide what somebody was about to say: nothing is raised.
    """
    try:
        watch = Watch.of(settings)
    except Exception as error:  # noqa: BLE001
        return [f"alerts: {error}"]
    try:
        watched = look(watch)
    except Exception as error:  # noqa: BLE001
        return [watch.secrets.redact(f"alerts: {error}")]
    failures = [f"{one.message.route}: {one.error}" for one in watched.delivered if one.error is not None]
    return [f"alerts: {problem}" for problem in (*failures, *watched.problems)]


def look_now(settings: Settings) -> str:
    """Look, and say in a line what came of it; what goes wrong is raised without a secret."""
    watch = Watch.of(settings)
    try:
        watched = watch.look()
    except Exception as error:  # noqa: BLE001 (its message and traceback may hold a secret)
        problem = watch.secrets.redact(f"{type(error).__name__}: {error}")
    else:
        waiting = sum(one.error is not None for one in watched.delivered)
        standing = sum(incident.resolved_at is None for incident in watched.incidents)
        return (
            f"{standing:,} incidents stand; {len(watched.delivered) - waiting:,} messages sent, {waiting:,} to be tried"
            " again"
        )
    raise RingfenceError(problem)


def try_routes(watch: Watch, only: str = "") -> dict[str, str | None]:
    """Send a message that says it is a test to each route; what went wrong by route, None where it was taken."""
    channels = watch.channels()
    if only and only not in channels:
        raise ConfigurationError(f"no route is named {only}; there are {', '.join(channels)}")
    at = watch.clock.now()
    results: dict[str, str | None] = {}
    for name, channel in channels.items():
        if only in ("", name):
            key = f"{name}:test:{at.isoformat()}"
            try:
                channel.send(Sending(key, f"test:{name}", Occasion.OPENED, _test_content(watch, at), is_test=True))
                results[name] = None
            except Exception as error:  # noqa: BLE001 (every route is to be tried)
                results[name] = watch.secrets.redact(f"{type(error).__name__}: {error}")
    return results


def _test_content(watch: Watch, at: datetime) -> Content:
    day = at.date() - timedelta(days=1)
    section = watch.alerts.section
    observation = Observation(
        environment=section.environment,
        check_name=RUN_COMPLETES,
        category=Category.CHECK_FAILED,
        severity=Severity.WARNING,
        subject_type="job",
        subject_id="test",
        asset=None,
        day=day,
        since=day,
        message="This is a test of the way that alerts take. Nothing is wrong.",
    )
    step = Step(Incident(0, observation, State.OPEN, at), None, Occasion.OPENED)
    return Content(section.environment, Occasion.OPENED, (watch.wording.tell(step),))
