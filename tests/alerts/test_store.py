"""The store of incidents and messages: nothing is lost, nothing is said twice under two keys, nothing overtakes."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest
import sqlalchemy as sa

from orchestration.alerts import database
from orchestration.alerts.channels import Channel, Sending
from orchestration.alerts.database import StoreError
from orchestration.alerts.incidents import Incident, Observation, Occasion, State, Step, steps
from orchestration.alerts.outbox import Delivered, deliver
from orchestration.alerts.store import Draft, Store
from orchestration.alerts.told import Content
from orchestration.bench.speed.contenders import postgresql_tools
from orchestration.bench.speed.contenders.postgresql_tools import Server
from orchestration.errors import ConfigurationError
from tests.alerts.looks import DAY, NIGHT, PATIENCE, look, seen
from tests.support.outside import lacking

NEXT = timedelta(days=1)
BODY = Content("production", Occasion.OPENED, ()).as_json()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    if problem := postgresql_tools.missing():
        lacking(problem)
    with postgresql_tools.server({"fsync": "off", "shared_buffers": "16MB", "max_connections": "30"}) as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of a test's own may be kept."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'alerts.sqlite'}"
    running: Server = request.getfixturevalue("server")
    schema = f"test_{abs(hash(request.node.nodeid))}"
    running.run(f"create schema {schema}")
    return f"postgresql://ringfence@/postgres?host={running.folder}&options=-csearch_path%3D{schema}"


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    opened = Store(address, "production")
    yield opened
    opened.close()


def watch(
    store: Store, *observations: Observation, nights: int = 0, routes: Sequence[str] = ("chat",)
) -> list[Incident]:
    at, day = NIGHT + nights * NEXT, DAY + nights * NEXT

    def wording(taken: Sequence[Step], heard: object) -> list[Draft]:
        return [
            Draft(route, str(step.incident.number), step.occasion, BODY, (step.incident.number,))
            for step in taken
            for route in routes
            if step.occasion
        ]

    return store.apply(lambda known: steps(known, observations, look(at, day), PATIENCE), wording, at)


def test_an_incident_comes_back_as_it_was_kept(store: Store) -> None:
    (kept,) = watch(store, seen("12345678901234567890.12345678"))
    assert store.incidents() == [kept]
    assert store.incident(kept.number).seen.impact_usd == Decimal("12345678901234567890.12345678")
    assert kept.seen == seen("12345678901234567890.12345678")


def test_looking_again_changes_the_incident_and_makes_no_second_one(store: Store) -> None:
    watch(store, seen("1000"))
    watch(store, seen("1001", day=DAY + NEXT), nights=1)
    (incident,) = store.incidents()
    assert (incident.seen.impact_usd, incident.seen.day) == (Decimal(1001), DAY + NEXT)
    assert [message.occasion for message in store.messages()] == [Occasion.OPENED, Occasion.REMINDER]


def test_what_is_resolved_is_kept_and_not_shown(store: Store) -> None:
    watch(store, seen())
    watch(store, nights=1)
    assert store.incidents() == []
    (resolved,) = store.incidents(include_resolved=True)
    assert (resolved.state, resolved.resolved_at) == (State.RESOLVED, NIGHT + NEXT)
    watch(store, seen(day=DAY + 2 * NEXT), nights=2)
    assert [incident.number for incident in store.incidents()] == [2]


def test_messages_have_keys_of_their_own_that_stay(store: Store) -> None:
    watch(store, seen(), seen(subject_id="a2"), routes=("chat", "pager"))
    watch(store, nights=1, routes=("chat", "pager"))
    keys = [message.key for message in store.messages()]
    assert len(keys) == len(set(keys)) == 8
    again = store.send_again(1, NIGHT)
    assert again == 4
    assert [message.key for message in store.messages()] == keys


def test_a_message_waits_for_those_before_it_on_the_same_route_only(store: Store) -> None:
    watch(store, seen(), routes=("chat", "pager"))
    watch(store, nights=1, routes=("chat", "pager"))
    now = NIGHT + NEXT
    first, second = store.due_messages(now)
    assert [(message.route, message.occasion) for message in (first, second)] == [
        ("chat", Occasion.OPENED),
        ("pager", Occasion.OPENED),
    ]
    store.mark_failed(first, "status 503", now + timedelta(minutes=5))
    store.mark_sent(second, now)
    assert [(message.route, message.occasion) for message in store.due_messages(now)] == [("pager", Occasion.RESOLVED)]
    later = store.due_messages(now + timedelta(minutes=5))
    assert [(message.route, message.occasion, message.attempts) for message in later] == [
        ("chat", Occasion.OPENED, 1),
        ("pager", Occasion.RESOLVED, 0),
    ]


def test_a_look_that_breaks_leaves_nothing_behind(store: Store) -> None:
    def breaks(known: Sequence[Incident]) -> Iterator[Step]:
        yield from steps(known, [seen()], look(), PATIENCE)
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        store.apply(breaks, lambda *_: [Draft("chat", "1", Occasion.OPENED, "body", (1,))], NIGHT)
    assert store.incidents(include_resolved=True) == []
    assert store.messages() == []


def test_a_message_may_be_about_several(store: Store) -> None:
    watch(store, seen(), seen(subject_id="a2"), routes=())
    store.add_message(Draft("chat", "assets", Occasion.OPENED, "two accounts", (1, 2)), NIGHT)
    (message,) = store.messages(2)
    assert [incident.seen.subject_id for incident in store.incidents_of(message)] == ["a1", "a2"]
    assert store.messages(3) == []


def test_whoever_only_reads_sees_the_same_and_changes_nothing(store: Store, address: str) -> None:
    (incident,) = watch(store, seen())
    reader = Store.for_reading(address)
    assert reader.incidents() == [incident]
    with pytest.raises(StoreError, match="can't be written"):
        watch(reader, seen(), nights=1)
    assert store.incidents() == [incident]
    reader.close()


def test_there_is_no_incident_of_another_number(store: Store) -> None:
    watch(store, seen())
    with pytest.raises(ConfigurationError, match="there is no incident 7"):
        store.incident(7)


def test_looks_at_once_open_nothing_twice(address: str) -> None:
    start, routes = threading.Barrier(4), ("chat", "pager")

    def looks() -> None:
        own = Store(address, "production")
        start.wait()
        for number in range(3):
            watch(own, seen(), seen(subject_id="a2"), nights=number, routes=routes)
        own.close()

    in_threads(looks, 4)
    kept = Store(address)
    assert sorted(incident.seen.subject_id for incident in kept.incidents(include_resolved=True)) == ["a1", "a2"]
    opened = [(message.route, message.line) for message in kept.messages() if message.occasion is Occasion.OPENED]
    assert sorted(opened) == [(route, line) for route in routes for line in ("1", "2")]
    kept.close()


class Receiver(Channel):
    """Takes everything, and remembers the keys; an answer that is lost is one that it has taken all the same."""

    def __init__(self, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None) -> None:
        self.keys: list[str] = []
        self.before, self.after = before, after

    def send(self, sending: Sending) -> None:
        self.before()
        self.keys.append(sending.key)
        self.after()

    def check(self) -> str:
        return "here"


def send(store: Store, receiver: Receiver, *, nights: int = 9) -> list[Delivered]:
    with store.sending(lambda _: threading.Event().wait(0.01) and None) as may_send:
        return deliver(store, {"chat": receiver}, lambda: NIGHT + nights * NEXT) if may_send else []


def in_threads(work: Callable[[], None], count: int) -> None:
    problems: list[Exception] = []

    def guarded() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 (a thread's error is the test's)
            problems.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_senders_at_once_send_each_message_once_and_in_order(address: str) -> None:
    kept, receiver = Store(address, "production"), Receiver()
    for number in range(4):
        watch(kept, *([seen(day=DAY + number * NEXT)] if number < 3 else []), nights=number)
    start = threading.Barrier(3)

    def sends() -> None:
        own = Store(address, "production")
        start.wait()
        send(own, receiver)
        own.close()

    in_threads(sends, 3)
    assert receiver.keys == [message.key for message in kept.messages()]
    assert len(receiver.keys) == 4
    kept.close()


def test_nobody_waits_for_ever(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "LOCK_SECONDS", 1)
    slow, other = Store(address, "production"), Store(address, "production")

    def meanwhile(known: Sequence[Incident]) -> list[Step]:
        with pytest.raises(StoreError, match="can't be written"):
            watch(other, seen())
        return steps(known, [seen()], look(), PATIENCE)

    slow.apply(meanwhile, lambda *_: [], NIGHT)
    assert len(other.incidents()) == 1
    with slow.sending(lambda _: None), other.sending(lambda _: None) as may_send:
        assert not may_send
    with other.sending(lambda _: None) as may_send:
        assert may_send
    slow.close()
    other.close()


def killed(work: Callable[[], None]) -> None:
    """Do this in a process that is killed in it, as by the kernel."""
    child = os.fork()
    if child == 0:
        try:
            work()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("alive")


def test_killed_while_it_looks_it_leaves_nothing_and_holds_nothing_up(address: str) -> None:
    def looks() -> None:
        Store(address).apply(lambda known: steps(known, [seen()], look(), PATIENCE), die, NIGHT)

    killed(looks)
    after = Store(address)
    assert after.incidents(include_resolved=True) == []
    watch(after, seen())
    assert [message.occasion for message in after.messages()] == [Occasion.OPENED]
    after.close()


def test_killed_before_it_sends_the_message_is_sent_later(address: str) -> None:
    def looks() -> None:
        watch(Store(address), seen())
        die()

    killed(looks)
    after, receiver = Store(address), Receiver()
    send(after, receiver)
    assert receiver.keys == [message.key for message in after.messages() if message.sent_at]
    assert len(receiver.keys) == 1
    after.close()


def test_killed_after_it_has_sent_the_message_is_sent_again_under_its_key(address: str, tmp_path: Path) -> None:
    taken = tmp_path / "taken"

    def sends() -> None:
        own, receiver = Store(address), Receiver()
        watch(own, seen())
        receiver.after = lambda: (taken.write_text(receiver.keys[0], encoding="utf-8"), die())[1]
        send(own, receiver)

    killed(sends)
    after, receiver = Store(address), Receiver()
    send(after, receiver)
    assert receiver.keys == [taken.read_text(encoding="utf-8")]
    assert send(after, receiver) == []
    after.close()


def test_the_store_of_an_older_version_is_brought_up(address: str) -> None:
    before = Store(address, "production")
    (incident,) = watch(before, seen())
    with before._database.writing() as connection:
        for statement in (
            "alter table incident drop column explained_by",
            "alter table incident drop column affiliate",
            "drop table store",
            "drop table watch",
        ):
            connection.execute(sa.text(statement))
    before.close()
    after = Store(address, "production")
    assert after.incidents() == [incident]
    watch(after, seen(), nights=1)
    assert [message.occasion for message in after.messages()] == [Occasion.OPENED, Occasion.REMINDER]
    assert after.looked_at() is None
    after.close()


def test_the_store_of_a_newer_version_or_another_environment_is_refused(address: str) -> None:
    Store(address).close()
    Store(address, "production").close()
    with pytest.raises(ConfigurationError, match="holds those of environment production, not of staging"):
        Store(address, "staging")
    newer = Store(address, "production")
    with newer._database.writing() as connection:
        connection.execute(sa.text("update store set version = 99"))
    newer.close()
    with pytest.raises(ConfigurationError, match="written by a newer Ringfence"):
        Store(address, "production")


def test_a_database_that_goes_away_says_so_and_is_used_again(server: Server) -> None:
    server.run("create schema goes_away")
    address = f"postgresql://ringfence@/postgres?host={server.folder}&options=-csearch_path%3Dgoes_away"
    kept = Store(address, "production")
    watch(kept, seen())
    server.stop()
    try:
        with pytest.raises(StoreError, match="can't be read"):
            kept.incidents()
        with pytest.raises(StoreError, match="can't be written"):
            watch(kept, seen())
        with pytest.raises(ConfigurationError, match="can't be opened"):
            Store(address, "production")
    finally:
        server.ensure_started()
    assert len(kept.incidents()) == 1
    kept.close()


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    Store.in_file(tmp_path / "alerts.sqlite").close()
    assert stat.S_IMODE((tmp_path / "alerts.sqlite").stat().st_mode) == 0o600


def test_an_address_that_is_none_says_so() -> None:
    with pytest.raises(ConfigurationError, match="the store of alerts can't be opened"):
        Store("postgresql+nothing://x")
    with pytest.raises(ConfigurationError, match="SQLite or PostgreSQL, not mysql"):
        Store("mysql://x")
    with pytest.raises(ConfigurationError, match="no address of a database") as refusal:
        Store("user:secret@host")
    assert "secret" not in str(refusal.value)
