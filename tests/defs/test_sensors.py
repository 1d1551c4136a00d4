"""Runs and checks that only Dagster knows of reach the alerts once, whoever started them, and none is lost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import yaml

from orchestration.defs.sensors import alert_sensors
from orchestration.errors import ConfigurationError
from orchestration.journal import CLOSE, PULL, FailedRule, recorded_runs, recording
from orchestration.settings import Settings
from tests.alerts.conftest import alerts_file, receiver, warehouse  # noqa: F401 (fixtures)
from tests.alerts.warehouses import Warehouse, said
from tests.connectors import web

DAY = date(2026, 3, 5)
RANGE = {
    "dagster/asset_partition_range_start": str(DAY),
    "dagster/asset_partition_range_end": str(DAY),
}
CHECK = "no_negative_balance"


@dg.asset(key=["raw", "accounts"])
def accounts() -> None:
    raise OSError("disk full")


@dg.asset(key=["findings", CHECK])
def finding() -> None:
    """A model whose check fails."""


@dg.asset_check(asset=finding, name=CHECK)
def check() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.ERROR, metadata={"failing_subjects": 3})


@dg.asset(key=["sources", "custody", "wallet_balances"])
def balances() -> None:
    raise OSError("status 401")


@dg.asset(key=["somebody", "else"])
def other() -> None:
    raise OSError("not ours")


OWN = {key for asset in (accounts, finding, balances) for key in asset.keys}
DEFINITIONS = dg.Definitions(
    assets=[accounts, finding, balances, other],
    asset_checks=[check],
    jobs=[
        dg.define_asset_job(CLOSE, selection=[accounts]),
        dg.define_asset_job("judging", selection=[finding]),
        dg.define_asset_job(PULL, selection=[balances]),
        dg.define_asset_job("other", selection=[other]),
    ],
    executor=dg.in_process_executor,
)


class Deployment:
    """An instance, and the sensors over it as its daemon runs them: each goes on from where it was."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance, self.settings = instance, settings
        self.cursors: dict[str, str | None] = {}

    def execute(self, job: str, tags: Mapping[str, str] | None = None) -> str:
        definition = DEFINITIONS.resolve_job_def(job)
        result = definition.execute_in_process(instance=self.instance, raise_on_error=False, tags=dict(tags or RANGE))
        return result.run_id

    def launched(self, job: str = CLOSE, tags: Mapping[str, str] | None = None) -> dg.DagsterRun:
        """A run that another process has begun."""
        return self.instance.create_run_for_job(
            DEFINITIONS.resolve_job_def(job), status=dg.DagsterRunStatus.STARTED, tags=dict(tags or RANGE)
        )

    def tick(self) -> None:
        for sensor in alert_sensors(self.settings, OWN):
            context = dg.build_sensor_context(self.instance, cursor=self.cursors.get(sensor.name))
            answer = sensor(context)
            assert isinstance(answer, dg.SkipReason)
            self.cursors[sensor.name] = context.cursor


@pytest.fixture
def deployment(warehouse: Warehouse, alerts_file: Path) -> Iterator[Deployment]:  # noqa: F811
    warehouse.publish()
    with dg.DagsterInstance.ephemeral() as instance:
        yield Deployment(instance, Settings(Path("landing"), warehouse.paths.root, alerts_file=alerts_file))


def about_runs(receiver: web.Web) -> list[tuple[str, str, str]]:  # noqa: F811
    """Occasion, subject and sentence of what was told of runs."""
    return [
        (request.json["occasion"], told["affected"], told["what"])
        for request in receiver.requests
        for told in request.json["told"]
        if told["check_name"] == "run_completes"
    ]


def failed_in_process(deployment: Deployment) -> None:
    deployment.execute(CLOSE)


def failed_in_a_backfill(deployment: Deployment) -> None:
    deployment.execute(CLOSE, {**RANGE, "dagster/backfill": "abcdefgh"})


def stopped_by_somebody(deployment: Deployment) -> None:
    run = deployment.launched()
    deployment.instance.report_run_canceling(run)
    deployment.instance.report_run_canceled(run)


def died_and_was_found_dead(deployment: Deployment) -> None:
    tags = {"dagster/partition": str(DAY), "dagster/schedule_name": "every_night"}
    deployment.instance.report_run_failed(deployment.launched(tags=tags), message="The worker died.")


def materialized_by_hand(deployment: Deployment) -> None:
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    job.execute_in_process(
        instance=deployment.instance,
        raise_on_error=False,
        asset_selection=[dg.AssetKey(["raw", "accounts"])],
        tags=RANGE,
    )


def failed_to_pull(deployment: Deployment) -> None:
    deployment.execute(PULL)


@pytest.mark.parametrize(
    ("happening", "job", "words"),
    [
        (failed_in_process, CLOSE, "disk full"),
        (failed_in_a_backfill, CLOSE, "disk full"),
        (stopped_by_somebody, CLOSE, "it was stopped"),
        (died_and_was_found_dead, CLOSE, "The worker died."),
        (materialized_by_hand, CLOSE, "disk full"),
        (failed_to_pull, PULL, "status 401"),
    ],
)
def test_a_run_that_failed_is_one_incident_whoever_started_it(
    deployment: Deployment,
    receiver: web.Web,  # noqa: F811
    happening: object,
    job: str,
    words: str,
) -> None:
    assert callable(happening)
    happening(deployment)
    deployment.tick()
    deployment.tick()
    ((occasion, affected, what),) = about_runs(receiver)
    assert (occasion, affected) == ("opened", f"job {job}")
    assert words in what
    assert str(DAY) in what
    assert [(run.job, run.last_date) for run in recorded_runs(deployment.settings.paths.runs)] == [(job, DAY)]


def test_the_run_that_does_better_resolves_it(deployment: Deployment, receiver: web.Web) -> None:  # noqa: F811
    deployment.execute(CLOSE)
    deployment.tick()
    with recording(deployment.settings.paths.runs, "by-hand", CLOSE, DAY, DAY) as record:
        record.end("failed_checks", "a hole")
    deployment.tick()
    assert [occasion for occasion, _, _ in about_runs(receiver)] == ["opened", "resolved"]


def test_what_a_run_has_recorded_itself_is_not_told_again(deployment: Deployment, receiver: web.Web) -> None:  # noqa: F811
    run_id = deployment.execute(CLOSE)
    with recording(deployment.settings.paths.runs, run_id, CLOSE, DAY, DAY) as record:
        record.end("failed_checks", "a hole")  # the verdict makes the run red in Dagster, and it has a result
    deployment.tick()
    assert about_runs(receiver) == []


def test_what_isn_t_ours_is_left_alone(deployment: Deployment, receiver: web.Web) -> None:  # noqa: F811
    deployment.execute("other", {})
    deployment.tick()
    assert about_runs(receiver) == []
    assert recorded_runs(deployment.settings.paths.runs) == []


def test_nothing_is_lost_when_a_tick_breaks(deployment: Deployment, receiver: web.Web) -> None:  # noqa: F811
    assert deployment.settings.alerts_file is not None
    whole = deployment.settings.alerts_file.read_text(encoding="utf-8")
    deployment.execute(CLOSE)
    deployment.settings.alerts_file.write_text(yaml.safe_dump({"environment": "x"}), encoding="utf-8")
    with pytest.raises(ConfigurationError):
        deployment.tick()
    assert deployment.cursors == {}
    deployment.settings.alerts_file.write_text(whole, encoding="utf-8")
    deployment.tick()
    assert [occasion for occasion, _, _ in about_runs(receiver)] == ["opened"]


def test_a_receiver_that_is_down_fails_no_tick(deployment: Deployment, receiver: web.Web) -> None:  # noqa: F811
    receiver.fault = web.denied
    deployment.execute(CLOSE)
    deployment.tick()
    assert set(deployment.cursors) == {"runs_that_ended", "checks_that_failed"}


def test_a_check_that_failed_is_kept_for_the_case_that_its_run_dies(
    deployment: Deployment,
    receiver: web.Web,  # noqa: F811
) -> None:
    run_id = deployment.execute("judging")
    runs = deployment.settings.paths.runs
    deployment.tick()
    assert recorded_runs(runs) == []
    with recording(runs, run_id, CLOSE, DAY, DAY) as record:
        deployment.cursors.clear()
        deployment.tick()
        deployment.tick()
        assert CHECK not in {name for _, name in said(receiver)}
        expected = FailedRule("asset check", CHECK, f"findings/{CHECK}", "breach", "critical", subjects=3)
        assert [run.failed_rules for run in recorded_runs(runs)] == [(expected,)]
        record.end("error", "disk full while publishing")
    deployment.tick()
    told = [one for one in said(receiver) if one[1] in (CHECK, "run_completes")]
    assert sorted(told) == [("opened", CHECK), ("opened", "run_completes")]


def test_sensors_are_there_and_on_if_alerts_are_configured_and_not_otherwise(alerts_file: Path) -> None:  # noqa: F811
    settings = Settings(Path("landing"), Path("warehouse"))
    assert not alert_sensors(settings, OWN)
    sensors = alert_sensors(Settings(Path("landing"), Path("warehouse"), alerts_file=alerts_file), OWN)
    assert {sensor.name for sensor in sensors} == {"runs_that_ended", "checks_that_failed"}
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}
