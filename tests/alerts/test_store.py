"""The store of incidents and messages: nothing is lost, nothing is said twice under two keys, nothing overtakes."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orchestration.alerts.incidents import Incident, Observation, Occasion, State, Step, steps
from orchestration.alerts.store import Draft, Store
from orchestration.errors import ConfigurationError
from tests.alerts.looks import DAY, NIGHT, PATIENCE, look, seen

NEXT = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.in_file(tmp_path / "alerts" / "alerts.sqlite")
    yield opened
    opened.close()


def watch(
    store: Store, *observations: Observation, nights: int = 0, routes: Sequence[str] = ("chat",)
) -> list[Incident]:
    at, day = NIGHT + nights * NEXT, DAY + nights * NEXT

    def wording(taken: Sequence[Step], heard: object) -> list[Draft]:
        return [
            Draft(route, str(step.incident.number), step.occasion, "body", (step.incident.number,))
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


def test_there_is_no_incident_of_another_number(store: Store) -> None:
    watch(store, seen())
    with pytest.raises(ConfigurationError, match="there is no incident 7"):
        store.incident(7)


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    Store.in_file(tmp_path / "alerts.sqlite").close()
    assert stat.S_IMODE((tmp_path / "alerts.sqlite").stat().st_mode) == 0o600


def test_an_address_that_is_none_says_so() -> None:
    with pytest.raises(ConfigurationError, match="the store of alerts can't be opened"):
        Store("postgresql+nothing://x")
