"""Whatever happens in whatever order, what the engine promises holds: nothing untold, lost, doubled or overtaken."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.alerts.channels import Channel, ChannelError, Sending
from orchestration.alerts.explaining import Explaining
from orchestration.alerts.incidents import (
    Category,
    Incident,
    Look,
    Observation,
    Occasion,
    State,
    Step,
    acknowledged,
    silenced,
    steps,
)
from orchestration.alerts.outbox import deliver
from orchestration.alerts.told import Content
from orchestration.checks import Severity, checks_by_name
from orchestration.warehouse.lineage import Lineage
from tests.alerts.desk import Desk
from tests.alerts.looks import DAY, NIGHT, PATIENCE, seen

CHECKS = ("no_negative_balance", "reserves_cover_liabilities", "rows_arrive")
SUBJECTS = {
    "no_negative_balance": ("account", "a1", Category.BREACH),
    "reserves_cover_liabilities": ("in_kind_group", "BTC", Category.BREACH),
    "rows_arrive": ("table", "wallet_balances", Category.NO_DATA),
}
WALLETS = frozenset({"wallet_balances"})
LINEAGE = Lineage(
    whole=dict.fromkeys(("no_negative_balance", "reserves_cover_liabilities"), WALLETS),
    measured={"no_negative_balance": frozenset(), "reserves_cover_liabilities": WALLETS},
)
ROUTES = {
    "all": {"group_by": "check"},
    "pager": {"when": {"severities": ["critical"]}},
    "treasury": {"when": {"checks": ["reserves_cover_liabilities"]}},
}


@dataclass(frozen=True)
class Night:
    """One look: what is seen of which check, and what somebody does before it. ``day`` counts from the first."""

    day: int
    hours: int
    seen: dict[str, tuple[int, bool]]
    judged: frozenset[str]
    action: str
    faults: tuple[str, ...]


nights = st.lists(
    st.builds(
        Night,
        day=st.integers(-3, 3),
        hours=st.integers(0, 30),
        seen=st.dictionaries(st.sampled_from(CHECKS), st.tuples(st.integers(0, 4), st.booleans())),
        judged=st.one_of(st.just(frozenset(CHECKS)), st.frozensets(st.sampled_from(CHECKS))),
        action=st.sampled_from(("", "", "", "ack", "silence")),
        faults=st.lists(st.sampled_from(("", "down", "down", "answer lost")), max_size=6).map(tuple),
    ),
    min_size=1,
    max_size=9,
)


@dataclass
class Receiver(Channel):
    """Takes messages; ``faults`` says what goes wrong with the next ones."""

    faults: list[str] = field(default_factory=list)
    arrived: list[tuple[str, str, Content]] = field(default_factory=list)

    def send(self, sending: Sending) -> None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "down":
            raise ChannelError("down")
        self.arrived.append((sending.line, sending.key, sending.content))
        if fault:
            raise ChannelError("its answer was lost")

    def check(self) -> str:
        return "here"


class World:
    """Runs the nights, and remembers what they must have led to."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder, ROUTES, Explaining(lambda: LINEAGE))
        self.receivers = {name: Receiver() for name in ROUTES}
        self.now, self.today = NIGHT, DAY
        self.touched: set[int] = set()
        self.owed: set[tuple[str, int]] = set()

    def live(self, night: Night) -> None:
        self.now += timedelta(hours=night.hours)
        day = self.today + timedelta(days=night.day)
        self.today = max(self.today, day)
        self.act(night.action)
        observations = [observed(check, day, *what) for check, what in night.seen.items()]
        look = Look("production", self.now, day, {*night.judged, *night.seen})
        self.desk._apply(lambda known: self.judge(list(known), observations, look), self.now)
        for receiver in self.receivers.values():
            receiver.faults = list(night.faults)
        self.deliver()

    def act(self, action: str) -> None:
        for incident in self.desk.store.incidents()[:1]:
            if action == "ack":
                self.desk.change(incident.number, lambda one: acknowledged(one, "kim", self.now), self.now)
            elif action == "silence":
                self.touched.add(incident.number)
                until = self.now + timedelta(hours=20)
                self.desk.change(incident.number, partial(silenced, until=until), self.now)

    def judge(self, known: list[Incident], seen_now: list[Observation], look: Look) -> list[Step]:
        """Look, and check that only what may be resolved is."""
        taken = steps(known, seen_now, look, PATIENCE, self.desk.bears)
        fingerprints = {observation.fingerprint for observation in seen_now}
        for step in taken:
            before, incident = step.before, step.incident
            if before is not None and incident.state is State.RESOLVED and before.state is not State.RESOLVED:
                assert incident.seen.check_name in look.checks
                assert look.day >= before.seen.day, "a back-fill resolved what was seen later"
                assert incident.seen.fingerprint not in fingerprints
        return taken

    def deliver(self) -> None:
        now: datetime = self.now
        deliver(self.desk.store, self.receivers, lambda: now)

    def settle(self) -> None:
        """Let every receiver work, until nothing waits."""
        for receiver in self.receivers.values():
            receiver.faults = []
        for _ in range(20):
            if not self.desk.store.waiting_messages():
                break
            self.now += timedelta(hours=2)
            self.deliver()


def observed(check: str, day: date, amount: int, is_critical: bool) -> Observation:
    kind, subject, category = SUBJECTS[check]
    return replace(
        seen(str(10**amount), check_name=check, subject_type=kind, subject_id=subject),
        asset="BTC" if check in checks_by_name() else None,
        category=category,
        severity=Severity.CRITICAL if is_critical else Severity.WARNING,
        day=day,
        since=day,
        impact_usd=Decimal(10**amount) if check in checks_by_name() else None,
    )


@contextmanager
def world() -> Iterator[World]:
    with TemporaryDirectory() as folder:
        made = World(Path(folder))
        try:
            yield made
        finally:
            made.desk.store.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(nights)
def test_whatever_happens_the_promises_hold(story: list[Night]) -> None:
    with world() as lived:
        for night in story:
            lived.live(night)
        lived.settle()
        store = lived.desk.store
        messages = store.messages()
        assert [message for message in messages if message.sent_at is None] == [], "a message was lost"
        for name, receiver in lived.receivers.items():
            first_arrivals: dict[str, list[str]] = defaultdict(list)
            for line, key, _ in receiver.arrived:
                if key not in first_arrivals[line]:
                    first_arrivals[line].append(key)
            written: dict[str, list[str]] = defaultdict(list)
            for message in messages:
                if message.route == name:
                    written[message.line].append(message.key)
            assert first_arrivals == written, "a receiver that drops repeats by key sees each once, in order"
        for incident in store.incidents(include_resolved=True):
            promised(lived, incident)


def promised(lived: World, incident: Incident) -> None:
    """It was told of wherever it belongs, first that it was opened, last that it is over."""
    about = lived.desk.store.messages(incident.number)
    for name in ROUTES:
        occasions = [message.occasion for message in about if message.route == name]
        assert occasions.count(Occasion.OPENED) <= 1
        if occasions:
            assert occasions[0] is Occasion.OPENED
            assert Occasion.RESOLVED not in occasions[:-1]
        is_over = incident.state is State.RESOLVED
        if is_over and occasions and incident.number not in lived.touched:
            assert occasions[-1] is Occasion.RESOLVED
        belongs = lived.desk.wording.takes(name, incident)
        if (
            belongs
            and not occasions
            and incident.number not in lived.touched
            and not inherited_silence(lived, incident)
        ):
            assert is_listed(lived, name, incident.number), f"nobody on {name} heard of {incident}"


def inherited_silence(lived: World, incident: Incident) -> bool:
    return incident.silenced_until is not None and lived.touched != set()


def is_listed(lived: World, route: str, number: int) -> bool:
    """Whether a message of the route lists it as explained."""
    return any(
        re.search(rf"\(incident {number}\)", line)
        for message in lived.desk.store.messages()
        if message.route == route
        for line in Content.read(message.body).explains
    )
