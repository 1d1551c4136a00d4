"""The whole graph: exactly the assets there should be, in one job, from the landing zone to the verdict."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from orchestration.checks import CHECKS, Kind
from orchestration.contract import TABLES
from orchestration.definitions import build_defs
from orchestration.defs.common import daily_partitions
from orchestration.defs.schedules import JOB_NAME
from orchestration.runner import open_instance
from orchestration.settings import Settings
from orchestration.warehouse.dbt import manifest_as_json

SETTINGS = Settings(landing=Path("landing"), warehouse=Path("warehouse"))


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    return build_defs(SETTINGS)


@pytest.fixture(scope="module")
def specs(definitions: dg.Definitions) -> Mapping[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def dbt_keys() -> set[str]:
    nodes = manifest_as_json()["nodes"].values()
    return {f"{node['schema']}/{node['name']}" for node in nodes if node["resource_type"] in ("model", "seed")}


def test_the_assets_are_exactly_these(specs: Mapping[str, dg.AssetSpec]) -> None:
    expected = {f"{layer}/{table.name}" for layer in ("landing", "incoming", "raw") for table in TABLES}
    expected |= {f"policy/{name}" for name in ("run_context", "setting", "list_item", "check_setting")}
    expected |= {"policy/build_plan", "policy/built_asset_day"}
    expected |= dbt_keys()
    expected |= {"audit/finding", "published/ringfence", "published/verdict"}
    assert set(specs) == expected


def test_every_check_is_an_asset_check_on_its_finding_model(definitions: dg.Definitions) -> None:
    graph = definitions.resolve_asset_graph()
    checks = {(key.asset_key.to_user_string(), key.name) for key in graph.asset_check_keys}
    assert checks == {(f"findings/{check.name}", check.name) for check in CHECKS}
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    assert blocking == {check.name for check in CHECKS if check.kind is Kind.INTEGRITY}


def test_every_asset_tells_what_it_is_and_who_owns_it(specs: Mapping[str, dg.AssetSpec]) -> None:
    without = [key for key, spec in specs.items() if not (spec.description and spec.owners and spec.group_name)]
    assert without == []


def test_groups_are_the_layers_and_domains(specs: Mapping[str, dg.AssetSpec]) -> None:
    groups = {spec.group_name for spec in specs.values()}
    assert {"landing", "ingest", "raw", "staging", "marts", "quality", "publish", "liabilities", "reserves"} <= groups
    assert {"findings_integrity", "findings_reconciliation", "findings_breach"} <= groups


def upstream(definitions: dg.Definitions, key: str) -> set[str]:
    graph = definitions.resolve_asset_graph()
    return {parent.to_user_string() for parent in graph.get(dg.AssetKey(key.split("/"))).parent_keys}


def test_the_graph_runs_from_source_to_verdict_without_a_way_round_the_gates(definitions: dg.Definitions) -> None:
    assert upstream(definitions, "incoming/accounts") == {"landing/accounts", "policy/run_context"}
    assert upstream(definitions, "findings/keys_unique") == {f"incoming/{table.name}" for table in TABLES}
    integrity = {f"findings/{check.name}" for check in CHECKS if check.kind is Kind.INTEGRITY}
    assert upstream(definitions, "raw/accounts") == {"incoming/accounts", *integrity}
    assert "raw/accounts" in upstream(definitions, "staging/stg_landing__accounts")
    assert upstream(definitions, "published/ringfence") == {"audit/finding"}
    assert upstream(definitions, "published/verdict") == {"published/ringfence"}
    judged = upstream(definitions, "audit/finding")
    assert {key for key in dbt_keys() if key.split("/")[0] in ("marts", "findings")} <= judged


def test_only_ingestion_is_tried_again(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def(JOB_NAME)
    retried = {node.name for node in job.all_node_defs if getattr(node, "retry_policy", None) is not None}
    assert retried == {"read_reference_tables", "read_dated_tables"}
    policy: Any = next(node for node in job.all_node_defs if node.name == "read_dated_tables")
    assert policy.retry_policy.jitter is dg.Jitter.PLUS_MINUS


def test_every_step_takes_its_turn_at_the_warehouse(definitions: dg.Definitions) -> None:
    job = definitions.resolve_job_def(JOB_NAME)
    pools = {getattr(node, "pool", None) for node in job.all_node_defs if isinstance(node, dg.OpDefinition)}
    assert pools == {"ringfence_warehouse_writer"}


def test_a_schedule_that_fires_during_a_backfill_waits_for_its_turn(
    definitions: dg.Definitions, tmp_path: Path
) -> None:
    """Dagster's queue, asked as its daemon asks it, about the instance that a warehouse comes with."""
    job, daemon = definitions.resolve_job_def(JOB_NAME), QueuedRunCoordinatorDaemon(interval_seconds=1)
    with open_instance(Settings(tmp_path / "landing", tmp_path / "warehouse")) as instance:

        def first_in_queue() -> list[str]:
            runs = daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)
            return [run.run_id for run in runs]

        backfill = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        location = RegisteredCodeLocationOrigin("ringfence")
        origin = RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), JOB_NAME)
        tonight, tomorrow = (
            instance.create_run_for_job(job, status=dg.DagsterRunStatus.QUEUED, remote_job_origin=origin)
            for _ in range(2)
        )
        assert first_in_queue() == []
        instance.report_run_failed(backfill)
        assert first_in_queue() == [tonight.run_id], "one after the other, whatever became of the backfill"
        assert tomorrow.run_id != tonight.run_id


def test_schedule_and_sensors_are_off_until_an_environment_opts_in(definitions: dg.Definitions) -> None:
    (schedule,) = definitions.resolve_all_job_defs() and definitions.get_repository_def().schedule_defs
    assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
    assert schedule.cron_schedule == "30 0 * * *"
    assert schedule.execution_timezone == "UTC"
    assert definitions.get_repository_def().sensor_defs == []
    # The file of alerts, which isn't there, isn't read before a sensor looks.
    settings = Settings(Path("landing"), Path("warehouse"), is_schedule_enabled=True, alerts_file=Path("alerts.yaml"))
    enabled = build_defs(settings).get_repository_def()
    assert enabled.schedule_defs[0].default_status is dg.DefaultScheduleStatus.RUNNING
    assert {sensor.name for sensor in enabled.sensor_defs} == {"runs_that_ended", "checks_that_failed"}


def test_partitions_reach_whatever_day_is_asked_for() -> None:
    today = datetime.now(UTC).date()
    future, past = today + timedelta(days=400), date(2011, 6, 1)
    keys = daily_partitions(past, future).get_partition_keys()
    assert (keys[0], keys[-1]) == ("2011-06-01", future.isoformat())
    assert daily_partitions().get_partition_keys()[-1] == (today - timedelta(days=1)).isoformat()
    assert daily_partitions(today, today).get_partition_keys()[-1] == today.isoformat()


def test_dated_tables_are_partitioned_by_day_and_reference_tables_are_not(specs: Mapping[str, dg.AssetSpec]) -> None:
    partitioned = {table.name for table in TABLES if specs[f"incoming/{table.name}"].partitions_def is not None}
    assert partitioned == {table.name for table in TABLES if table.dated}


def test_the_module_that_dagster_loads_holds_the_definitions_and_loads_fast(tmp_path: Path) -> None:
    program = (
        "import time; from orchestration.definitions import defs; started = time.process_time(); loaded = defs();"
        " count = len(list(loaded.resolve_all_asset_specs())); print(count, time.process_time() - started)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    count, seconds = finished.stdout.split()
    assert int(count) == len(dbt_keys()) + 3 * len(TABLES) + 9
    # Processor time, imports apart; it is about one second. Parsing the dbt project would take five or more.
    assert float(seconds) < 4
