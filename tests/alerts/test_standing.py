"""Receivers that keep or forget states, over whole looks: what stands is told again, what is over is ended there."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import cli
from orchestration.alerts.choosing import Choice
from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.incidents import silenced
from orchestration.alerts.watching import Watch, Watched
from orchestration.connectors.base import Clock
from tests.alerts import receivers
from tests.alerts.test_watching import BREACH, DAY, MORNING, SHORT, Warehouse
from tests.connectors import web

KEY = "k" * 32


class Forgetful:
    """An Alertmanager as far as the channel sees it: labels of what is active, and when each ends."""

    def __init__(self) -> None:
        self.alerts: dict[str, dict[str, Any]] = {}
        self.is_down, self.now = False, ""

    def __call__(self, request: web.Request) -> web.Answer:
        if self.is_down:
            return web.Answer(b"", 503)
        if request.method == "GET":
            return web.Answer([*self.alerts.values()])
        for alert in request.json:
            name = yaml.safe_dump(alert["labels"])
            if alert["endsAt"] > self.now:
                self.alerts[name] = alert
            else:
                self.alerts.pop(name, None)
        return web.Answer(b"")

    def look(self, looks: Looks, at: datetime = MORNING) -> Watched:
        self.now = f"{at.isoformat(timespec='milliseconds')}Z"
        return looks.look(at)

    @property
    def active(self) -> set[tuple[str, str]]:
        return {(alert["labels"]["check"], alert["labels"]["severity"]) for alert in self.alerts.values()}


class Looks:
    """A warehouse that is looked at, with routes that a test says."""

    def __init__(self, folder: Path, **routes: dict[str, Any]) -> None:
        (folder / "warehouse").mkdir()
        self.warehouse, self.file, self.routes = Warehouse(folder / "warehouse"), folder / "alerts.yaml", routes
        self.section: dict[str, Any] = {"environment": "production", "hash_key_variable": "HASH_KEY", "routes": routes}

    def watch(self, at: datetime = MORNING) -> Watch:
        self.file.write_text(yaml.safe_dump(self.section), encoding="utf-8")
        clock = Clock(now=lambda: at, monotonic=lambda: 0.0, sleep=lambda _: None)
        return Watch(load_alerts(self.file), self.warehouse.paths, clock)

    def look(self, at: datetime = MORNING) -> Watched:
        return self.watch(at).look()


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASH_KEY", "a key")
    monkeypatch.setenv("ROUTING_KEY", KEY)
    monkeypatch.setenv("HOOK_SECRET", "a shared secret")


def monitoring(server: web.Web) -> dict[str, Any]:
    return {"channel": "alertmanager", "to": {"urls": [server.url]}}


def quiet(looks: Looks) -> None:
    """Keep the first incident quiet for days."""
    looks.watch().change(Choice((1,)), lambda incident: silenced(incident, MORNING + timedelta(days=9)))


def test_what_stands_is_there_after_every_look_and_gone_when_it_is_over(tmp_path: Path) -> None:
    manager = Forgetful()
    with web.serving(manager) as server:
        looks = Looks(tmp_path, monitoring=monitoring(server))
        looks.warehouse.publish(BREACH, SHORT)
        manager.look(looks)
        both = {("no_negative_balance", "critical"), ("reserves_cover_liabilities", "critical")}
        assert manager.active == both
        manager.alerts.clear()  # restarted
        assert manager.look(looks, MORNING + timedelta(minutes=1)).problems == ()
        assert manager.active == both
        manager.is_down = True
        (problem,) = manager.look(looks, MORNING + timedelta(minutes=2)).problems
        assert "monitoring: GET 127.0.0.1: status 503" in problem
        manager.is_down = False
        looks.warehouse.publish(SHORT, day=DAY + timedelta(days=1))
        manager.look(looks, MORNING + timedelta(days=1))
        assert manager.active == {("reserves_cover_liabilities", "critical")}


def test_what_became_less_severe_or_is_kept_quiet_stands_once(tmp_path: Path) -> None:
    manager = Forgetful()
    with web.serving(manager) as server:
        looks = Looks(tmp_path, monitoring=monitoring(server))
        looks.warehouse.publish(BREACH)
        manager.look(looks)
        looks.warehouse.publish((*BREACH[:2], "warning", *BREACH[3:]))
        manager.look(looks, MORNING + timedelta(minutes=1))
        assert manager.active == {("no_negative_balance", "warning")}
        quiet(looks)
        manager.look(looks, MORNING + timedelta(minutes=2))
        assert manager.active == {("no_negative_balance", "warning")}, "to drop it would say that it is over"
        looks.warehouse.publish(day=DAY + timedelta(days=1))
        manager.look(looks, MORNING + timedelta(days=1))
        assert manager.active == set()


def test_an_incident_kept_quiet_is_resolved_at_a_pager_and_nowhere_else(tmp_path: Path) -> None:
    with web.serving(receivers.pagerduty) as pager, web.serving(lambda _: web.Answer(b"")) as hook:
        to = {"routing_key_variable": "ROUTING_KEY", "url": f"{pager.url}/v2/enqueue"}
        other = {"channel": "webhook", "to": {"url": hook.url, "secret_variable": "HOOK_SECRET"}}
        looks = Looks(tmp_path, on_call={"channel": "pagerduty", "to": to}, other=other)
        looks.warehouse.publish(BREACH)
        looks.look()
        quiet(looks)
        looks.warehouse.publish(day=DAY + timedelta(days=1))
        looks.look(MORNING + timedelta(days=1))
        looks.look(MORNING + timedelta(days=1, hours=1))
    assert [request.json["event_action"] for request in pager.requests] == ["trigger", "resolve"]
    assert len({request.json["dedup_key"] for request in pager.requests}) == 1
    assert [request.json["occasion"] for request in hook.requests] == ["opened"]


def test_neither_line_nor_key_nor_fingerprint_gives_away_who_is_affected(tmp_path: Path) -> None:
    name = "customer-4711-alice"
    with web.serving(lambda _: web.Answer(b"")) as hook:
        to = {"url": hook.url, "secret_variable": "HOOK_SECRET"}
        ways = ("incident", "subject", "asset", "affiliate", "check")
        looks = Looks(tmp_path, **{way: {"channel": "webhook", "to": to, "group_by": way} for way in ways})
        looks.warehouse.publish((*BREACH[:4], name, *BREACH[5:]))
        watch = looks.watch()
        watch.look()
        with watch.store() as store:
            (incident,) = store.incidents()
    sent = "".join(request.body.decode() + str(request.headers) for request in hook.requests)
    assert {request.json["key"].partition(":")[0] for request in hook.requests} == {*ways}
    assert name not in sent
    assert incident.seen.fingerprint not in sent, "its parts can be guessed"


def test_a_receiver_that_asks_to_wait_is_left_alone_for_so_long(tmp_path: Path) -> None:
    with web.serving(lambda _: web.Answer(b"", 429, {"retry-after": "1800"})) as hook:
        looks = Looks(tmp_path, hook={"channel": "webhook", "to": {"url": hook.url, "secret_variable": "HOOK_SECRET"}})
        looks.warehouse.publish(BREACH)
        (failed,) = looks.look().delivered
        assert failed.due_at == MORNING + timedelta(minutes=30)
        looks.look(MORNING + timedelta(minutes=29))
        assert len(hook.requests) == 1
        hook.handler = lambda _: web.Answer(b"")
        assert [one.error for one in looks.look(MORNING + timedelta(minutes=31)).delivered] == [None]


def test_an_incident_of_no_route_is_told_in_so_many_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with web.serving(lambda _: web.Answer(b"")) as hook:
        to = {"url": hook.url, "secret_variable": "HOOK_SECRET"}
        looks = Looks(tmp_path, hook={"channel": "webhook", "to": to, "when": {"checks": ["no_negative_balance"]}})
        # A file that would be refused: a check that came into the catalogue while the watcher ran.
        monkeypatch.setattr("orchestration.alerts.configuration._check_routes", lambda *_: None)
        looks.warehouse.publish(BREACH, SHORT)
        assert looks.look().problems == (
            "no route takes incident 2 (reserves_cover_liabilities); give it one, or leave it out",
        )
        assert looks.look(MORNING + timedelta(minutes=1)).problems == ()
        looks.warehouse.publish(
            BREACH, SHORT, ("prices_agree", "reconciliation", "warning", "asset", "BTC", "BTC", "1")
        )
        places = ["--alerts", str(looks.file), "--warehouse", str(looks.warehouse.paths.root)]
        assert cli._invoke(["alerts", "look", *places]) == 1
        assert "(prices_agree); give it one, or leave it out" in capsys.readouterr().err
        looks.section["nobody_is_told"] = [{"checks": ["ledger_balances"]}]
        looks.warehouse.publish(BREACH, ("ledger_balances", "integrity", "critical", "transaction", "t", "USD", "1"))
        assert looks.look(MORNING + timedelta(minutes=2)).problems == ()
