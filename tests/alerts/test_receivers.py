"""The receivers of the tests refuse what their makers refuse: a defective message doesn't pass them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from orchestration.alerts.channels.posting import as_bytes
from orchestration.alerts.channels.slack import slack_message
from orchestration.alerts.channels.teams import teams_message
from tests.alerts import receivers
from tests.alerts.messages import channel, sending
from tests.connectors import web

Damage = Callable[[Any], object]


def posted(body: bytes, path: str = "/v2/enqueue") -> web.Request:
    return web.Request("POST", path, {}, {"content-type": "application/json"}, body)


def status(rules: web.Handler, body: Any) -> int:
    return rules(posted(as_bytes(body))).status


def damaged(body: Any, damage: Damage) -> Any:
    changed = copy.deepcopy(body)
    damage(changed)
    return changed


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def fields(number: int, length: int) -> dict[str, Any]:
    return {"type": "section", "fields": [{"type": "plain_text", "text": "x" * length}] * number}


SLACK: dict[str, Damage] = {
    "51 blocks": lambda body: body["blocks"].extend([{"type": "divider"}] * 51),
    "no block": lambda body: body["blocks"].clear(),
    "a long section": lambda body: body["blocks"].append(section("x" * 3001)),
    "an empty section": lambda body: body["blocks"].append(section("")),
    "a long header": lambda body: body["blocks"][0]["text"].update(text="x" * 151),
    "a header with markup": lambda body: body["blocks"][0]["text"].update(type="mrkdwn"),
    "11 fields": lambda body: body["blocks"].append(fields(11, 1)),
    "a long field": lambda body: body["blocks"].append(fields(1, 2001)),
    "11 elements": lambda body: body["blocks"][-1].update(elements=body["blocks"][-1]["elements"] * 11),
    "no such block": lambda body: body["blocks"].append({"type": "paragraph"}),
    "an unknown key": lambda body: body["blocks"].append({"type": "divider", "colour": "red"}),
    "no text for notifications": lambda body: body.pop("text"),
    "too much together": lambda body: body["blocks"].extend([section("x" * 2999)] * 5),
    "everybody called": lambda body: body["blocks"].append(section("<!channel>")),
    "everybody called in the notification": lambda body: body.update(text="<!here> look"),
}
TEAMS: dict[str, Damage] = {
    "too large": lambda body: _body(body).append(_run("x" * 28_672)),
    "no such element": lambda body: _body(body).append({"type": "Paragraph", "text": "x"}),
    "a run without text": lambda body: _body(body)[0]["inlines"].append({"type": "TextRun"}),
    "no runs": lambda body: _body(body)[0].update(inlines=[]),
    "an unknown weight": lambda body: _body(body)[0]["inlines"][0].update(weight="heavy"),
    "no body": lambda body: body["attachments"][0]["content"].pop("body"),
    "no such version": lambda body: body["attachments"][0]["content"].update(version="2.0"),
    "no card": lambda body: body["attachments"][0].update(contentType="application/json"),
    "no message": lambda body: body.update(type="card"),
    "an action that is no link": lambda body: body["attachments"][0]["content"]["actions"][0].update(url="javascript:"),
    "7 actions": lambda body: body["attachments"][0]["content"].update(
        actions=body["attachments"][0]["content"]["actions"] * 7
    ),
}
PAGERDUTY: dict[str, Damage] = {
    "a short routing key": lambda body: body.update(routing_key="x" * 31),
    "no routing key": lambda body: body.pop("routing_key"),
    "no such action": lambda body: body.update(event_action="open"),
    "a long key": lambda body: body.update(dedup_key="x" * 256),
    "no payload": lambda body: body.pop("payload"),
    "no summary": lambda body: body["payload"].pop("summary"),
    "a long summary": lambda body: body["payload"].update(summary="x" * 1025),
    "no source": lambda body: body["payload"].pop("source"),
    "no such severity": lambda body: body["payload"].update(severity="fatal"),
    "details that are no object": lambda body: body["payload"].update(custom_details="x"),
    "a link that is none": lambda body: body["links"][0].update(href="wiki"),
    "too large": lambda body: body["payload"]["custom_details"].update(x="x" * 512_000),
}


def _body(message: Any) -> Any:
    return message["attachments"][0]["content"]["body"]


def _run(text: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text}]}


@pytest.fixture(scope="module")
def event() -> Any:
    """What the channel sends to PagerDuty."""
    with pytest.MonkeyPatch.context() as patch, web.serving(receivers.pagerduty) as server:
        patch.setenv("KEY", "k" * 32)
        channel("pagerduty", routing_key_variable="KEY", url=f"{server.url}/v2/enqueue").send(sending())
        return server.requests[0].json


@pytest.mark.parametrize("damage", SLACK)
def test_slack_refuses(damage: str) -> None:
    sound = slack_message(sending().content, "key")
    assert status(receivers.slack, sound) == 200
    assert status(receivers.slack, damaged(sound, SLACK[damage])) == 400


@pytest.mark.parametrize("damage", TEAMS)
def test_teams_refuses(damage: str) -> None:
    sound = teams_message(sending().content, "key")
    assert status(receivers.teams, sound) == 202
    assert status(receivers.teams, damaged(sound, TEAMS[damage])) in (400, 413)


@pytest.mark.parametrize("damage", PAGERDUTY)
def test_pagerduty_refuses(damage: str, event: Any) -> None:
    assert status(receivers.pagerduty, event) == 202
    assert status(receivers.pagerduty, damaged(event, PAGERDUTY[damage])) in (400, 413)


@pytest.mark.parametrize("rules", [receivers.slack, receivers.teams, receivers.pagerduty])
def test_what_is_no_json_or_not_called_so_is_refused(rules: web.Handler, event: Any) -> None:
    assert rules(posted(b"{")).status == 400
    assert rules(web.Request("POST", "/v2/enqueue", {}, {}, as_bytes(event))).status == 400
