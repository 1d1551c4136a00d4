"""The real Alertmanager: what fires, is grouped, inhibited, kept up and resolved, and what its receiver is told."""

from __future__ import annotations

import base64
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.alerts.channels import Channel, ChannelError, Sending
from orchestration.alerts.channels.alertmanager import AlertmanagerChannel
from orchestration.alerts.incidents import Occasion
from tests.alerts.messages import channel, sending, told
from tests.connectors import web
from tests.support.outside import free_port, program

PASSWORD = "watch and ward"
_HASHED = "$2b$04$gwAhsqZw0mrGkX8nIvkABehBsHFrIB66MKCA7Mmc2dwIVSrDeaRZi"
"""The password as bcrypt has it, with the least rounds."""


def _configuration(hook: str) -> dict[str, Any]:
    return {
        "global": {"resolve_timeout": "1s"},
        "route": {
            "receiver": "hook",
            "group_by": ["environment", "asset"],
            "group_wait": "20ms",
            "group_interval": "50ms",
            "repeat_interval": "1h",
        },
        "inhibit_rules": [
            {
                "source_matchers": ['check="published_in_time"'],
                "target_matchers": ['check!="published_in_time"'],
                "equal": ["environment"],
            }
        ],
        "receivers": [{"name": "hook", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
    }


class Alertmanager:
    """The program with its own folder and port; what its receiver was told is in ``told``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port, self.environment = folder, free_port(), "none yet"
        self.hook = web.Web(lambda _: web.Answer(b""))
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(_configuration(self.hook.url)), encoding="utf-8")
        users = {"basic_auth_users": {"ringfence": _HASHED}}
        (folder / "web.yml").write_text(yaml.safe_dump(users), encoding="utf-8")
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command: list[str | Path] = [
            program("prometheus-alertmanager", "prometheus-alertmanager"),
            f"--config.file={self.folder / 'alertmanager.yml'}",
            f"--web.config.file={self.folder / 'web.yml'}",
            f"--storage.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--cluster.listen-address=",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        until(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
        try:
            made(self).check()
        except ChannelError:
            return False
        return True

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.stop()
        self.hook.close()

    @property
    def told(self) -> list[tuple[str, str, str]]:
        """Status, check and asset of each alert in each message to its receiver, in order."""
        return [
            (alert["status"], alert["labels"]["check"], alert["labels"].get("asset", ""))
            for request in self.hook.requests
            for alert in request.json["alerts"]
            if alert["labels"]["environment"] == self.environment
        ]

    def has_told(self, status: str, *assets: str) -> bool:
        """Whether the receiver heard of the coverage of these assets."""
        return {(status, "reserves_cover_liabilities", asset) for asset in assets} <= {*self.told}

    def seen(self) -> dict[str, dict[str, Any]]:
        """What is active, inhibited or not, by check and asset."""
        both = base64.b64encode(f"ringfence:{PASSWORD}".encode()).decode()
        asked = urllib.request.Request(f"{self.url}/api/v2/alerts", headers={"authorization": f"Basic {both}"})
        with urllib.request.urlopen(asked) as answer:
            return self._by_name(json.loads(answer.read()))

    def shown(self) -> dict[str, dict[str, Any]]:
        """The same as amtool shows it."""
        address = f"--alertmanager.url=http://ringfence:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}"
        command = [program("amtool", "prometheus-alertmanager"), "alert", "query", "--output=json", address]
        return self._by_name(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))

    def _by_name(self, alerts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
        return {
            f"{alert['labels']['check']} {alert['labels'].get('asset', '')}": alert
            for alert in alerts
            if alert["labels"]["environment"] == self.environment
        }


def ends_in(alert: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(alert["endsAt"].removesuffix("Z")) - wall_clock()


@contextmanager
def running(folder: Path) -> Iterator[Alertmanager]:
    program("prometheus-alertmanager", "prometheus-alertmanager")
    folder.mkdir()
    manager = Alertmanager(folder)
    try:
        yield manager
    finally:
        manager.close()


@pytest.fixture(scope="module")
def managers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Alertmanager, Alertmanager]]:
    folder = tmp_path_factory.mktemp("alertmanager")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALERTMANAGER_PASSWORD", PASSWORD)
        with running(folder / "one") as one, running(folder / "other") as other:
            yield one, other


@pytest.fixture
def manager(managers: tuple[Alertmanager, Alertmanager], request: pytest.FixtureRequest) -> Alertmanager:
    """The first of the two, in an environment of the test's own."""
    for one in managers:
        one.environment = request.node.name
    return managers[0]


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it didn't come about in a minute"
        time.sleep(0.03)


def wall_clock() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def made(*managers: Alertmanager, now: Callable[[], datetime] = wall_clock, **settings: Any) -> Channel:
    log_in = {"user": "ringfence", "password_variable": "ALERTMANAGER_PASSWORD"}
    where = {"urls": [one.url for one in managers], "environment": managers[0].environment}
    return channel("alertmanager", now, **(where | log_in | settings))


def about(asset: str, occasion: Occasion = Occasion.OPENED, **changes: Any) -> Sending:
    return sending(told(asset=asset, affected=f"in_kind_group {asset}", **changes), occasion=occasion)


def test_an_incident_fires_is_grouped_and_resolved(manager: Alertmanager) -> None:
    alerts = made(manager, generator_url="https://ringfence.example.org")
    alerts.send(about("BTC"))
    alerts.send(about("BTC", check_name="liquidity_covers_withdrawals", severity="warning"))
    alerts.send(about("ETH"))
    until(lambda: manager.has_told("firing", "BTC", "ETH"))
    until(lambda: ("firing", "liquidity_covers_withdrawals", "BTC") in manager.told)
    assert {request.json["groupLabels"]["asset"] for request in manager.hook.requests} == {"BTC", "ETH"}
    alerts.send(about("BTC", Occasion.RESOLVED))
    until(lambda: manager.has_told("resolved", "BTC"))
    seen = manager.shown()
    assert {*seen} == {"liquidity_covers_withdrawals BTC", "reserves_cover_liabilities ETH"}
    alert = seen["reserves_cover_liabilities ETH"]
    assert alert["labels"] == {
        "alertname": "reserves_cover_liabilities",
        "job": "ringfence",
        "route": "hook",
        "environment": manager.environment,
        "severity": "critical",
        "category": "breach",
        "check": "reserves_cover_liabilities",
        "asset": "ETH",
        "owner": "team:financial-control",
        "subject": "in_kind_group ETH",
    }
    assert {"summary", "description", "query", "command", "runbook"} <= {*alert["annotations"]}
    assert alert["startsAt"] == "2026-03-01T00:00:00.000Z"
    assert alert["generatorURL"] == "https://ringfence.example.org"


def test_what_the_receiver_is_told_twice_is_one_alert(manager: Alertmanager) -> None:
    for _ in range(2):
        made(manager).send(about("BTC"))
    until(lambda: manager.has_told("firing", "BTC"))
    assert len(manager.seen()) == 1


def test_one_alert_keeps_another_quiet_by_its_labels(manager: Alertmanager) -> None:
    alerts = made(manager)
    alerts.send(sending(told(check_name="published_in_time", asset=None, affected="job daily_close")))
    until(lambda: ("firing", "published_in_time", "") in manager.told)
    alerts.send(about("BTC"))
    until(lambda: bool(manager.seen().get("reserves_cover_liabilities BTC", {}).get("status", {}).get("inhibitedBy")))
    assert ("firing", "reserves_cover_liabilities", "BTC") not in manager.told


def test_what_stands_stays_and_what_else_there_was_is_over(manager: Alertmanager) -> None:
    alerts = made(manager)
    alerts.refresh([about("BTC"), about("ETH")])
    until(lambda: manager.has_told("firing", "BTC", "ETH"))
    # Alertmanager's own resolve_timeout is a second: the end that the channel sets is the one that counts.
    assert all(timedelta(hours=25) < ends_in(alert) < timedelta(hours=27) for alert in manager.seen().values())
    # One severity became another: other labels. One was resolved, and the message about that never came.
    alerts.refresh([about("ETH", severity="warning")])
    until(lambda: manager.has_told("resolved", "BTC", "ETH"))
    assert [alert["labels"]["severity"] for alert in manager.seen().values()] == ["warning"]


def test_another_route_s_and_another_environment_s_alerts_are_left_alone(manager: Alertmanager) -> None:
    other_route, other_environment = made(manager, route='an"other\\'), made(manager, environment="staging")
    other_route.send(about("BTC"))
    other_environment.refresh([])
    made(manager).refresh([about("SOL")])
    assert len(manager.seen()) == 2
    other_route.refresh([])
    assert {*manager.seen()} == {"reserves_cover_liabilities SOL"}
    other_environment.refresh([])
    assert len(manager.seen()) == 1


def test_after_a_restart_the_next_look_brings_it_back(manager: Alertmanager) -> None:
    made(manager).send(about("BTC"))
    until(lambda: manager.has_told("firing", "BTC"))
    manager.stop()
    with pytest.raises(ChannelError):
        made(manager).refresh([about("BTC")])
    manager.start()
    assert manager.seen() == {}, "it forgets what it was told"
    made(manager).refresh([about("BTC")])
    assert len(manager.seen()) == 1


def test_a_test_fires_and_ends_by_itself(manager: Alertmanager) -> None:
    alerts = made(manager)
    alerts.send(sending(is_test=True))
    until(lambda: manager.has_told("firing", "BTC"))
    alerts.refresh([])
    (alert,) = manager.seen().values()
    assert alert["labels"]["test"] == "true"
    assert timedelta(minutes=5) < ends_in(alert) < timedelta(minutes=16)


def test_every_member_of_a_cluster_is_told_and_one_that_is_down_is_named(
    managers: tuple[Alertmanager, Alertmanager], manager: Alertmanager
) -> None:
    one, other = managers
    cluster = made(one, other)
    cluster.send(about("BTC"))
    assert len(one.seen()) == len(other.seen()) == 1
    assert cluster.check() == "2 answered, version " + cluster.check().rsplit(" ", 1)[1]
    gone = channel(
        "alertmanager",
        wall_clock,
        urls=[f"http://127.0.0.1:{free_port()}", one.url],
        user="ringfence",
        password_variable="ALERTMANAGER_PASSWORD",
        environment=one.environment,
    )
    with pytest.raises(ChannelError, match=r"1 of 2 members: .*nothing listens there"):
        gone.send(about("ETH"))
    assert len(one.seen()) == 2, "the other member was told all the same"


def test_a_wrong_password_is_said(manager: Alertmanager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTMANAGER_PASSWORD", "a wrong password")
    for ask in (lambda: made(manager).check(), lambda: made(manager).send(about("BTC"))):
        with pytest.raises(ChannelError, match="status 401"):
            ask()
    monkeypatch.undo()
    assert manager.seen() == {}


def test_what_is_no_alertmanager_is_said() -> None:
    with web.serving(lambda _: web.Answer({"hello": "world"})) as server:
        made = channel("alertmanager", urls=[server.url])
        with pytest.raises(ChannelError, match="no Alertmanager"):
            made.check()
        with pytest.raises(ChannelError, match="no Alertmanager"):
            made.refresh([])


def test_thousands_that_stand_are_told_again_and_resolved(manager: Alertmanager) -> None:
    alerts = made(manager)
    standing = [sending(told(number=number, affected=f"account {number:016}")) for number in range(1500)]
    for _ in range(2):
        alerts.refresh(standing)
    alerts.refresh(standing[:1])
    assert manager.seen()["reserves_cover_liabilities BTC"]["labels"]["subject"] == "account 0000000000000000"


def test_many_alerts_go_out_in_parts() -> None:
    with web.serving(lambda request: web.Answer([] if request.method == "GET" else b"")) as server:
        made = channel("alertmanager", urls=[server.url])
        made.refresh([about(f"COIN{number}") for number in range(1200)])
        posted = [request.json for request in server.requests if request.method == "POST"]
    assert [len(alerts) for alerts in posted] == [500, 500, 200]
    assert isinstance(made, AlertmanagerChannel)
