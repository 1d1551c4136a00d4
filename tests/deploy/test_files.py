"""What stands in the files of ``orchestration/deploy``, each looked at by whatever reads it in production."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance, DagsterRun, RunsFilter
from dagster._core.events import JobFailureData, RunFailureReason
from dagster._core.instance.config import dagster_instance_config
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._core.workspace.config_schema import ensure_workspace_config

from orchestration.definitions import build_defs
from orchestration.settings import REPOSITORY, Settings, from_environment
from tests.deploy.production import DEPLOY, SERVICES, command_of_service, compose, variables_of
from tests.support.outside import program

UNITS = DEPLOY / "systemd"
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1"}


def test_dagster_takes_the_instance_and_the_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_CODE_LOCATION", "/run/ringfence/code-location.sock")
    dagster_instance_config(str(DEPLOY))
    workspace = DEPLOY / "workspace.yaml"
    ensure_workspace_config(yaml.safe_load(workspace.read_text(encoding="utf-8")), str(workspace))


def test_a_run_that_died_is_retried_and_one_that_failed_is_not() -> None:
    settings = yaml.safe_load((DEPLOY / "dagster.yaml").read_text(encoding="utf-8"))
    with DagsterInstance.ephemeral(settings={"run_retries": settings["run_retries"]}) as instance:
        for run_id, reason in (("died", None), ("red", RunFailureReason.STEP_FAILURE)):
            run = instance.add_run(DagsterRun(job_name="daily_close", run_id=run_id))
            instance.report_run_failed(run, "", JobFailureData(error=None, failure_reason=reason) if reason else None)
        tags = {run.run_id: run.tags.get(WILL_RETRY_TAG) for run in instance.get_runs(RunsFilter())}
    assert tags == {"died": "true", "red": "false"}


def test_a_close_that_died_is_run_again_as_a_whole() -> None:
    nowhere = Settings(landing=Path("landing"), warehouse=Path("warehouse"))
    assert build_defs(nowhere).resolve_job_def("daily_close").tags["dagster/retry_strategy"] == "ALL_STEPS"


def test_settings_are_read_from_the_environment_file() -> None:
    settings = from_environment(environment=variables_of("ringfence.env"))
    assert settings.is_schedule_enabled
    assert settings.warehouse == Path("/var/lib/ringfence/warehouse")
    assert settings.alerts_file == Path("/etc/ringfence/alerts.yaml")
    assert not settings.owns_instance


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units where their programs are others, because systemd looks for them."""
    for path in UNITS.rglob("*"):
        if path.is_file():
            target = tmp_path / path.relative_to(UNITS)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8")
            for name in {word for word in text.replace("=", " ").split() if word.startswith("/opt/ringfence/.venv/")}:
                text = text.replace(name + " ", "/bin/true ")
            target.write_text(text, encoding="utf-8")
    return tmp_path


def _systemd_analyze(units: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    analyze = program("systemd-analyze", "systemd")
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:", "SYSTEMD_COLORS": "0"}
    return subprocess.run([analyze, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_systemd_takes_the_units(units: Path) -> None:
    files = [path for path in units.iterdir() if path.is_file()]
    assert len(files) > len(SERVICES)
    done = _systemd_analyze(units, "verify", "--man=no", *files)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_would_say_so_if_a_unit_were_wrong(units: Path) -> None:
    unit = units / "ringfence-daemon.service"
    unit.write_text(unit.read_text(encoding="utf-8").replace("ExecStart", "ExecBegin"), encoding="utf-8")
    assert "ExecBegin" in _systemd_analyze(units, "verify", "--man=no", unit).stderr


@pytest.mark.parametrize("service", SERVICES)
def test_little_of_the_machine_is_in_reach_of_a_service(service: str, units: Path) -> None:
    """systemd's own measure from 0 to 10; a service without hardening has 9.6."""
    unit = units / f"ringfence-{service}.service"
    done = _systemd_analyze(units, "security", "--offline=true", "--threshold=20", unit)
    assert done.returncode == 0, done.stdout


def test_compose_starts_what_systemd_starts() -> None:
    services = compose()["services"]
    variables = variables_of("ringfence.env")
    for name in SERVICES:
        expected = [
            word.replace("${DAGSTER_CODE_LOCATION}", variables["DAGSTER_CODE_LOCATION"])
            for word in command_of_service(name)
        ]
        command = [ANY_ADDRESS.get(word, word) for word in services[name]["command"]]
        if "--bind" in command:  # within a container, loopback is out of the proxy's reach
            position = command.index("--bind")
            assert command[position + 1] == "127.0.0.1"
            del command[position : position + 2]
        assert command == expected


def _rights(service: dict[str, Any]) -> dict[str, Any]:
    return {key: service.get(key) for key in ("read_only", "cap_drop", "security_opt", "privileged", "cap_add")}


def test_containers_may_do_nothing_but_their_work() -> None:
    few = {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "privileged": None,
        "cap_add": None,
    }
    for name, service in compose()["services"].items():
        assert _rights(service) == few, name
        assert service["user"] not in ("root", "0"), name
        assert "mem_limit" in service, name


def test_no_port_is_open_to_the_network() -> None:
    content = compose()
    ports = [port for service in content["services"].values() for port in service.get("ports", ())]
    assert ports == ["127.0.0.1:3000:3000", "127.0.0.1:9464:9464"]
    assert content["networks"]["database"]["internal"] is True
    assert content["services"]["postgres"]["networks"] == ["database"]


def test_compose_names_nothing_that_it_doesn_t_have() -> None:
    content = compose()
    for name, service in content["services"].items():
        assert set(service["networks"]) <= set(content["networks"]), name
        assert set(service.get("depends_on", ())) <= set(content["services"]), name
        volumes = {volume.split(":")[0] for volume in service["volumes"]}
        assert {volume for volume in volumes if volume[0] not in "./"} <= set(content["volumes"]), name
        assert all((DEPLOY / volume).exists() for volume in volumes if volume.startswith(".")), name
    build = content["services"]["daemon"]["build"]
    assert (DEPLOY / build["context"]).resolve() == REPOSITORY
    assert (REPOSITORY / build["dockerfile"]).exists()


def test_the_image_gets_what_its_recipe_copies() -> None:
    recipe = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    wanted = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[0] == "!"}
    copied = {word for line in recipe.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]} - {"."}
    assert copied <= wanted
    assert all((REPOSITORY / name).exists() for name in wanted)
    version = next(line for line in (REPOSITORY / "pyproject.toml").read_text().splitlines() if line[:7] == "version")
    assert compose()["services"]["daemon"]["image"] == f"ringfence:{version.split(chr(34))[1]}"
