"""What becomes of an incident when one looks again, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.alerts.incidents import Occasion, State, acknowledged, acknowledged_no_more, silenced
from orchestration.checks import Severity
from tests.alerts.looks import DAY, NIGHT, Watch, look, seen

OPENED, GREW, REMINDER, RESOLVED = Occasion.OPENED, Occasion.GREW, Occasion.REMINDER, Occasion.RESOLVED
NEXT_NIGHT, NEXT_DAY = NIGHT + timedelta(days=1), DAY + timedelta(days=1)


def test_the_same_trouble_is_one_incident_whatever_run_sees_it() -> None:
    watch = Watch()
    assert watch.said(seen()) == [(OPENED, "a1")]
    assert watch.said(seen(run_id="run-2"), at=NIGHT + timedelta(minutes=5)) == []
    assert watch.numbers == 1


@pytest.mark.parametrize("other", [{"asset": "BTC"}, {"subject_id": "a2"}, {"check_name": "no_negative_equity"}])
def test_another_asset_subject_or_check_is_another_incident(other: dict[str, Any]) -> None:
    watch = Watch()
    assert len(watch.said(seen(), seen(**other))) == 2


def test_environments_are_apart() -> None:
    assert seen().fingerprint != seen(environment="staging").fingerprint


def test_what_is_open_is_said_again_after_a_while_and_what_is_acknowledged_is_not() -> None:
    watch = Watch()
    watch.look(seen())
    assert watch.said(seen(), at=NIGHT + timedelta(hours=3, minutes=59)) == []
    assert watch.said(seen(), at=NIGHT + timedelta(hours=4)) == [(REMINDER, "a1")]
    assert watch.said(seen(), at=NIGHT + timedelta(hours=7)) == []
    watch.known = [replace(watch.known[0], state=State.ACKNOWLEDGED)]
    assert watch.said(seen(), at=NIGHT + timedelta(days=9)) == []


def test_who_took_note_first_stays_and_a_withdrawn_note_lets_it_be_said_again() -> None:
    watch = Watch()
    watch.look(seen())
    noted = acknowledged(watch.known[0], "kim", NIGHT)
    assert (noted.incident.state, noted.occasion) == (State.ACKNOWLEDGED, Occasion.ACKNOWLEDGED)
    again = acknowledged(noted.incident, "lee", NEXT_NIGHT)
    assert (again.incident, again.occasion) == (noted.incident, None)
    withdrawn = acknowledged_no_more(noted.incident)
    assert (withdrawn.incident, withdrawn.occasion) == (watch.known[0], None)
    assert acknowledged_no_more(watch.known[0]).incident == watch.known[0]
    watch.known = [withdrawn.incident]
    assert watch.said(seen(), at=NIGHT + timedelta(hours=4)) == [(REMINDER, "a1")]


def test_warnings_are_said_again_less_often() -> None:
    watch = Watch()
    watch.look(seen(severity=Severity.WARNING))
    assert watch.said(seen(severity=Severity.WARNING), at=NIGHT + timedelta(hours=23)) == []
    assert watch.said(seen(severity=Severity.WARNING), at=NEXT_NIGHT) == [(REMINDER, "a1")]


@pytest.mark.parametrize(
    ("told", "now", "is_news"),
    [
        ("1000", "1249.99", False),
        ("1000", "1250", True),
        ("1000", "400", False),
        (None, "5", True),
        ("0", "0.01", True),
        ("0", "0", False),
        ("1000", None, False),
        (None, None, False),
    ],
)
def test_money_that_grows_is_news_at_once(told: str | None, now: str | None, is_news: bool) -> None:
    watch = Watch()
    watch.look(seen(told))
    assert watch.said(seen(now), at=NIGHT + timedelta(minutes=1)) == ([(GREW, "a1")] if is_news else [])


def test_growth_counts_from_what_was_said_last_and_not_from_what_was_seen_last() -> None:
    """A hole that grows by a tenth each night is news on the third."""
    watch = Watch()
    watch.look(seen("1000"))
    watch.known = [replace(watch.known[0], state=State.ACKNOWLEDGED)]
    said = [
        watch.said(seen(amount), at=NIGHT + timedelta(hours=n)) for n, amount in enumerate(("1100", "1210", "1331"))
    ]
    assert said == [[], [], [(GREW, "a1")]]


def test_a_warning_that_becomes_critical_is_news() -> None:
    watch = Watch()
    watch.look(seen(severity=Severity.WARNING))
    assert watch.said(seen(), at=NIGHT + timedelta(minutes=1)) == [(GREW, "a1")]


def test_resolved_is_said_once_and_what_comes_back_is_a_new_incident() -> None:
    watch = Watch()
    watch.look(seen())
    assert watch.said(at=NEXT_NIGHT, day=NEXT_DAY) == [(RESOLVED, "a1")]
    assert watch.said(at=NEXT_NIGHT, day=NEXT_DAY) == []
    assert watch.said(seen(day=NEXT_DAY), at=NEXT_NIGHT, day=NEXT_DAY) == [(OPENED, "a1")]
    assert watch.numbers == 2


def test_a_check_that_was_not_evaluated_resolves_nothing() -> None:
    watch = Watch()
    watch.look(seen())
    assert watch.said(at=NEXT_NIGHT, day=NEXT_DAY, checks=("no_negative_equity",)) == []
    assert watch.known[0].state is State.OPEN


def test_a_look_at_an_old_day_resolves_nothing_of_today() -> None:
    watch = Watch()
    watch.look(seen())
    assert watch.said(day=DAY - timedelta(days=30)) == []
    assert watch.said(seen("9", day=date(2026, 1, 1)), at=NIGHT + timedelta(minutes=1)) == []
    assert (watch.known[0].seen.day, watch.known[0].seen.impact_usd) == (DAY, Decimal("1000"))


def test_what_is_silenced_says_nothing_until_then_and_speaks_up_afterwards() -> None:
    watch = Watch()
    watch.look(seen())
    watch.known = [replace(watch.known[0], silenced_until=NIGHT + timedelta(days=2))]
    assert watch.said(seen("9999"), at=NEXT_NIGHT) == []
    assert watch.said(seen("9999"), at=NIGHT + timedelta(days=2)) == [(GREW, "a1")]
    watch.known = [replace(watch.known[0], silenced_until=NIGHT + timedelta(days=4))]
    assert watch.said(at=NIGHT + timedelta(days=3), day=NEXT_DAY) == []
    assert watch.known == [], "it is resolved all the same"


def test_a_silence_outlives_its_incident_and_then_what_came_back_is_told() -> None:
    watch = Watch()
    watch.look(seen())
    until = NIGHT + timedelta(days=3)
    (over,) = watch.look(at=NEXT_NIGHT, day=NEXT_DAY)
    watch.known = [silenced(over.incident, until).incident]
    again = seen(day=NEXT_DAY)
    assert watch.said(again, at=NIGHT + timedelta(days=2), day=NEXT_DAY) == []
    assert (watch.known[0].state, watch.known[0].silenced_until) == (State.OPEN, until)
    assert watch.said(again, at=until, day=NEXT_DAY) == [(OPENED, "a1")]


def test_whoever_takes_note_of_what_is_silent_is_told_only_of_more() -> None:
    watch = Watch()
    watch.look(seen())
    watch.known = [silenced(replace(watch.known[0], told_at=None, told_impact_usd=None), NEXT_NIGHT).incident]
    watch.known = [acknowledged(watch.known[0], "kim", NIGHT).incident]
    assert watch.said(seen(), at=NEXT_NIGHT) == []
    assert watch.said(seen("1250"), at=NEXT_NIGHT) == [(GREW, "a1")]


def test_the_worst_comes_first() -> None:
    watch = Watch()
    some = [
        seen("5", subject_id="small"),
        seen("900", subject_id="large"),
        seen(None, subject_id="unpriced"),
        seen("10000", subject_id="warning", severity=Severity.WARNING),
    ]
    assert [subject for _, subject in watch.said(*some)] == ["large", "small", "unpriced", "warning"]


@given(st.lists(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9)), max_size=4), max_size=12))
def test_whatever_is_seen_each_incident_is_opened_once_and_resolved_once(nights: list[list[tuple[str, int]]]) -> None:
    watch = Watch()
    said: dict[tuple[int, str], list[Occasion]] = {}
    for number, night in enumerate(nights):
        day, at = DAY + timedelta(days=number), NIGHT + timedelta(days=number)
        observations = [seen(str(amount), subject_id=subject, day=day) for subject, amount in night]
        subjects = {subject for subject, _ in night}
        for step in watch.look(*observations, at=at, day=day):
            life = (hash(step.incident.opened_at), step.incident.seen.subject_id)
            said.setdefault(life, []).extend([step.occasion] if step.occasion else [])
        assert {incident.seen.subject_id for incident in watch.known} == subjects
    for occasions in said.values():
        assert occasions[0] is OPENED
        assert occasions.count(OPENED) == 1
        assert RESOLVED not in occasions[:-1]


def test_the_order_of_what_is_seen_makes_no_difference() -> None:
    some = [seen("5", day=DAY - timedelta(days=1)), seen("7"), seen("3", subject_id="a2")]
    forward, backward = Watch(), Watch()
    assert forward.look(*some) == backward.look(*reversed(some))
    assert look().checks == ("no_negative_balance",)
