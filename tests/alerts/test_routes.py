"""The alerts file: what it names exists, every route can take something, and nothing that can happen lacks a route."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from orchestration import cli
from orchestration.alerts.channels import CHANNELS
from orchestration.alerts.configuration import EXAMPLE, Alerts, AlertsSection, Trouble, load_alerts, watched_checks
from orchestration.alerts.incidents import Category
from orchestration.alerts.observing import categories_of
from orchestration.checks import Severity
from orchestration.errors import ConfigurationError
from tests.support.configurations import models_in

EVERYTHING: dict[str, Any] = {"channel": "webhook", "to": {"url": "https://h.example", "secret_variable": "S"}}


def load(folder: Path, *whens: dict[str, Any], **changes: Any) -> Alerts:
    routes = {f"r{number}": EVERYTHING | ({"when": when} if when else {}) for number, when in enumerate(whens)}
    section = {"environment": "production", "hash_key_variable": "HASH_KEY", "routes": routes} | changes
    path = folder / "alerts.yaml"
    path.write_text(yaml.safe_dump(section), encoding="utf-8")
    return load_alerts(path)


@pytest.mark.parametrize(
    ("when", "problem"),
    [
        ({"checks": ["no_negative_balanse"]}, r"routes.r1.when.checks: .*did you mean no_negative_balance"),
        ({"owners": ["team:treasure"]}, r"routes.r1.when.owners: no owner is named team:treasure; did you mean"),
        ({"owners": ["kim"]}, r"no owner is named kim; there are team:data-engineering, team:financial-control"),
        ({"kinds": ["integrity"], "categories": ["breach"]}, r"routes.r1.when: no incident can fit all of its lists"),
        ({"checks": ["run_completes"], "kinds": ["breach"]}, r"no incident can fit all"),
        ({"checks": ["no_negative_balance"], "owners": ["team:data-engineering"]}, r"no incident can fit all"),
        ({"categories": ["no_data"], "checks": ["ledger_balances"]}, r"no incident can fit all"),
        ({"severities": ["fatal"]}, r"routes.r1.when.severities.0: input should be 'critical' or 'warning'"),
        ({"category": ["breach"]}, r"routes.r1.when.category: no such key"),
    ],
)
def test_a_route_that_cannot_take_anything_is_refused(when: dict[str, Any], problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        load(tmp_path, {}, when, owners={"arrivals_complete": "team:treasury"})


@pytest.mark.parametrize(
    ("whens", "lacking"),
    [
        ([{"severities": ["critical"]}], r"none takes .* when it is warning"),
        ([{"categories": ["breach", "bad_data", "no_data"]}], r"none takes check_\w+ when"),
        ([{"kinds": ["breach", "reconciliation", "integrity", "policy"]}], r"none takes check_runs .* other checks"),
        ([{"owners": ["team:financial-control"]}], r"owner team:data-engineering"),
        ([{"checks": ["no_negative_balance"]}], r"add a route without when"),
    ],
)
def test_what_no_route_takes_makes_the_file_be_refused(
    whens: list[dict[str, Any]], lacking: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=lacking):
        load(tmp_path, *whens)
    assert load(tmp_path, *whens, {}).routes, "with a route that takes everything it is sound"


def test_routes_that_take_everything_together_are_enough(tmp_path: Path) -> None:
    load(tmp_path, {"categories": ["breach", "no_data"]}, {"categories": ["bad_data", "check_failed"]})


def test_a_file_may_say_that_nobody_is_told(tmp_path: Path) -> None:
    alerts = load(tmp_path, {"severities": ["critical"]}, nobody_is_told=[{"severities": ["warning"]}])
    assert alerts.section.nobody_is_told[0].fits(Trouble("x", Category.BREACH, Severity.WARNING, "o"))
    with pytest.raises(ConfigurationError, match=r"nobody_is_told.0.checks: no check is named x"):
        load(tmp_path, {}, nobody_is_told=[{"checks": ["x"]}])


@pytest.mark.parametrize("channel", [name for name, kind in CHANNELS.items() if kind.keeps_states])
def test_receivers_that_keep_states_are_told_one_by_one(channel: str, tmp_path: Path) -> None:
    to: dict[str, Any] = {"routing_key_variable": "K"} if channel == "pagerduty" else {"urls": ["http://a.example"]}
    route = {"channel": channel, "to": to, "group_by": "asset"}
    with pytest.raises(ConfigurationError, match=r"routes.pager.group_by: .*leave group_by out"):
        load(tmp_path, routes={"pager": route})


@pytest.mark.parametrize(
    ("to", "problem"),
    [
        ({"urls": []}, "urls"),
        ({"user": "u"}, "user and password_variable go together"),
        ({"user": "u", "password_variable": "P", "token_variable": "T"}, "give either"),
        ({"expires_after": "1m"}, "longer than looks are apart"),
        ({"urls": ["http://u:secret@a.example"]}, "an address with a password in it"),
    ],
)
def test_settings_of_alertmanager_that_cannot_work_are_refused(
    to: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    route = {"channel": "alertmanager", "to": {"urls": ["http://a.example"]} | to}
    with pytest.raises(ConfigurationError, match=problem) as refusal:
        load(tmp_path, routes={"monitoring": route})
    assert "secret" not in str(refusal.value)


def test_every_check_that_is_watched_has_a_category() -> None:
    assert all(len(categories_of(name)) == 1 for name in watched_checks())


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield name
        for part in models_in(field.annotation):
            yield from _keys(part)


def test_the_example_is_a_valid_file_with_every_key_and_every_channel() -> None:
    alerts = load_alerts(EXAMPLE)
    assert {route.channel for route in alerts.section.routes.values()} == {*CHANNELS}
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [key for key in _keys(AlertsSection) if f"{key}:" not in text] == []


@pytest.mark.parametrize("name", CHANNELS)
def test_every_key_of_a_channel_stands_in_its_route(name: str) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    (section,) = [part for part in text.split("\n\n  ") if f"channel: {name}" in part]
    assert [key for key in _keys(CHANNELS[name].settings_class) if f"{key}:" not in section] == []


def test_the_command_prints_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._invoke(["alerts", "example"]) == 0
    assert capsys.readouterr().out == EXAMPLE.read_text(encoding="utf-8")
