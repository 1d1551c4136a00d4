"""What a message says, and in which order; and that it names nobody."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from decimal import Decimal

import pytest

from orchestration.alerts.incidents import Category, Incident, Observation, Occasion, State
from orchestration.alerts.told import Content, Told, tell
from orchestration.checks import Severity
from orchestration.keyed_hashes import Hashing
from tests.alerts.looks import DAY, NIGHT, seen

HASHING = Hashing("a key")
NAME = "customer-4711"


def told(observation: Observation, before: Incident | None = None, occasion: Occasion = Occasion.OPENED) -> Told:
    incident = Incident(7, observation, State.OPEN, NIGHT, told_at=NIGHT)
    return tell(
        incident,
        before,
        occasion,
        hashing=HASHING,
        warehouse="/warehouse",
        owner="team:treasury",
        runbook="https://r/x",
    )


def test_the_order_is_that_of_somebody_woken_at_night() -> None:
    group = seen(subject_type="in_kind_group", subject_id="BTC", asset="BTC", observed="-2.5", since=DAY - timedelta(3))
    message = Content("production", Occasion.OPENED, (told(group),)).text()
    assert message.splitlines() == [
        "production: [critical] no_negative_balance BTC: new",
        "",
        "what: Account a1 owes 1000 USD. (the business is in breach)",
        "how much: -2.5 BTC, expected 0; 1,000.00 USD at stake",
        "since: 2026-03-01 (4 days)",
        "who is affected: in_kind_group BTC",
        "changed: first message",
        "query: select 1",
        "command: ringfence alerts show 7 --warehouse /warehouse",
        "owner: team:treasury",
        "runbook: https://r/x",
        f"incident: 7 ({HASHING.of(group.fingerprint)})",
    ]


@pytest.mark.parametrize("subject_type", ["account", "entity", "wallet", "entry", "transaction", "transfer", "row"])
def test_nobody_is_named_wherever_a_name_may_stand(subject_type: str) -> None:
    observation = seen(
        subject_type=subject_type,
        subject_id=NAME,
        message=f"{NAME} owes it to other-{NAME}.",
        observed=f'{{"account_id": "{NAME}"}}',
        expected=f"a row of {NAME}",
        evidence=f"select * from marts.x where account_id = '{NAME}'",
    )
    content = Content("production", Occasion.OPENED, (told(observation),))
    assert NAME not in content.text() + content.title + content.as_json()
    assert f"{subject_type} {HASHING.of(NAME)}" in content.text()


def test_the_same_name_has_one_hash_and_another_key_another() -> None:
    assert HASHING.of(NAME) == Hashing("a key").of(NAME) != Hashing("other").of(NAME)
    assert HASHING.of(NAME) != HASHING.of(NAME + "2")


@pytest.mark.parametrize(
    ("before", "now", "changed"),
    [
        ("1000", "2500.5", "from 1,000.00 USD to 2,500.50 USD"),
        ("1000", "1000", "the amount is the same"),
        (None, "5", "the amount became known"),
        ("5", None, "unpriced now"),
        (None, None, "the amount is the same"),
    ],
)
def test_what_changed_is_since_the_last_message(before: str | None, now: str | None, changed: str) -> None:
    known = Incident(7, seen(), State.OPEN, NIGHT, told_impact_usd=None if before is None else Decimal(before))
    assert told(seen(now), known, Occasion.REMINDER).changed == changed


def test_a_warning_that_became_critical_says_so() -> None:
    known = Incident(7, seen(), State.OPEN, NIGHT, told_impact_usd=Decimal(1000), told_severity=Severity.WARNING)
    assert told(seen(), known, Occasion.GREW).changed == "the amount is the same, from warning to critical"


def test_resolved_says_when() -> None:
    incident = Incident(7, seen(), State.RESOLVED, NIGHT, resolved_at=NIGHT + timedelta(days=1))
    message = tell(incident, incident, Occasion.RESOLVED, hashing=HASHING, warehouse="w", owner="o", runbook="")
    assert message.changed == "not found any more on 2026-03-06 00:40 UTC"
    assert "runbook" not in [name for name, _ in message.lines()]


def test_each_category_reads_differently() -> None:
    assert len({told(seen(category=category)).category for category in Category}) == len(Category)


def test_content_comes_back_as_it_was_kept() -> None:
    content = Content("production", Occasion.GREW, (told(seen()), told(seen("5"))), "asset BTC", 3, ("prices of BTC",))
    assert Content.read(content.as_json()) == content
    assert content.title == "production: [critical] 5 incidents, asset BTC: grown"
    assert "and 3 more" in content.text()
    assert "- prices of BTC" in content.text()


def test_a_message_without_money_says_that_it_is_not_priced() -> None:
    assert told(seen(None)).how_much == "-1000 USD, expected 0; not priced"
    assert replace(told(seen(None)), impact_usd=None).impact_usd is None
    assert {field.name for field in fields(Told)} >= {"what", "how_much", "since", "affected", "changed", "query"}
    assert isinstance(DAY, date)
