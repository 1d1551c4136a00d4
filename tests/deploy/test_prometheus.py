"""Rules, dashboard and examples for Prometheus: right by its own tools, and at work on the real endpoint."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from prometheus_client import generate_latest

from orchestration.alerts.incidents import Incident, Occasion, State, Step
from orchestration.alerts.store import Draft, Store
from orchestration.connectors.configuration import load_sources
from orchestration.operations.metrics.catalogue import METRICS, METRICS_BY_NAME, WAREHOUSE_PARTS
from orchestration.operations.metrics.collector import RingfenceCollector, Subject, registry_of
from orchestration.operations.metrics.exposing import serve
from orchestration.settings import REPOSITORY
from tests.alerts.looks import seen
from tests.operations.deliveries import SOURCES, deliver
from tests.support.outside import free_port, program
from tests.support.published import DAY, STARTED, PublishedWarehouse

DEPLOY = REPOSITORY / "orchestration" / "deploy"
RULES = DEPLOY / "prometheus" / "ringfence.rules.yml"
PROMETHEUS = DEPLOY / "prometheus" / "prometheus.example.yml"
ALERTMANAGER = DEPLOY / "prometheus" / "alertmanager.example.yml"
METRICS_PAGE = DEPLOY / "prometheus" / "METRICS.md"
DASHBOARD = DEPLOY / "grafana" / "ringfence.json"
RULE_TESTS = sorted((Path(__file__).parent / "prometheus").glob("*.test.yml"))

_METRIC = re.compile(r"\bringfence_[a-z_]+\b")
NOW = datetime.now(UTC).replace(tzinfo=None)


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def dashboard_queries() -> list[tuple[str, str]]:
    """Title and expression of every query of the dashboard, as if all warehouses were chosen."""
    return [
        (panel["title"], target["expr"].replace("$instance", ".*"))
        for panel in panels()
        for target in panel.get("targets", [])
    ]


def run(tool: str, *arguments: object, text: str | None = None) -> str:
    """What one of the servers' own tools says; it must end well."""
    package = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}[tool]
    command = [str(program(tool, package)), *map(str, arguments)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_rules_and_configuration() -> None:
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", RULES)
    run("promtool", "check", "config", "--lint=all", "--lint-fatal", PROMETHEUS)


def test_the_rules_hold_their_own_tests() -> None:
    run("promtool", "test", "rules", *RULE_TESTS)


def test_every_alert_is_tested_where_it_fires_and_where_it_doesn_t() -> None:
    sides: dict[str, set[bool]] = defaultdict(set)
    for path in RULE_TESTS:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for case in group["alert_rule_test"]:
                sides[case["alertname"]].add(bool(case.get("exp_alerts")))
    assert sides == {rule["alert"]: {True, False} for rule in alert_rules()}


def test_every_alert_says_what_it_is_and_what_to_do() -> None:
    for rule in alert_rules():
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
        # Those on checks have the severity of the finding, as the incidents have theirs.
        given = rule["labels"].get("severity") or ("severity" in rule["expr"] and "critical")
        assert given in ("critical", "warning", "none"), rule["alert"]


def test_rules_and_dashboard_use_metrics_that_there_are() -> None:
    texts = [RULES.read_text(encoding="utf-8"), DASHBOARD.read_text(encoding="utf-8")]
    used = {name for text in texts for name in _METRIC.findall(text)}
    # Groups of rules have names of the same form.
    used -= {group["name"] for group in yaml.safe_load(texts[0])["groups"]}
    assert used - set(METRICS_BY_NAME) == set()
    assert len(used) > 50


def test_every_metric_is_documented_as_it_is() -> None:
    lines = METRICS_PAGE.read_text(encoding="utf-8").splitlines()
    documented = [line for line in lines if line.startswith("| `ringfence_")]
    assert documented == [
        f"| `{metric.name}` | {', '.join(metric.labels)} | {metric.part} | {metric.help} |" for metric in METRICS
    ]


def test_the_rule_on_parts_leaves_out_those_of_the_warehouse() -> None:
    (rule,) = [rule for rule in alert_rules() if rule["alert"] == "RingfencePartUnreadable"]
    assert f'part!~"{"|".join(WAREHOUSE_PARTS)}"' in rule["expr"]


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "RingfenceHeartbeat", "severity": "none"}, "dead_mans_switch"),
        ({"alertname": "RingfenceShort", "severity": "critical", "category": "breach"}, "financial_control"),
        ({"alertname": "RingfenceWatcherSilent", "severity": "critical", "category": "no_data"}, "night_shift"),
        ({"alertname": "RingfenceCheckWarns", "severity": "warning", "category": "breach"}, "data_engineering"),
    ],
)
def test_alertmanager_sends_each_kind_its_way(labels: dict[str, str], receiver: str) -> None:
    options = ("--verify.receivers", receiver)
    told = [f"{name}={value}" for name, value in labels.items()]
    assert (
        run("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER}", *options, *told).strip() == receiver
    )


def test_alertmanager_accepts_the_example_whose_names_are_those_of_rules() -> None:
    run("amtool", "check-config", ALERTMANAGER)
    named = set(re.findall(r"\bRingfence[A-Za-z]+\b", ALERTMANAGER.read_text(encoding="utf-8")))
    assert named - {rule["alert"] for rule in alert_rules()} == set()


def test_panels_lie_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels() if panel["type"] != "row")


@dataclass(frozen=True)
class Scraped:
    """A Prometheus that has scraped an endpoint and evaluated rules; ``collector`` is what the endpoint asks."""

    address: str
    collector: RingfenceCollector
    stop_endpoint: Callable[[], None]

    def api(self, path: str, **query: str) -> Any:
        with urlopen(f"{self.address}/api/v1/{path}?{urlencode(query)}", timeout=30) as answer:
            content = json.load(answer)
        assert content["status"] == "success"
        return content["data"]

    def query(self, expression: str) -> list[Any]:
        result: list[Any] = self.api("query", query=expression)["result"]
        return result

    def alerts(self) -> dict[str, str]:
        """Alerts that fire or are about to, with their states; of several of one name any."""
        return {alert["labels"]["alertname"]: alert["state"] for alert in self.api("alerts")["alerts"]}


def until(holds: Callable[[], bool]) -> None:
    """Wait until it does; a minute is far more than it takes."""
    for _ in range(1200):
        if holds():
            return
        time.sleep(0.05)
    pytest.fail("it took more than a minute")


def a_collector(folder: Path) -> RingfenceCollector:
    """An exchange that is short by a coin, with an incident, a message that waits, and sources."""
    warehouse = PublishedWarehouse(folder / "warehouse")
    warehouse.paths.build_file.parent.mkdir()
    warehouse.paths.build_file.touch()
    warehouse.publish(
        run={"status": "passed", "exit_status": 0}, findings=[{}, {"subject_id": "a2", "impact_usd": None}]
    )
    warehouse.attempt("SUCCESS", STARTED - timedelta(seconds=1))
    store = Store.in_file(warehouse.paths.alerts_file)
    incident = Incident(0, seen(), State.OPEN, NOW)
    silenced = replace(incident, seen=seen(subject_id="a2"), silenced_until=datetime.max)
    store.apply(
        lambda _: [Step(one, None, Occasion.OPENED) for one in (incident, silenced)],
        lambda steps, _: [Draft("hook", "line", Occasion.OPENED, "{}", (step.incident.number,)) for step in steps],
        NOW,
    )
    store.close()
    landing, sources = folder / "landing", folder / "sources.yaml"
    sources.write_text(yaml.safe_dump(SOURCES), encoding="utf-8")
    deliver(landing, "first", DAY, 7)
    published_ns = warehouse.paths.published_file.stat().st_mtime_ns
    os.utime(warehouse.paths.build_file, ns=(published_ns, published_ns))
    return RingfenceCollector(Subject(warehouse.paths, None, load_sources(sources), landing))


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scraped]:
    prometheus = program("prometheus", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    collector = a_collector(folder)
    server, thread = serve(registry_of(collector), 0)
    configuration = PROMETHEUS.read_text(encoding="utf-8")
    for old, new in (
        ("127.0.0.1:9464", f"127.0.0.1:{server.server_port}"),
        ("127.0.0.1:9093", f"127.0.0.1:{free_port()}"),
        ("interval: 30s", "interval: 1s"),
        ("timeout: 20s", "timeout: 1s"),
    ):
        assert old in configuration
        configuration = configuration.replace(old, new)
    (folder / "prometheus.yml").write_text(configuration, encoding="utf-8")
    (folder / RULES.name).write_bytes(RULES.read_bytes())
    port = free_port()
    command = [
        str(prometheus),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    try:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                running = Scraped(f"http://127.0.0.1:{port}", collector, stop)
                until(lambda: process.poll() is None and _has_evaluated(running))
                yield running
            finally:
                process.kill()
    finally:
        if thread.is_alive():
            stop()


def _has_evaluated(scraped: Scraped) -> bool:
    try:
        return "RingfenceShort" in scraped.alerts()
    except OSError:
        return False


def test_prometheus_evaluates_every_rule(scraped: Scraped) -> None:
    def ungood() -> dict[str, str]:
        groups = scraped.api("rules")["groups"]
        return {rule["name"]: rule["health"] for group in groups for rule in group["rules"] if rule["health"] != "ok"}

    until(lambda: ungood() == {})
    due = {
        "RingfenceShort",
        "RingfenceGroupShort",
        "RingfenceCheckFails",
        "RingfenceDayNotPublished",
        "RingfenceHeartbeat",
    }
    until(lambda: due <= {name for name, state in scraped.alerts().items() if state == "firing"})
    alerts = scraped.alerts()
    assert "RingfenceExporterDown" not in alerts
    assert "RingfenceMetricsMissing" not in alerts


def test_no_query_of_the_dashboard_errs_and_nearly_all_find_something(scraped: Scraped) -> None:
    queries = dashboard_queries()
    assert len(queries) > 50
    # A scrape that a busy machine gave up leaves nothing until the next one.
    until(lambda: [title for title, query in queries if not scraped.query(query)] == ["Parts that can't be read"])


def test_prometheus_knows_every_metric_as_the_endpoint_told_it(scraped: Scraped) -> None:
    text = generate_latest(registry_of(scraped.collector)).decode()
    run("promtool", "check", "metrics", text=text)
    told = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# HELP")}
    assert {metric.name for metric in METRICS} - told == set()
    expected = {metric.name: [{"type": "gauge", "help": metric.help, "unit": ""}] for metric in METRICS}
    until(lambda: expected.items() <= scraped.api("metadata").items())


def test_an_endpoint_that_ends_is_noticed(scraped: Scraped) -> None:
    scraped.stop_endpoint()
    until(lambda: {"RingfenceExporterDown", "RingfenceMetricsMissing"} <= set(scraped.alerts()))
    # What was wrong before isn't put right by nobody answering.
    assert scraped.alerts()["RingfenceShort"] == "firing"
    assert "RingfenceHeartbeat" not in scraped.alerts()
