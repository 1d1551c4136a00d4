"""From a published warehouse to receivers that took it, whatever breaks on the way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

from orchestration import cli
from orchestration.alerts.channels.webhook import WebhookChannel, sign
from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.watching import Watch, look_after_run
from orchestration.audit import create_audit_schema, table_named
from orchestration.connectors.base import Clock
from orchestration.errors import ConfigurationError
from orchestration.pipeline.run import ExitStatus
from orchestration.publish.snapshot import Source, publish
from orchestration.settings import Settings, WarehousePaths
from tests.connectors import web

SECRET = "a shared secret"
DAY = date(2026, 3, 4)
MORNING = datetime(2026, 3, 5, 7, 0)
BREACH = ("no_negative_balance", "breach", "critical", "account", "a1", "USD", "1000")
SHORT = ("reserves_cover_liabilities", "breach", "critical", "in_kind_group", "BTC", "BTC", "500")


class Warehouse:
    """A published warehouse in which a test says what stands."""

    def __init__(self, folder: Path) -> None:
        self.paths, self.runs = WarehousePaths(folder), 0

    def publish(self, *findings: tuple[str, ...], day: date = DAY, status: str = "passed", error: str = "") -> None:
        self.runs += 1
        source, run_id = self.paths.root / "source.duckdb", f"run-{self.runs}"
        source.unlink(missing_ok=True)
        columns = ", ".join(table_named("finding").column_names)
        with duckdb.connect(str(source)) as connection:
            create_audit_schema(connection)
            connection.execute("create schema marts")
            connection.execute(
                "insert into audit.run values"
                " (?, '2026-03-05', '2026-03-05', null, ?, 0, ?, ?, ?, null, ?, 'h', true, ?)",
                [run_id, status, day, day, day + timedelta(days=1), day, "it broke"],
            )
            for check, kind, severity, subject_type, subject, asset, impact in findings:
                connection.execute(
                    f"insert into audit.finding ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, '-1', '0', ?, 'It fails.',"
                    " 'select 1', ?, ?)",
                    [run_id, day, check, kind, severity, subject_type, subject, asset, impact, day, day],
                )
            if error:
                connection.execute(
                    "insert into audit.check_result values (?, 'exit', ?, 'x', 'breach', 'critical', false, true, null,"
                    " null, 'no such column')",
                    [run_id, error],
                )
        publish(self.paths, [Source("marts", source), Source("audit", source)], name=run_id, kept=1)


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    folder = tmp_path / "warehouse"
    folder.mkdir()
    return Warehouse(folder)


@pytest.fixture
def receiver() -> Iterator[web.Web]:
    with web.serving(lambda _: web.Answer(b"ok")) as running:
        yield running


@pytest.fixture
def alerts_file(receiver: web.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    monkeypatch.setenv("HASH_KEY", "a key")
    section = {
        "environment": "production",
        "hash_key_variable": "HASH_KEY",
        "routes": {
            "hook": {"channel": "webhook", "to": {"url": receiver.url, "secret_variable": "HOOK_SECRET"}},
        },
    }
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(section), encoding="utf-8")
    return path


def watch(alerts_file: Path, warehouse: Warehouse, at: datetime = MORNING) -> Watch:
    clock = Clock(now=lambda: at, monotonic=lambda: 0.0, sleep=lambda _: None)
    return Watch(load_alerts(alerts_file), warehouse.paths, clock)


def said(receiver: web.Web) -> list[tuple[str, str]]:
    """Occasion and check of every incident in every message that arrived."""
    bodies = [request.json for request in receiver.requests]
    return [(body["occasion"], told["check_name"]) for body in bodies for told in body["told"]]


def test_a_breach_is_opened_and_then_resolved(alerts_file: Path, warehouse: Warehouse, receiver: web.Web) -> None:
    warehouse.publish(BREACH, SHORT)
    watch(alerts_file, warehouse).look()
    watch(alerts_file, warehouse, MORNING + timedelta(minutes=1)).look()
    assert said(receiver) == [("opened", "no_negative_balance"), ("opened", "reserves_cover_liabilities")]
    warehouse.publish(SHORT, day=DAY + timedelta(days=1))
    watch(alerts_file, warehouse, MORNING + timedelta(days=1)).look()
    assert said(receiver)[2:] == [("reminder", "reserves_cover_liabilities"), ("resolved", "no_negative_balance")]


def test_the_four_kinds_of_trouble_all_alert_and_are_told_apart(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    bad_data = ("ledger_balances", "integrity", "critical", "transaction", "t1", "USD", "1")
    never_came = ("arrivals_complete", "integrity", "critical", "table", "token_prices", None, None)
    warehouse.publish(BREACH, bad_data, never_came, error="prices_agree")  # type: ignore[arg-type]
    watch(alerts_file, warehouse).look()
    found = {told["check_name"]: told["category"] for request in receiver.requests for told in request.json["told"]}
    assert found == {
        "no_negative_balance": "the business is in breach",
        "ledger_balances": "the data is bad",
        "check_runs": "a check could not do its work",
        "arrivals_complete": "data never came",
    }


def test_a_check_that_could_not_run_resolves_nothing_of_its_own(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    warehouse.publish(day=DAY + timedelta(days=1), error="no_negative_balance")
    watch(alerts_file, warehouse, MORNING + timedelta(days=1)).look()
    assert ("resolved", "no_negative_balance") not in said(receiver)
    assert ("opened", "check_runs") in said(receiver)


@pytest.mark.parametrize("status", ["error", "killed"])
def test_a_run_that_died_is_an_incident(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, status: str
) -> None:
    warehouse.publish(status=status)
    watch(alerts_file, warehouse).look()
    assert said(receiver) == [("opened", "run_completes")]


def test_what_never_was_published_is_an_incident_of_its_own(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    watch(alerts_file, warehouse).look()
    assert said(receiver) == [("opened", "published_in_time")]
    warehouse.publish()
    watch(alerts_file, warehouse, MORNING + timedelta(minutes=5)).look()
    assert said(receiver)[1:] == [("resolved", "published_in_time")]


def test_the_deadline_is_the_next_morning_s(alerts_file: Path, warehouse: Warehouse, receiver: web.Web) -> None:
    warehouse.publish()
    watch(alerts_file, warehouse, MORNING + timedelta(hours=22, minutes=59)).look()
    assert said(receiver) == []
    watch(alerts_file, warehouse, MORNING + timedelta(days=1)).look()
    assert said(receiver) == [("opened", "published_in_time")]


def test_a_broken_warehouse_still_alerts_and_resolves_nothing(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    broken = warehouse.paths.published_file
    broken.unlink()
    broken.write_bytes(b"no database")
    watch(alerts_file, warehouse, MORNING + timedelta(minutes=1)).look()
    assert said(receiver) == [("opened", "no_negative_balance"), ("opened", "published_in_time")]


def test_a_receiver_that_is_down_gets_everything_later_in_order_and_once(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    receiver.fault = web.failing
    warehouse.publish(BREACH)
    assert [one.error is None for one in watch(alerts_file, warehouse).look().delivered] == [False]
    warehouse.publish(day=DAY + timedelta(days=1))
    watch(alerts_file, warehouse, MORNING + timedelta(days=1)).look()
    receiver.requests.clear()
    receiver.fault = None
    watch(alerts_file, warehouse, MORNING + timedelta(days=1, hours=2)).look()
    watch(alerts_file, warehouse, MORNING + timedelta(days=1, hours=4)).look()
    assert said(receiver) == [("opened", "no_negative_balance"), ("resolved", "no_negative_balance")]


def test_a_message_is_signed_and_its_key_stays_when_it_is_sent_again(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    (request,) = receiver.requests
    seconds, signature = (part.partition("=")[2] for part in request.headers["x-ringfence-signature"].split(","))
    assert signature == sign(SECRET, seconds, request.body)
    assert sign("another", seconds, request.body) != signature
    places = ["--alerts", str(alerts_file), "--warehouse", str(warehouse.paths.root)]
    assert cli._invoke(["alerts", "resend", "1", *places]) == 0
    assert [again.json["key"] for again in receiver.requests] == [request.json["key"]] * 2
    assert SECRET not in capsys.readouterr().out


def test_an_error_of_the_program_s_own_alerts_until_its_day_is_published(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish()
    settings = Settings(Path("landing"), warehouse.paths.root, alerts_file=alerts_file)
    assert look_after_run(settings, "run-9", DAY + timedelta(days=1), "disk full", ExitStatus.ERROR) == []
    assert ("opened", "run_completes") in said(receiver)
    assert "disk full" in receiver.requests[-1].json["told"][0]["what"] + receiver.requests[0].json["told"][0]["what"]
    watch(alerts_file, warehouse).look()
    assert ("resolved", "run_completes") not in said(receiver)
    warehouse.publish(day=DAY + timedelta(days=1))
    watch(alerts_file, warehouse).look()
    assert ("resolved", "run_completes") in said(receiver)


def test_alerts_that_fail_after_a_run_are_told_and_raise_nothing(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish(BREACH)
    receiver.fault = web.denied
    settings = Settings(Path("landing"), warehouse.paths.root, alerts_file=alerts_file)
    problems = look_after_run(settings, "run-1", DAY, "passed", ExitStatus.PASSED)
    assert any("hook: POST 127.0.0.1: status 401" in problem for problem in problems)
    assert SECRET not in "".join(problems)
    alerts_file.write_text("environment: x", encoding="utf-8")
    (problem,) = look_after_run(settings, "run-1", DAY, "passed", ExitStatus.PASSED)
    assert problem.startswith("alerts: alerts file")


def test_a_watcher_outlives_a_look_that_breaks(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.publish(BREACH)
    warehouse.paths.alerts_file.parent.mkdir(parents=True)
    warehouse.paths.alerts_file.write_bytes(b"no database at all, and long enough to be taken for a damaged one")
    assert ringfence(warehouse, alerts_file, "watch", "--looks", "1") == 0
    assert "the store of alerts can't be opened" in capsys.readouterr().err
    warehouse.paths.alerts_file.unlink()
    assert ringfence(warehouse, alerts_file, "watch", "--looks", "2", "--every", "1") == 0
    assert capsys.readouterr().out.count("opened to hook: sent") == len(receiver.requests)


def ringfence(warehouse: Warehouse, alerts_file: Path, *arguments: str) -> int:
    return cli._invoke(["alerts", *arguments, "--alerts", str(alerts_file), "--warehouse", str(warehouse.paths.root)])


def test_people_take_note_keep_quiet_and_see_what_was_sent(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    assert ringfence(warehouse, alerts_file, "ack", "1", "--by", "kim") == 0
    assert ringfence(warehouse, alerts_file, "silence", "1", "--hours", "2") == 0
    assert ringfence(warehouse, alerts_file, "silence", "1", "--until", "2020-01-01") == 2
    assert ringfence(warehouse, alerts_file, "ack", "9") == 2
    capsys.readouterr()
    assert ringfence(warehouse, alerts_file, "show", "1") == 0
    shown = capsys.readouterr().out
    assert "acknowledged by kim" in shown
    assert "opened to hook: sent 2026-03-05 07:00" in shown
    assert ringfence(warehouse, alerts_file, "list", "--format", "json") == 0
    (incident,) = json.loads(capsys.readouterr().out)
    assert (incident["number"], incident["check_name"], incident["impact_usd"]) == (
        1,
        "no_negative_balance",
        "1000.00000000",
    )
    assert incident["state"].startswith("acknowledged, silenced until ")


def test_only_receivers_that_take_it_are_told_that_somebody_took_note(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.publish(BREACH, SHORT)
    watch(alerts_file, warehouse).look()
    assert ringfence(warehouse, alerts_file, "ack", "1", "--by", "kim") == 0
    assert [occasion for occasion, _ in said(receiver)] == ["opened", "opened"]
    monkeypatch.setattr(WebhookChannel, "takes_acknowledgements", True)
    assert ringfence(warehouse, alerts_file, "ack", "1", "2", "--by", "lee") == 0
    opened, noted = receiver.requests[1].json, receiver.requests[2].json
    assert (noted["occasion"], noted["told"][0]["check_name"]) == ("acknowledged", "reserves_cover_liabilities")
    assert noted["told"][0]["changed"] == "lee has taken note"
    assert noted["line"] == opened["line"]
    assert noted["key"] != opened["key"]
    assert ringfence(warehouse, alerts_file, "ack", "2", "--undo") == 0
    assert len(receiver.requests) == 3


def test_trying_the_routes_sends_a_message_that_says_so(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ringfence(warehouse, alerts_file, "test") == 0
    assert receiver.requests[0].json["told"][0]["what"].startswith("This is a test")
    receiver.fault = web.denied
    assert ringfence(warehouse, alerts_file, "test", "--route", "hook") == 1
    told = capsys.readouterr()
    assert "hook: taken" in told.out
    assert "status 401" in told.out
    assert SECRET not in told.out + told.err


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"routes": {}}, "routes: dictionary should have at least 1 item"),
        ({"routes": {"a": {"channel": "pigeon"}}}, "routes.a.channel: there is no pigeon; there are slack"),
        ({"routes": {"a": {"channel": "webhook", "to": {}}}}, "routes.a.to.url: is missing; add it"),
        ({"owners": {"no_negative_balanse": "x"}}, "did you mean no_negative_balance"),
        ({"again_after": {"critical": "soon"}}, "again_after.critical: no length of time"),
        ({"deadline": "25:00"}, "deadline: string should match pattern"),
        ({"colour": "red"}, "colour: no such key"),
        ({"store": "postgresql://u:secret@host/db"}, "store: an address with a password in it"),
    ],
)
def test_a_wrong_file_is_refused_with_key_and_remedy(alerts_file: Path, change: dict[str, Any], problem: str) -> None:
    content = yaml.safe_load(alerts_file.read_text(encoding="utf-8")) | change
    alerts_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=problem) as refusal:
        load_alerts(alerts_file)
    assert str(alerts_file) in str(refusal.value)
