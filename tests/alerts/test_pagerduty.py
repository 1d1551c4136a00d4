"""PagerDuty: an alert is triggered, acknowledged and resolved under one name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.alerts.channels import ChannelError
from orchestration.alerts.channels.pagerduty import PagerDutyChannel
from orchestration.alerts.incidents import Occasion
from tests.alerts import receivers
from tests.alerts.messages import WORST, channel, sending, told
from tests.connectors import web

KEY = "R" * 32


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[web.Web]:
    monkeypatch.setenv("ROUTING_KEY", KEY)
    with web.serving(receivers.pagerduty) as running:
        yield running


def pager(server: web.Web, **settings: Any) -> PagerDutyChannel:
    made = channel("pagerduty", routing_key_variable="ROUTING_KEY", url=f"{server.url}/v2/enqueue", **settings)
    assert isinstance(made, PagerDutyChannel)
    return made


def test_an_incident_is_triggered_acknowledged_and_resolved_under_one_name(server: web.Web) -> None:
    for occasion in (Occasion.OPENED, Occasion.GREW, Occasion.REMINDER, Occasion.ACKNOWLEDGED, Occasion.RESOLVED):
        pager(server).send(sending(occasion=occasion))
    events = [request.json for request in server.requests]
    assert [event["event_action"] for event in events] == ["trigger"] * 3 + ["acknowledge", "resolve"]
    assert {event["dedup_key"] for event in events} == {"ffff:7"}
    assert {event["routing_key"] for event in events} == {KEY}


def test_what_a_page_says(server: web.Web) -> None:
    pager(server).send(sending())
    event = server.requests[0].json
    payload = event["payload"]
    assert payload["summary"] == (
        "production: [critical] reserves_cover_liabilities BTC: new: 2.5 BTC were missing."
        " -2.5 BTC; 100,000.00 USD at stake"
    )
    assert (payload["source"], payload["severity"], payload["class"]) == (
        "production",
        "critical",
        "reserves_cover_liabilities",
    )
    assert [*payload["custom_details"]][:5] == ["what", "how much", "since", "who is affected", "changed"]
    assert event["links"] == [{"href": "https://wiki.example.org/reserves", "text": "Runbook"}]


def test_severities_are_called_as_the_file_says(server: web.Web) -> None:
    pager(server).send(sending(told(severity="warning")))
    pager(server, severities={"warning": "info"}).send(sending(told(severity="warning")))
    assert [request.json["payload"]["severity"] for request in server.requests] == ["warning", "info"]


def test_the_longest_message_fits_and_a_runbook_that_is_no_address_is_no_link(server: web.Web) -> None:
    pager(server).send(WORST)
    pager(server).send(sending(told(runbook="see the blue folder"), line="x" * 300))
    worst, no_link = (request.json for request in server.requests)
    assert len(worst["payload"]["summary"]) == 1024
    assert "12,345 more" in worst["payload"]["custom_details"]["besides"]
    assert "links" not in no_link
    assert len(no_link["dedup_key"]) == 64


def test_a_variable_that_holds_no_routing_key_is_named(server: web.Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTING_KEY", "a token of the REST interface")
    for ask in (lambda: pager(server).send(sending()), lambda: pager(server).check()):
        with pytest.raises(ChannelError, match="ROUTING_KEY holds no key") as refusal:
            ask()
        assert refusal.value.is_final
    assert server.requests == []


def test_accounts_in_europe_have_another_address() -> None:
    addresses = [
        channel("pagerduty", routing_key_variable="ROUTING_KEY", region=region)._address  # type: ignore[attr-defined]
        for region in ("us", "eu")
    ]
    assert addresses == ["https://events.pagerduty.com/v2/enqueue", "https://events.eu.pagerduty.com/v2/enqueue"]
