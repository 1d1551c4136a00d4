"""The assets of configured sources: one for each table of a source, in a job of their own, thin around a pull."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.connectors import configuration
from orchestration.definitions import build_defs
from orchestration.defs.schedules import JOB_NAME, PULL_JOB_NAME
from orchestration.settings import Settings
from tests.connectors import web
from tests.connectors.conformance import HTTP_SETTINGS, SECRET
from tests.connectors.sample import SampleKind, answer

KEY = dg.AssetKey(["sources", "custody", "wallet_balances"])


@pytest.fixture
def server() -> Iterator[web.Web]:
    with web.serving(answer) as running:
        yield running


@pytest.fixture
def settings(server: web.Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(configuration, "kinds_by_name", lambda: {"sample": SampleKind("sample", "", "", "a sample")})
    section = {"kind": "sample", "url": server.url, "token_variable": "SAMPLE_TOKEN", **HTTP_SETTINGS}
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump({"sources": {"custody": section}}), encoding="utf-8")
    (tmp_path / "landing").mkdir()
    return Settings(tmp_path / "landing", tmp_path / "warehouse", sources_file=path)


def pull(definitions: dg.Definitions, *, first: str, last: str) -> dg.ExecuteInProcessResult:
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    return definitions.resolve_job_def(PULL_JOB_NAME).execute_in_process(tags=tags, raise_on_error=False)


def test_definitions_load_without_secrets_or_servers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAMPLE_TOKEN", raising=False)
    definitions = build_defs(settings)
    specs = {spec.key: spec for spec in definitions.resolve_all_asset_specs()}
    assert {key for key in specs if key.path[0] == "sources"} == {KEY}
    assert specs[KEY].group_name == "sources"
    assert specs[KEY].owners
    assert {dep.asset_key for dep in specs[dg.AssetKey(["landing", "wallet_balances"])].deps} == {KEY}
    assert not specs[dg.AssetKey(["landing", "accounts"])].deps


def test_the_pull_is_a_job_of_its_own_before_the_close(settings: Settings) -> None:
    definitions = build_defs(settings)
    assert KEY not in definitions.resolve_job_def(JOB_NAME).asset_layer.executable_asset_keys
    assert set(definitions.resolve_job_def(PULL_JOB_NAME).asset_layer.executable_asset_keys) == {KEY}
    crons = {schedule.name: schedule.cron_schedule for schedule in definitions.get_repository_def().schedule_defs}
    assert crons == {"every_night": "30 0 * * *", "every_night_before": "5 0 * * *"}


def test_a_range_is_pulled_day_by_day_and_tells_what_landed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", SECRET)
    result = pull(build_defs(settings), first="2026-03-04", last="2026-03-05")
    assert result.success
    (materialization,) = [event.materialization for event in result.get_asset_materialization_events()][:1]
    assert materialization.asset_key == KEY
    metadata = {name: value.value for name, value in materialization.metadata.items()}
    assert metadata["dagster/row_count"] == 6
    assert metadata["files"].split(", ") == [
        "wallet_balances/date=2026-03-04/custody.parquet",
        "wallet_balances/date=2026-03-05/custody.parquet",
    ]
    assert len(metadata["sha256"].split(", ")) == 2
    assert SECRET not in repr(metadata)
    log = capfd.readouterr().err
    assert "pulling custody: 2026-03-04" in log
    assert "custody: 2026-03-05 landed" in log


def test_a_failed_pull_fails_the_step_without_a_secret(
    settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMPLE_TOKEN", SECRET)
    monkeypatch.setattr(dg.RetryPolicy, "max_retries", 0, raising=False)
    server.fault = web.denied
    result = pull(build_defs(settings), first="2026-03-04", last="2026-03-04")
    assert not result.success
    told = repr(result.all_events)
    assert "status 401" in told
    assert SECRET not in told
    assert list(settings.landing.rglob("*.parquet")) == []
