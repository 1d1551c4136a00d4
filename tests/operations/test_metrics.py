"""What metrics say of a warehouse and of what stands around it, above all when something of that is broken."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import duckdb
import prometheus_client
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from orchestration import cli
from orchestration.alerts.configuration import load_alerts
from orchestration.alerts.incidents import Category, Incident, Occasion, State, Step
from orchestration.alerts.store import Draft, Store
from orchestration.alerts.watching import Watch
from orchestration.checks import CHECKS, Severity
from orchestration.connectors.base import Clock
from orchestration.connectors.configuration import load_sources
from orchestration.contract import TABLES
from orchestration.errors import ConfigurationError
from orchestration.operations.metrics import collector as collecting
from orchestration.operations.metrics.catalogue import METRICS, METRICS_BY_NAME, WAREHOUSE_PARTS
from orchestration.operations.metrics.collector import RingfenceCollector, Subject, registry_of
from orchestration.operations.metrics.exposing import serve, write_file
from orchestration.operations.metrics.published import GROUPS_SHOWN
from tests.alerts.looks import seen
from tests.operations.deliveries import SOURCES, deliver
from tests.support.published import BTC, DAY, LOAD, SOLVENCY, STARTED, USD, PublishedWarehouse

NOW = datetime(2026, 3, 5, 7, 0)
CLOCK = Clock(now=lambda: NOW, monotonic=lambda: 0.0, sleep=lambda _: None)


def seconds(moment: date) -> float:
    """Seconds since 1970 of a moment in UTC, or of a day's beginning."""
    when = moment if isinstance(moment, datetime) else datetime(moment.year, moment.month, moment.day)
    return when.replace(tzinfo=UTC).timestamp()


class Said:
    """What an exposition says, by metric and labels."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[str, dict[tuple[str, ...], float]] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = tuple(sample.labels[name] for name in METRICS_BY_NAME[sample.name].labels)
                assert labels not in self.values.get(sample.name, {}), f"{sample.name}{labels} is said twice"
                self.values.setdefault(sample.name, {})[labels] = sample.value

    def __call__(self, name: str, *labels: str) -> float | None:
        return self.values.get(f"ringfence_{name}", {}).get(labels)

    def labels(self, name: str) -> list[tuple[str, ...]]:
        return list(self.values.get(f"ringfence_{name}", {}))


def collector_of(warehouse: PublishedWarehouse, **subject: Any) -> RingfenceCollector:
    return RingfenceCollector(Subject(warehouse.paths, **subject), CLOCK)


def said(collector: RingfenceCollector) -> Said:
    return Said(prometheus_client.generate_latest(registry_of(collector)).decode())


@pytest.fixture
def warehouse(tmp_path: Path) -> PublishedWarehouse:
    return PublishedWarehouse(tmp_path / "warehouse")


def test_the_headline_is_that_of_the_latest_day(warehouse: PublishedWarehouse) -> None:
    warehouse.publish()
    says = said(collector_of(warehouse))
    assert says("up") == 1
    columns = {name: name for name in SOLVENCY if f"ringfence_{name}" in METRICS_BY_NAME}
    columns["own_token_ratio"] = "own_token_share"
    assert {name: says(name) for name in columns} == {name: float(SOLVENCY[column]) for name, column in columns.items()}
    assert [says("day_status", status) for status in ("covered", "short", "incomplete")] == [0, 1, 0]
    assert says("covered") == 0
    assert says("published_day_timestamp_seconds") == seconds(DAY)
    # Without alerts' configuration: 06:00 of the morning after the day that comes next.
    assert says("publication_due_timestamp_seconds") == seconds(datetime(2026, 3, 6, 6))


def test_a_group_says_its_gap_in_its_own_units_and_in_dollars(warehouse: PublishedWarehouse) -> None:
    warehouse.publish()
    says = said(collector_of(warehouse))
    names = ("covered", "gap_units", "shortfall_units", "shortfall_usd", "coverage_ratio", "liability_units")
    assert [says(f"group_{name}", "BTC") for name in names] == [0, -0.0035, 0.0035, 140, 0.65, 0.01]
    assert [says(f"group_{name}", "USD") for name in names] == [1, 39.75, 0, 0, 1.066194837635, 600.5]
    assert [says("groups"), says("groups_short"), says("groups_left_out")] == [2, 1, 0]


def test_whether_a_group_is_covered_is_decided_exactly_and_not_by_floats(warehouse: PublishedWarehouse) -> None:
    owed, held = "10000000000000000.000000000000000001", "10000000000000000"
    hair = BTC | {"liability": owed, "eligible_reserves": held, "gap": "-0.000000000000000001", "coverage_ratio": "1"}
    warehouse.publish(groups=[hair | {"gap_usd": "0"}])
    says = said(collector_of(warehouse))
    assert says("group_liability_units", "BTC") == says("group_eligible_reserves_units", "BTC")
    assert [says("group_covered", "BTC"), says("group_gap_units", "BTC"), says("groups_short")] == [0, -1e-18, 1]


def test_what_isn_t_known_is_left_out_and_never_zero(warehouse: PublishedWarehouse) -> None:
    unpriced = BTC | {"price_usd": None, "gap_usd": None}
    enough = USD | {"price_usd": None, "gap_usd": None}
    nothing_owed = USD | {"in_kind_group": "EUR", "liability": "0", "coverage_ratio": None}
    incomplete = SOLVENCY | {"status": "incomplete", "unpriced_assets": 2, "coverage_ratio": None, "net_gap_usd": None}
    warehouse.publish(solvency=incomplete, groups=[unpriced, enough, nothing_owed])
    says = said(collector_of(warehouse))
    assert says("up") == 1
    assert [says("group_shortfall_usd", "BTC"), says("group_shortfall_units", "BTC")] == [None, 0.0035]
    assert says("group_shortfall_usd", "USD") == 0
    assert says("group_coverage_ratio", "EUR") is None
    assert [says("coverage_ratio"), says("net_gap_usd"), says("unpriced_assets")] == [None, None, 2]
    assert [says("covered"), says("day_status", "incomplete"), says("groups_short")] == [0, 1, 1]


def test_groups_are_bounded_and_those_that_are_short_are_never_left_out(warehouse: PublishedWarehouse) -> None:
    many = [
        USD | {"in_kind_group": f"T{number:04}", "price_usd": f"{number + 1}"} for number in range(GROUPS_SHOWN + 50)
    ]
    unpriced = BTC | {"in_kind_group": "Z-dead", "price_usd": None, "gap_usd": None}
    warehouse.publish(groups=[*many, BTC, unpriced])
    says = said(collector_of(warehouse))
    shown = [group for (group,) in says.labels("group_covered")]
    assert len(shown) == GROUPS_SHOWN
    assert shown[:3] == ["Z-dead", "BTC", f"T{GROUPS_SHOWN + 49:04}"]
    assert [says("groups"), says("groups_short"), says("groups_left_out")] == [GROUPS_SHOWN + 52, 2, 52]


def test_affiliates_are_summed_and_not_named(warehouse: PublishedWarehouse) -> None:
    lender = {"entity_id": "e2", "gross_claims_usd": "5", "uncollateralised_usd": "0", "unpriced_balances": 2}
    lender |= {"has_borrowing_beyond_dust": False, "share_of_customer_liabilities": "0"}
    borrower = {"entity_id": "e1", "gross_claims_usd": "25", "uncollateralised_usd": "60", "unpriced_balances": 0}
    borrower |= {
        "has_borrowing_beyond_dust": True,
        "active_privileges": "hidden",
        "share_of_customer_liabilities": "0.06",
    }
    warehouse.publish(affiliates=[lender, borrower])
    says = said(collector_of(warehouse))
    names = ("affiliates", "affiliates_borrowing", "affiliates_privileged", "affiliate_claims_usd")
    assert [says(name) for name in names] == [2, 1, 1, 30]
    assert says("affiliate_largest_uncollateralised_usd") == 60
    assert [says("affiliate_exposure_ratio"), says("affiliate_unpriced_balances")] == [0.06, 2]


def test_nobody_who_stands_in_the_warehouse_is_named(warehouse: PublishedWarehouse) -> None:
    warehouse.publish()
    assert "secret-name" not in said(collector_of(warehouse)).text


def test_findings_are_those_of_the_latest_day_and_integrity_s_that_stand(warehouse: PublishedWarehouse) -> None:
    before = DAY - timedelta(days=1)
    warehouse.publish(
        findings=[
            {},
            {"subject_id": "a2", "impact_usd": "30.5"},
            {"subject_id": "a3", "impact_usd": None},
            {"subject_id": "a4", "as_of_date": before},
            {"check_name": "keys_unique", "kind": "integrity", "as_of_date": before, "impact_usd": None},
            {"check_name": "prices_fresh", "kind": "reconciliation", "severity": "warning"},
        ],
        results=[{}, {"check_name": "prices_fresh", "kind": "reconciliation"}],
    )
    says = said(collector_of(warehouse))

    def of(*labels: str) -> list[float | None]:
        return [says(name, *labels) for name in ("check_findings", "check_findings_usd", "check_findings_unpriced")]

    assert of("no_negative_balance", "breach", "critical") == [3, 100.5, 1]
    assert of("keys_unique", "integrity", "critical") == [1, 0, 1]
    # A check that fails the run, and of which this finding only warns.
    assert of("prices_fresh", "reconciliation", "warning") == [1, 70, 0]
    assert of("prices_fresh", "reconciliation", "critical") == [0, 0, 0]
    assert {labels[0] for labels in says.labels("check_findings")} == {check.name for check in CHECKS}


def test_a_check_that_failed_itself_or_wasn_t_asked_has_not_run(warehouse: PublishedWarehouse) -> None:
    failed = {"check_name": "prices_agree", "kind": "reconciliation", "severity": "critical", "is_error": True}
    warehouse.publish(results=[{}, failed])
    says = said(collector_of(warehouse))
    ran = {labels: (says("check_ran", *labels), says("check_error", *labels)) for labels in says.labels("check_ran")}
    assert ran["no_negative_balance", "breach", "critical"] == (1, 0)
    # With the severity that policy gave it, not the catalogue's.
    assert ran["prices_agree", "reconciliation", "critical"] == (0, 1)
    assert ran["no_negative_equity", "breach", "critical"] == (0, 0)
    assert len(ran) == len(CHECKS)


def test_a_refused_load_leaves_the_last_good_day_and_says_that_it_was_refused(warehouse: PublishedWarehouse) -> None:
    warehouse.publish(run={"status": "passed", "exit_status": 0})
    refused = {"status": "failed_integrity", "exit_status": 4, "published_at": None, "is_accepted": False}
    warehouse.publish(
        run=refused, loads=[{"outcome": "discarded", "rows": 3, "partition_date": DAY + timedelta(days=1)}]
    )
    says = said(collector_of(warehouse))
    assert [says("up"), says("last_run_exit_status")] == [1, 4]
    second = STARTED + timedelta(days=1)
    assert says("last_run_started_timestamp_seconds") == seconds(second)
    assert says("last_run_finished_timestamp_seconds") == seconds(second) + 30.5
    assert says("last_run_duration_seconds") == 30.5
    assert says("last_success_timestamp_seconds") == seconds(STARTED) + 30.5
    assert says("last_publication_timestamp_seconds") == seconds(STARTED) + 30
    # What was refused was read, and makes nothing fresh.
    assert says("load_rows", "ledger_entries") == 3
    assert says("table_day_timestamp_seconds", "ledger_entries", "yes") == seconds(DAY)


def test_loads_are_told_by_table_and_freshness_by_event_and_arrival(warehouse: PublishedWarehouse) -> None:
    old = {"table_name": "token_prices", "source_file": "p/1", "outcome": "superseded", "modified_ns": 5_000_000_000}
    reference = {"table_name": "entities", "source_file": "e/1", "partition_date": None, "rows": 4, "bytes": 50}
    more = {"source_file": "l/2", "partition_date": DAY - timedelta(days=1), "modified_ns": 1}
    warehouse.publish(loads=[{}, more, reference, old], notices=3)
    says = said(collector_of(warehouse))
    loaded = [says(f"load_{what}", "ledger_entries") for what in ("rows", "bytes", "files")]
    assert loaded == [24, 6912, 2]
    assert [says("load_rows", "wallets"), says("load_notices")] == [0, 3]
    assert says("table_day_timestamp_seconds", "ledger_entries", "yes") == seconds(DAY)
    assert says("table_arrived_timestamp_seconds", "ledger_entries", "yes") == LOAD["modified_ns"] / 1e9
    assert says("table_arrived_timestamp_seconds", "token_prices", "yes") == 5
    assert says("table_day_timestamp_seconds", "entities", "no") is None
    assert says("table_arrived_timestamp_seconds", "wallets", "no") is None
    assert {labels[0] for labels in says.labels("load_rows")} == {table.name for table in TABLES}


def test_a_missing_warehouse_is_told_with_what_else_is_known(warehouse: PublishedWarehouse) -> None:
    problems: list[str] = []
    collector = RingfenceCollector(Subject(warehouse.paths), CLOCK, problems.append)
    says = said(collector)
    assert says("up") == 0
    assert [says("part_up", part) for part in (*WAREHOUSE_PARTS, "files", "attempts", "alerts")] == [0] * 7 + [1] * 2
    assert says("collected_timestamp_seconds") == seconds(NOW)
    assert says("covered") is None
    said(collector)
    # Each is told once, however often somebody asks.
    assert [problem.partition(" ")[0] for problem in problems] == [*WAREHOUSE_PARTS, "files"]
    assert all("ringfence run" in problem for problem in problems[:-1])


def test_nothing_is_remembered_of_a_warehouse_that_is_gone(warehouse: PublishedWarehouse) -> None:
    warehouse.publish(solvency=SOLVENCY | {"status": "covered"})
    collector = collector_of(warehouse)
    assert said(collector)("covered") == 1
    aside = warehouse.paths.published_file.rename(warehouse.paths.root / "aside")
    says = said(collector)
    assert [says("up"), says("covered"), says("last_run_exit_status")] == [0, None, None]
    aside.rename(warehouse.paths.published_file)
    assert said(collector)("up") == 1


def test_a_first_run_that_was_refused_has_published_no_day(warehouse: PublishedWarehouse) -> None:
    missing = {"check_name": "arrivals_complete", "kind": "integrity"}
    warehouse.publish(solvency=None, findings=[missing], run={"exit_status": 4, "status": "failed_integrity"})
    says = said(collector_of(warehouse))
    assert [says("up"), says("covered"), says("published_day_timestamp_seconds")] == [0, None, None]
    assert [says("part_up", part) for part in WAREHOUSE_PARTS] == [0, 0, 0, 1, 1, 1]
    assert [says("last_run_exit_status"), says("check_findings", "arrivals_complete", "integrity", "critical")] == [
        4,
        1,
    ]


def test_a_part_that_is_broken_takes_no_other_along(warehouse: PublishedWarehouse, tmp_path: Path) -> None:
    warehouse.publish()
    whole = said(collector_of(warehouse))
    changed = tmp_path / "changed.duckdb"
    changed.write_bytes(warehouse.paths.published_file.read_bytes())
    with duckdb.connect(str(changed)) as connection:
        connection.execute("alter table marts.fct_affiliate_exposure_daily drop column uncollateralised_usd")
        connection.execute("delete from audit.run")
    changed.replace(warehouse.paths.published_file)
    says = said(collector_of(warehouse))
    assert says("up") == 0
    assert [says("part_up", part) for part in WAREHOUSE_PARTS] == [1, 1, 0, 0, 0, 0]
    assert [says("affiliates"), says("last_run_exit_status"), says("load_rows", "ledger_entries")] == [None, None, None]
    for name in ("in_kind_shortfall_usd", "covered", "groups_short"):
        assert says(name) == whole(name)


@pytest.mark.parametrize("kept", [0, 100, 20_000])
def test_a_file_that_was_cut_off_is_not_read(warehouse: PublishedWarehouse, kept: int) -> None:
    warehouse.publish()
    damaged = warehouse.paths.root / "damaged"
    damaged.write_bytes(warehouse.paths.published_file.read_bytes()[:kept])
    damaged.replace(warehouse.paths.published_file)
    says = said(collector_of(warehouse))
    assert [says("up"), says("covered")] == [0, None]
    assert says("snapshot_bytes") == kept


def test_a_file_that_somebody_holds_for_writing_is_told_as_unreadable(warehouse: PublishedWarehouse) -> None:
    warehouse.publish()
    warehouse.paths.published_file.chmod(0o644)
    hold = (
        "import duckdb, sys; held = duckdb.connect(sys.argv[1]); held.execute('create table t (x int)');"
        "print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", hold, str(warehouse.paths.published_file)]
    collector = collector_of(warehouse)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert said(collector)("up") == 0
        holder.communicate()
    assert said(collector)("up") == 1


def test_a_snapshot_is_read_once_and_one_that_can_t_be_read_again_and_again(
    warehouse: PublishedWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def counted(paths: Any) -> Any:
        opened.append(paths)
        return published_connection(paths)

    published_connection = collecting.published_connection
    monkeypatch.setattr(collecting, "published_connection", counted)
    collector = collector_of(warehouse)
    for _ in range(2):
        assert said(collector)("up") == 0
    assert len(opened) == 2
    warehouse.publish()
    for _ in range(3):
        assert said(collector)("in_kind_shortfall_usd") == 140
    assert len(opened) == 3
    warehouse.publish(solvency=SOLVENCY | {"in_kind_shortfall_usd": "7"})
    for _ in range(3):
        assert said(collector)("in_kind_shortfall_usd") == 7
    assert len(opened) == 4


def test_a_run_that_has_begun_and_published_nothing_takes_the_last_exit_status_away(
    warehouse: PublishedWarehouse,
) -> None:
    warehouse.publish(run={"status": "passed", "exit_status": 0})
    collector, build = collector_of(warehouse), warehouse.paths.build_file
    assert [said(collector)(name) for name in ("run_unfinished", "last_run_exit_status")] == [0, 0]
    build.parent.mkdir()
    log = build.with_name(build.name + ".wal")
    published_ns = warehouse.paths.published_file.stat().st_mtime_ns
    for file, changed_ns in ((build, published_ns - 5_000_000_000), (log, published_ns + 2_000_000_000)):
        file.touch()
        os.utime(file, ns=(changed_ns, changed_ns))
        says = said(collector)
        assert says("run_unfinished") == (changed_ns > published_ns)
        assert says("build_changed_timestamp_seconds") == pytest.approx(changed_ns / 1e9, abs=1e-3)
        assert says("last_run_exit_status") == (None if changed_ns > published_ns else 0)
    # The figures of the day published last stay true.
    assert says("covered") == 0


@pytest.mark.parametrize(
    ("status", "later", "expected"),
    [
        # Dagster begins a run before audit records it: this is the published one, red because checks fail.
        ("FAILURE", timedelta(seconds=-1), 3),
        ("FAILURE", timedelta(hours=1), 1),
        ("CANCELED", timedelta(hours=1), 1),
        # At work, or killed.
        ("STARTED", timedelta(hours=1), None),
        # It has ended, and its snapshot will be read in a moment.
        ("SUCCESS", timedelta(hours=1), None),
    ],
)
def test_a_run_that_published_nothing_is_known_from_dagster_s_records(
    warehouse: PublishedWarehouse, status: str, later: timedelta, expected: int | None
) -> None:
    warehouse.publish()
    warehouse.attempt("SUCCESS", STARTED - timedelta(days=1))
    warehouse.attempt(status, STARTED + later)
    says = said(collector_of(warehouse))
    assert says("last_run_exit_status") == expected
    assert says("last_attempt_timestamp_seconds") == seconds(STARTED + later)
    assert says("last_attempt_failed") == (status in ("FAILURE", "CANCELED"))


def test_a_first_run_that_fails_is_told_before_anything_was_published(warehouse: PublishedWarehouse) -> None:
    warehouse.attempt("FAILURE", STARTED)
    says = said(collector_of(warehouse))
    assert [says("up"), says("last_run_exit_status"), says("last_attempt_failed")] == [0, 1, 1]


@pytest.fixture
def alerts_file(tmp_path: Path) -> Path:
    """Alerts without their secrets in the environment: metrics need none of them."""
    route = {"channel": "webhook", "to": {"url": "http://127.0.0.1:9/", "secret_variable": "NOT_SET"}}
    section = {"environment": "production", "hash_key_variable": "NOT_SET_EITHER", "deadline": "07:30"}
    path = tmp_path / "alerts.yaml"
    path.write_text(yaml.safe_dump(section | {"routes": {"hook": route, "mail": route}}), encoding="utf-8")
    return path


def keep(store: Store, *incidents: Incident) -> None:
    """Keep new incidents, with a message to ``hook`` about each."""

    def drafts(steps: Any, _heard: Any) -> Iterator[Draft]:
        for step in steps:
            yield Draft("hook", f"incident:{step.incident.number}", Occasion.OPENED, "{}", (step.incident.number,))

    store.apply(lambda _: [Step(incident, None, Occasion.OPENED) for incident in incidents], drafts, NOW)


def test_incidents_are_counted_and_messages_that_wait_are_told(
    warehouse: PublishedWarehouse, alerts_file: Path
) -> None:
    warehouse.publish()
    store = Store.in_file(warehouse.paths.alerts_file)
    open_ = Incident(0, seen(), State.OPEN, NOW)
    silent = replace(open_, seen=seen(subject_id="a2"), silenced_until=NOW + timedelta(hours=1))
    noted = replace(open_, seen=seen(subject_id="a3", category=Category.NO_DATA), state=State.ACKNOWLEDGED)
    warned = replace(open_, seen=seen(subject_id="a4", severity=Severity.WARNING), silenced_until=NOW)
    resolved = replace(open_, seen=seen(subject_id="a5"), state=State.RESOLVED)
    elsewhere = replace(open_, seen=seen(subject_id="a6", environment="staging"))
    keep(store, open_, silent, noted, warned, resolved, elsewhere)
    first, second, third = store.due_messages(NOW)[:3]
    store.mark_sent(first, NOW)
    store.mark_failed(second, "no route", NOW + timedelta(minutes=1))
    store.mark_looked("production", NOW)
    store.mark_looked("staging", NOW + timedelta(minutes=9))
    store.close()
    says = said(collector_of(warehouse, alerts=load_alerts(alerts_file)))
    counted = {labels: says("incidents", *labels) for labels in says.labels("incidents")}
    assert {labels: count for labels, count in counted.items() if count} == {
        ("open", "critical", "breach"): 2,
        ("acknowledged", "critical", "no_data"): 1,
        ("open", "warning", "breach"): 1,
    }
    assert len(counted) == 2 * len(Severity) * len(Category)
    assert says("incidents_silenced") == 1
    assert [says(f"outbox_{name}messages", "hook") for name in ("", "failing_")] == [5, 1]
    assert [says(f"outbox_{name}messages", "mail") for name in ("", "failing_")] == [0, 0]
    assert says("outbox_oldest_timestamp_seconds", "hook") == seconds(third.created_at)
    assert says("outbox_oldest_timestamp_seconds", "mail") is None
    assert says("watcher_looked_timestamp_seconds") == seconds(NOW)
    assert says("publication_due_timestamp_seconds") == seconds(datetime(2026, 3, 6, 7, 30))
    # Without the configuration whatever lies beside the warehouse is told.
    says = said(collector_of(warehouse))
    assert says("incidents", "open", "critical", "breach") == 3
    assert says("watcher_looked_timestamp_seconds") == seconds(NOW + timedelta(minutes=9))


def test_a_watcher_that_never_looked_is_told_and_no_store_is_begun(
    warehouse: PublishedWarehouse, alerts_file: Path
) -> None:
    warehouse.publish()
    says = said(collector_of(warehouse, alerts=load_alerts(alerts_file)))
    assert [says("watcher_looked_timestamp_seconds"), says("part_up", "alerts")] == [0, 1]
    assert says.labels("incidents") == []
    assert said(collector_of(warehouse))("watcher_looked_timestamp_seconds") is None
    assert not warehouse.paths.alerts_file.parent.exists()


def test_a_store_that_can_t_be_read_leaves_the_warehouse_s_figures_be(warehouse: PublishedWarehouse) -> None:
    warehouse.publish()
    warehouse.paths.alerts_file.parent.mkdir()
    warehouse.paths.alerts_file.write_bytes(b"no database at all" * 100)
    says = said(collector_of(warehouse))
    assert [says("up"), says("part_up", "alerts"), says("in_kind_shortfall_usd")] == [1, 0, 140]
    assert says.labels("incidents") == []
    assert says("watcher_looked_timestamp_seconds") is None


def test_a_look_leaves_a_sign_of_life_and_one_that_fails_doesn_t(
    warehouse: PublishedWarehouse, alerts_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.publish()
    monkeypatch.setenv("NOT_SET_EITHER", "a key")
    monkeypatch.setenv("NOT_SET", "a secret")
    alerts = load_alerts(alerts_file)
    Watch(alerts, warehouse.paths, CLOCK).look()
    collector = collector_of(warehouse, alerts=alerts)
    assert said(collector)("watcher_looked_timestamp_seconds") == seconds(NOW)
    later = replace(CLOCK, now=lambda: NOW + timedelta(minutes=1))
    with sqlite3.connect(warehouse.paths.alerts_file) as database:
        database.execute("alter table incident rename to gone")
    failing = Watch(alerts, warehouse.paths, later)
    with pytest.raises(Exception, match="incident"):
        failing.look()
    assert said(collector)("watcher_looked_timestamp_seconds") in (None, seconds(NOW))


@pytest.fixture
def sources_file(tmp_path: Path) -> Path:
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(SOURCES, sort_keys=False), encoding="utf-8")
    return path


def test_sources_tell_their_last_delivery_and_a_damaged_one_leaves_the_others_be(
    warehouse: PublishedWarehouse, sources_file: Path, tmp_path: Path
) -> None:
    warehouse.publish()
    landing = tmp_path / "landing"
    deliver(landing, "first", DAY - timedelta(days=1), 500)
    deliver(landing, "first", DAY, 7)
    deliver(landing, "second", DAY, 1).write_text(json.dumps({"source": "second"}), encoding="utf-8")
    (landing / "_staging" / "third" / str(DAY)).mkdir(parents=True)
    says = said(collector_of(warehouse, sources=load_sources(sources_file), landing=landing))
    first, second, third = (("first", "price_files"), ("second", "price_files"), ("third", "price_files"))
    assert [says("source_up", *source) for source in (first, second, third)] == [1, 0, 1]
    assert [says("source_pulled", *source) for source in (first, second, third)] == [1, None, 0]
    assert [says("source_pulling", *source) for source in (first, third)] == [0, 1]
    assert says("source_day_timestamp_seconds", *first) == seconds(DAY)
    assert says("source_pulled_timestamp_seconds", *first) == seconds(datetime(2026, 3, 5, 0, 5))
    assert says("source_day_timestamp_seconds", *third) is None
    assert [says(f"source_{what}", *first, "token_prices") for what in ("rows", "bytes")] == [7, 700]
    assert [says("up"), says("part_up", "sources")] == [1, 0]


@contextmanager
def serving(collector: RingfenceCollector) -> Iterator[str]:
    server, thread = serve(registry_of(collector), 0)
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer_of(url: str) -> str:
    with urlopen(url, timeout=60) as answer:
        assert answer.status == 200
        text: str = answer.read().decode()
        return text


def test_the_endpoint_stays_up_whatever_the_warehouse_is(warehouse: PublishedWarehouse) -> None:
    with serving(collector_of(warehouse)) as url:
        assert Said(answer_of(url))("up") == 0
        warehouse.publish()
        assert Said(answer_of(url))("up") == 1


def test_the_command_serves_on_loopback_until_it_is_ended(warehouse: PublishedWarehouse) -> None:
    warehouse.publish()
    command = [sys.executable, "-m", "orchestration.cli", "metrics", "serve", "--port", "0"]
    # A shell's background job may start with signals ignored.
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with subprocess.Popen([*command, "--warehouse", str(warehouse.paths.root)], stdout=subprocess.PIPE) as process:
        signal.signal(signal.SIGTERM, before)
        try:
            assert process.stdout is not None
            line = process.stdout.readline().decode().strip()
            assert line.startswith("serving http://127.0.0.1:")
            assert Said(answer_of(line.removeprefix("serving ")))("up") == 1
        finally:
            process.terminate()
        assert process.wait(timeout=60) == -signal.SIGTERM


def test_scrapes_at_the_same_time_each_tell_one_snapshot_whole(warehouse: PublishedWarehouse, tmp_path: Path) -> None:
    files = []
    for number, status in enumerate(("covered", "short")):
        gap = {"gap": "1", "gap_usd": "1"} if status == "covered" else {}
        warehouse.publish(solvency=SOLVENCY | {"status": status}, groups=[BTC | gap], day=DAY + timedelta(days=number))
        files.append(warehouse.paths.published_file.read_bytes())
    whole = {(seconds(DAY), 1.0, 0.0), (seconds(DAY + timedelta(days=1)), 0.0, 1.0)}
    told: list[tuple[float, ...]] = []
    headline = re.compile(r"^ringfence_(?:published_day_timestamp_seconds|covered|groups_short) (.*)$", re.MULTILINE)
    problems: list[BaseException] = []
    ended = threading.Event()

    def scrape(url: str) -> None:
        try:
            while not ended.is_set():
                told.append(tuple(float(found[1]) for found in headline.finditer(answer_of(url))))
        except BaseException as problem:  # noqa: BLE001 (told by the test itself)
            problems.append(problem)

    with serving(collector_of(warehouse)) as url:
        threads = [threading.Thread(target=scrape, args=(url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for number in range(6):
            new = tmp_path / "new"
            new.write_bytes(files[number % 2])
            new.replace(warehouse.paths.published_file)
            answer_of(url)
        ended.set()
        for thread in threads:
            thread.join()
    assert problems == []
    assert set(told) <= whole
    assert len(told) >= len(threads)


def test_an_address_that_is_taken_is_refused_with_the_remedy(warehouse: PublishedWarehouse) -> None:
    with serving(collector_of(warehouse)) as url:
        port = int(url.split(":")[2].partition("/")[0])
        with pytest.raises(ConfigurationError, match=rf"http://127.0.0.1:{port} can't be served: .*--port or --bind"):
            serve(registry_of(collector_of(warehouse)), port)


def test_the_file_is_replaced_at_once_and_everybody_may_read_it(warehouse: PublishedWarehouse, tmp_path: Path) -> None:
    warehouse.publish()
    folder, mask = tmp_path / "textfile", os.umask(0o077)
    folder.mkdir()
    file = folder / "ringfence.prom"
    try:
        write_file(file, registry_of(collector_of(warehouse)))
        before = file.open(encoding="utf-8")
        write_file(file, registry_of(collector_of(warehouse)))
    finally:
        os.umask(mask)
    assert file.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in folder.iterdir()] == ["ringfence.prom"]
    with before:
        # Whoever had it open goes on reading the old one.
        assert Said(before.read())("up") == 1
        assert os.fstat(before.fileno()).st_nlink == 0


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    for name in ("RINGFENCE_ALERTS", "RINGFENCE_SOURCES", "RINGFENCE_LANDING", "RINGFENCE_WAREHOUSE"):
        monkeypatch.delenv(name, raising=False)
    return cli._invoke(["metrics", *map(str, arguments)])


def test_writing_ends_with_1_if_the_file_lacks_something(
    warehouse: PublishedWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "ringfence.prom"
    command = ("write", "--warehouse", warehouse.paths.root, "--file", file)
    assert run_command(monkeypatch, *command) == 1
    assert Said(file.read_text(encoding="utf-8"))("up") == 0
    told = capsys.readouterr().err.splitlines()
    assert told[-1] == (
        f"ringfence: {file} is written without all of solvency, groups, affiliates, checks, runs, loads, files, which"
        " can't be read; see above"
    )
    warehouse.publish()
    assert run_command(monkeypatch, *command) == 0
    assert Said(file.read_text(encoding="utf-8"))("up") == 1
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ringfence.txt", "node_exporter reads files that end in .prom only"),
        ("missing/ringfence.prom", "there is no folder"),
        ("folder.prom", "can't be written: Is a directory"),
    ],
)
def test_a_file_that_nobody_would_read_is_refused(
    warehouse: PublishedWarehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    message: str,
) -> None:
    (tmp_path / "folder.prom").mkdir()
    status = run_command(monkeypatch, "write", "--warehouse", warehouse.paths.root, "--file", tmp_path / name)
    assert status == (1 if name == "folder.prom" else 2)
    assert message in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.prom", "warehouse"]


def full(warehouse: PublishedWarehouse, alerts_file: Path, sources_file: Path, landing: Path) -> Said:
    """A warehouse of which everything is known."""
    warehouse.publish(run={"status": "passed", "exit_status": 0})
    warehouse.attempt("SUCCESS", STARTED - timedelta(seconds=1))
    warehouse.paths.build_file.parent.mkdir()
    warehouse.paths.build_file.touch()
    os.utime(warehouse.paths.build_file, (1, 1))
    store = Store.in_file(warehouse.paths.alerts_file)
    keep(store, Incident(0, seen(), State.OPEN, NOW))
    store.close()
    for name in SOURCES["sources"]:
        deliver(landing, name, DAY, 7)
    subject: Mapping[str, Any] = {"alerts": load_alerts(alerts_file), "sources": load_sources(sources_file)}
    return said(collector_of(warehouse, landing=landing, **subject))


def test_every_metric_of_the_catalogue_is_told_and_no_other(
    warehouse: PublishedWarehouse, alerts_file: Path, sources_file: Path, tmp_path: Path
) -> None:
    says = full(warehouse, alerts_file, sources_file, tmp_path / "landing")
    assert set(says.values) == set(METRICS_BY_NAME)
    assert len(METRICS) == len(METRICS_BY_NAME)
    for metric in METRICS:
        assert f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n" in says.text
        assert metric.help.endswith("."), metric.name


def test_nothing_is_registered_for_the_whole_process(warehouse: PublishedWarehouse) -> None:
    before = prometheus_client.generate_latest(prometheus_client.REGISTRY)
    text = said(collector_of(warehouse)).text
    assert "ringfence" not in before.decode() + prometheus_client.generate_latest().decode()
    assert "python_info" not in text
    assert "process_" not in text


def test_the_list_shows_every_metric(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(monkeypatch, "list", "--format", "json") == 0
    shown = {row["metric"]: row["meaning"] for row in json.loads(capsys.readouterr().out)}
    assert shown == {metric.name: metric.help for metric in METRICS}
