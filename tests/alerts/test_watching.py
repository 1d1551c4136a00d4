"""From a published warehouse to receivers that took it, whatever breaks on the way."""

from __future__ import annotations

import json
import shlex
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration import cli
from orchestration.alerts.channels.webhook import WebhookChannel, sign
from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.watching import look_after_run
from orchestration.errors import ConfigurationError
from orchestration.keyed_hashes import Hashing
from orchestration.pipeline.run import ExitStatus
from orchestration.settings import Settings
from tests.alerts.warehouses import BREACH, DAY, MORNING, SECRET, SHORT, Warehouse, said, watch
from tests.connectors import web


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


def test_a_silence_lasts_when_the_trouble_comes_back_until_somebody_lifts_it(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    assert ringfence(warehouse, alerts_file, "silence", "1", "--until", "2126-03-05") == 0
    for number in (1, 2, 3):
        on, at = DAY + timedelta(days=number), MORNING + timedelta(days=number)
        warehouse.publish(*([BREACH] if number == 2 else []), day=on)
        watch(alerts_file, warehouse, at).look()
    assert said(receiver) == [("opened", "no_negative_balance")]
    warehouse.publish(BREACH, day=DAY + timedelta(days=4))
    watch(alerts_file, warehouse, MORNING + timedelta(days=4)).look()
    assert ringfence(warehouse, alerts_file, "silence", "3", "--lift") == 0
    watch(alerts_file, warehouse, MORNING + timedelta(days=4, minutes=1)).look()
    assert said(receiver)[1:] == [("opened", "no_negative_balance")]
    for number in (5, 6):
        on, at = DAY + timedelta(days=number), MORNING + timedelta(days=number)
        warehouse.publish(*([BREACH] if number == 6 else []), day=on)
        watch(alerts_file, warehouse, at).look()
    assert said(receiver)[2:] == [("resolved", "no_negative_balance"), ("opened", "no_negative_balance")]


MANY = (
    BREACH,
    ("no_negative_balance", "breach", "critical", "account", "a2", "USD", "2000"),
    ("no_negative_balance", "breach", "critical", "account", "a2", "BTC", "3000"),
    ("prices_agree", "reconciliation", "warning", "asset", "BTC", "BTC", "4"),
    SHORT,
)


def listed(warehouse: Warehouse, alerts_file: Path, capsys: pytest.CaptureFixture[str], *filters: str) -> list[Any]:
    capsys.readouterr()
    assert ringfence(warehouse, alerts_file, "list", "--format", "json", *filters) == 0
    rows: list[Any] = json.loads(capsys.readouterr().out)
    return rows


def test_incidents_are_chosen_by_what_they_have_in_common(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.publish(*MANY)
    watch(alerts_file, warehouse).look()
    hashed = Hashing("a key").of("a2")
    assert any(f"account {hashed}" in request.body.decode() for request in receiver.requests)

    def subjects(*filters: str) -> list[tuple[str, str]]:
        rows = listed(warehouse, alerts_file, capsys, *filters)
        return sorted((row["check_name"], row["subject"]) for row in rows)

    negative, spread = "no_negative_balance", ("prices_agree", "asset BTC")
    assert len(subjects()) == len(MANY)
    assert subjects("--check", negative, "--asset", "USD") == [(negative, "account a1"), (negative, "account a2")]
    assert subjects("--subject", hashed) == subjects("--subject", "a2") == [(negative, "account a2")] * 2
    assert subjects("--severity", "warning") == [spread]
    assert subjects("--check", "prices_agree", "--check", "reserves_cover_liabilities") == [
        spread,
        ("reserves_cover_liabilities", "in_kind_group BTC"),
    ]
    assert subjects("--category", "bad_data") == [spread]
    assert len(subjects("--route", "hook")) == len(MANY)
    assert ringfence(warehouse, alerts_file, "ack", "--subject", hashed, "--asset", "BTC", "--by", "kim") == 0
    assert subjects("--state", "acknowledged") == [(negative, "account a2")]
    assert ringfence(warehouse, alerts_file, "silence", "--check", negative, "--hours", "3") == 0
    states = [row["state"] for row in listed(warehouse, alerts_file, capsys, "--check", negative)]
    assert all("silenced until" in state for state in states)
    assert ringfence(warehouse, alerts_file, "silence", "--check", negative, "--lift") == 0
    states = [row["state"] for row in listed(warehouse, alerts_file, capsys, "--check", negative)]
    assert sorted(states) == ["acknowledged", "open", "open"]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (("ack",), "give numbers of incidents, or --check"),
        (("silence", "--hours", "1"), "give numbers of incidents, or --check"),
        (("silence", "1"), "give one of --until, --hours and --lift"),
        (("silence", "1", "--hours", "1", "--lift"), "give one of --until, --hours and --lift"),
        (("ack", "77"), "no incident 77 stands"),
        (("show", "77"), "there is no incident 77"),
        (("show", "1", "--format", "csv"), "is shown as table or json"),
        (("list", "--route", "pigeon"), "no route is named pigeon; there are hook"),
    ],
)
def test_a_wrong_choice_changes_nothing(
    alerts_file: Path,
    warehouse: Warehouse,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    problem: str,
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    assert ringfence(warehouse, alerts_file, *command) == 2
    assert problem in capsys.readouterr().err
    assert [row["state"] for row in listed(warehouse, alerts_file, capsys)] == ["open"]


def test_an_incident_is_shown_whole_with_the_command_that_shows_its_evidence(
    alerts_file: Path, warehouse: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    capsys.readouterr()
    assert ringfence(warehouse, alerts_file, "show", "1", "--format", "json") == 0
    whole = json.loads(capsys.readouterr().out)
    assert (whole["seen"]["subject_id"], whole["seen"]["impact_usd"]) == ("a1", "1000.00000000")
    assert [message["occasion"] for message in whole["messages"]] == ["opened"]
    assert whole["command"] == f'ringfence query --warehouse {warehouse.paths.root} "select 1"'
    assert cli._invoke([*shlex.split(whole["command"])[1:], "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"1": 1}]
    assert ringfence(warehouse, alerts_file, "show", "1") == 0
    shown = capsys.readouterr().out
    for text in ("account a1 USD", "at stake 1,000.00000000 USD", "owner team:financial-control", whole["command"]):
        assert text in shown


def test_a_table_of_balances_without_a_row_is_told_until_it_has_one(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    days = [DAY - timedelta(days=2), DAY - timedelta(days=1), DAY]

    def publish(rows: list[tuple[str, list[int]]], day: date = DAY) -> None:
        warehouse.loads = [(table, on, n) for table, of_days in rows for on, n in zip(days, of_days, strict=False)]
        warehouse.publish(day=day)

    publish([("wallet_balances", [5, 0, 0]), ("balance_snapshots", [5, 5, 5]), ("ledger_entries", [9, 9, 0])])
    watch(alerts_file, warehouse).look()
    (request,) = receiver.requests
    (told,) = request.json["told"]
    assert (told["check_name"], told["category"]) == ("rows_arrive", "data never came")
    assert (told["affected"], told["since"]) == ("table wallet_balances", f"{days[1]} (2 days)")
    publish([("wallet_balances", [5, 0, 5])])
    watch(alerts_file, warehouse, MORNING + timedelta(minutes=1)).look()
    assert said(receiver)[1:] == [("resolved", "rows_arrive")]
    publish([("token_prices", [0, 0, 0])])  # there never were any
    watch(alerts_file, warehouse, MORNING + timedelta(minutes=2)).look()
    assert len(receiver.requests) == 2


def test_a_published_file_that_is_damaged_inside_alerts_and_resolves_nothing(
    alerts_file: Path, warehouse: Warehouse, receiver: web.Web
) -> None:
    warehouse.publish(BREACH)
    watch(alerts_file, warehouse).look()
    whole = warehouse.paths.published_file.read_bytes()
    warehouse.paths.published_file.unlink()
    warehouse.paths.published_file.write_bytes(whole[:12288] + bytes(len(whole) - 12288))
    watch(alerts_file, warehouse, MORNING + timedelta(minutes=1)).look()
    assert said(receiver) == [("opened", "no_negative_balance"), ("opened", "published_in_time")]


def test_a_store_that_can_t_be_reached_is_said_loudly(
    alerts_file: Path, warehouse: Warehouse, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.publish(BREACH)
    content = yaml.safe_load(alerts_file.read_text(encoding="utf-8"))
    content["store"] = "postgresql://user:${STORE_PASSWORD}@127.0.0.1:1/alerts"
    alerts_file.write_text(yaml.safe_dump(content), encoding="utf-8")
    monkeypatch.setenv("STORE_PASSWORD", "p@ss/word")
    for command in (("look",), ("list",), ("ack", "1")):
        assert ringfence(warehouse, alerts_file, *command) != 0
        assert "the store of alerts can't be opened" in capsys.readouterr().err
    assert ringfence(warehouse, alerts_file, "watch", "--looks", "1") == 0
    told = capsys.readouterr().err
    assert "the store of alerts can't be opened" in told
    assert "p@ss/word" not in told
    settings = Settings(Path("landing"), warehouse.paths.root, alerts_file=alerts_file)
    (problem,) = look_after_run(settings, "run-1", DAY, "passed", ExitStatus.PASSED)
    assert "can't be opened" in problem


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
