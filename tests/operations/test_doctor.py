"""Each probe's good side, and each of its bad ones, made bad on purpose; and the command as a whole."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorStatus

from orchestration import cli
from orchestration.alerts.incidents import Occasion
from orchestration.alerts.store import Draft, Store
from orchestration.connectors.delivery import DeliveredFile, Manifest
from orchestration.landing.changes import sha256_of
from orchestration.landing.manifests import manifest_path
from orchestration.operations.doctor import deliveries, installation, outside, scheduling, warehouse
from orchestration.operations.doctor.examination import INSTALLATION, WAREHOUSE, examine
from orchestration.operations.doctor.machine import Machine, Space
from orchestration.operations.doctor.naming import named_variables
from orchestration.operations.doctor.probing import Case, Outcome, Probe, State, ok, try_all
from orchestration.runner import open_instance
from orchestration.settings import REPOSITORY, VARIABLES, Settings, WarehousePaths
from orchestration.warehouse.lock import warehouse_lock
from tests.connectors import web
from tests.operations.standing import (
    DAY,
    MORNING,
    decide_schedule,
    files_of,
    hear_daemon,
)

TOKEN = "s3cr3t-of-the-hook"
GIGABYTE = 10**9
MACHINE = Machine(output_encoding=lambda: "utf-8")


@pytest.fixture
def paths(settings: Settings) -> WarehousePaths:
    return settings.paths


def states(probe: Any, settings: Settings, **machine: Any) -> list[str]:
    """What a probe finds, each as its state, a colon and its words with the remedy."""
    found = list(probe(Case(settings, replace(MACHINE, **machine))))
    assert all(one.remedy for one in found if one.state in (State.WARNING, State.PROBLEM))
    return [f"{one.state.value}: {one.found} | {one.remedy}" for one in found]


def only(probe: Any, settings: Settings, **machine: Any) -> str:
    (found,) = states(probe, settings, **machine)
    return found


# What is installed and set


def test_python_must_be_one_the_code_is_made_for(settings: Settings) -> None:
    assert only(installation.python_version, settings).startswith("ok: 3.")
    old = only(installation.python_version, settings, python=lambda: "3.10.4")
    assert old.startswith("problem: 3.10.4, and >=3.11")


def test_libraries_must_have_the_versions_that_are_required(settings: Settings) -> None:
    assert re.match(r"ok: \d+ as required, DuckDB 2", only(installation.libraries, settings))

    def version(name: str) -> str:
        if name == "pandas":
            raise metadata.PackageNotFoundError(name)
        return {"duckdb": "1.5.5", "adbc-driver-postgresql": "0.9"}.get(name) or metadata.version(name)

    found = states(installation.libraries, settings, version=version)
    assert sorted(one.split(" |")[0] for one in found) == [
        "problem: duckdb is 1.5.5, ==2.0.0 is needed",
        "problem: pandas isn't installed, ==3.1.1 is needed",
        "warning: adbc-driver-postgresql is 0.9, ==1.13.0 is needed",
    ]


def test_the_dbt_project_is_parsed_ahead_or_can_be(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "prepared_folder", lambda: tmp_path / "target" / "x")
    assert only(installation.dbt_project, settings).startswith("warning: not parsed")
    assert "can't write" in only(installation.dbt_project, settings, may=lambda *_: False)
    (tmp_path / "target" / "x").mkdir(parents=True)
    (tmp_path / "target" / "x" / "manifest.json").touch()
    assert only(installation.dbt_project, settings).startswith("warning")
    (tmp_path / "target" / "x" / "partial_parse.msgpack").touch()
    assert only(installation.dbt_project, settings).startswith("ok")


def test_a_misspelt_variable_is_told(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("RINGFENCE_")]:
        monkeypatch.delenv(name)
    assert only(installation.variables, settings) == "ok: 0 set, all known | "
    monkeypatch.setenv("RINGFENCE_ALERT", "alerts.yaml")
    assert only(installation.variables, settings).endswith("| did you mean RINGFENCE_ALERTS?")
    monkeypatch.delenv("RINGFENCE_ALERT")
    monkeypatch.setenv("RINGFENCE_HASH_KEY", "x")
    file = tmp_path / "alerts.yaml"
    file.write_text("hash_key_variable: RINGFENCE_HASH_KEY", encoding="utf-8")
    assert only(installation.variables, replace(settings, alerts_file=file)).startswith("ok")


def test_every_variable_that_is_read_is_known() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "orchestration").rglob("*.py")]
    sources.append((REPOSITORY / "dbt_project" / "profiles.yml").read_text(encoding="utf-8"))
    named = set(re.findall(r"[\"'](RINGFENCE_[A-Z_]+)[\"']", "\n".join(sources)))
    assert named == set(VARIABLES)


def test_the_policy_is_valid_and_checks_that_are_off_are_told(settings: Settings, tmp_path: Path) -> None:
    assert only(installation.policy, settings).startswith("ok: the default is valid")
    file = tmp_path / "policy.yaml"
    file.write_text("checks: {keys_unique: {enabled: false}}", encoding="utf-8")
    assert "switches off keys_unique" in only(installation.policy, replace(settings, policy_file=file))
    file.write_text("checks: {key_unique: {enabled: false}}", encoding="utf-8")
    assert only(installation.policy, replace(settings, policy_file=file)).startswith("problem: policy file")


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        (None, "ok: DuckDB takes up to four fifths of 8.0 GB"),
        ("6GB", "ok: RINGFENCE_MEMORY_LIMIT is 6GB"),
        ("7.5 GB", "warning: RINGFENCE_MEMORY_LIMIT is 7.5 GB, and there are 8.0 GB | leave some"),
        ("8GiB", "problem: RINGFENCE_MEMORY_LIMIT is 8GiB, and there are 8.0 GB | set it to four fifths"),
        ("much", "problem: memory limit 'much'"),
    ],
)
def test_the_memory_limit_leaves_room(
    settings: Settings, limit: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RINGFENCE_MEMORY_LIMIT", raising=False)
    if limit is not None:
        monkeypatch.setenv("RINGFENCE_MEMORY_LIMIT", limit)
    assert only(installation.memory, settings, memory=lambda: 8 * GIGABYTE).startswith(said)


def test_output_that_can_t_hold_all_signs_is_told(settings: Settings) -> None:
    for encoding in ("utf-8", "UTF-8", "utf8"):
        assert only(installation.texts, settings, output_encoding=lambda e=encoding: e).startswith("ok")
    for encoding in ("ascii", "iso-8859-1", "none"):
        assert only(installation.texts, settings, output_encoding=lambda e=encoding: e).startswith("warning")


# The warehouse


def test_the_folder_can_be_written_to_as_a_whole(settings: Settings, paths: WarehousePaths, tmp_path: Path) -> None:
    assert only(warehouse.folder, settings).startswith(f"ok: {paths.root}")
    closed = states(warehouse.folder, settings, may=lambda path, _: path != paths.snapshots)
    assert [one.split(" |")[0] for one in closed] == [f"problem: {paths.snapshots} can't be written to"]
    elsewhere = states(warehouse.folder, settings, device=lambda path: int(path == paths.snapshots))
    assert [one.split(" |")[0] for one in elsewhere] == [
        f"problem: {paths.snapshots} is on another file system than {paths.root}"
    ]
    new = replace(settings, warehouse=tmp_path / "not" / "yet")
    assert only(warehouse.folder, new).startswith("ok")
    assert only(warehouse.folder, new, may=lambda *_: False).endswith(f"give the right to write to {tmp_path}")
    (tmp_path / "file").touch()
    assert only(warehouse.folder, replace(settings, warehouse=tmp_path / "file")).startswith("problem")
    assert not (tmp_path / "not").exists()


def test_a_folder_on_another_file_system_is_seen_through_its_link(settings: Settings, paths: WarehousePaths) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == paths.root.stat().st_dev:
        other = Path("/proc")  # one that is always another
    build = paths.build_file.parent
    build.symlink_to(other, target_is_directory=True)
    assert f"problem: {build} is on another file system" in "\n".join(states(warehouse.folder, settings))


def test_files_of_another_user_are_told(settings: Settings, paths: WarehousePaths) -> None:
    assert only(warehouse.ownership, settings).startswith("ok")
    other = only(warehouse.ownership, settings, user=lambda: os.geteuid() + 1)
    assert other.startswith(f"warning: {paths.root} belongs to user {os.geteuid()}, and this is user")


def test_what_others_may_do_is_told(settings: Settings, paths: WarehousePaths) -> None:
    assert only(warehouse.modes, settings).startswith("ok")
    paths.build_file.parent.mkdir()
    paths.build_file.write_bytes(b"")
    paths.build_file.chmod(0o644)
    # The folders above keep others out.
    assert only(warehouse.modes, settings).startswith("ok")
    paths.root.chmod(0o755)
    paths.build_file.parent.chmod(0o755)
    assert only(warehouse.modes, settings).startswith(f"warning: others may read {paths.build_file}")
    paths.build_file.parent.chmod(0o700)
    assert only(warehouse.modes, settings).startswith("ok")
    paths.snapshots.chmod(0o777)
    assert only(warehouse.modes, settings).startswith(f"problem: others may change {paths.snapshots}")
    assert stat.S_IMODE(paths.snapshots.stat().st_mode) == 0o777


def test_who_holds_the_lock_is_told(settings: Settings, paths: WarehousePaths) -> None:
    assert only(warehouse.lock, settings).startswith("ok: free")
    with warehouse_lock(paths.lock_file):
        assert f"held for 0 s by process {os.getpid()}, which is alive" in only(warehouse.lock, settings)
        gone = only(warehouse.lock, settings, is_alive=lambda _: False)
        assert gone.startswith("warning")
        assert f"process {os.getpid()} isn't on this machine" in gone
        paths.lock_file.write_text("")
        assert "didn't say its number" in only(warehouse.lock, settings)
    # What the last holder wrote stays, and means nothing.
    assert only(warehouse.lock, settings).startswith("ok: free")
    assert Machine().is_alive(os.getpid())
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert not Machine().is_alive(ended.pid)


@pytest.mark.parametrize(
    "left", [".publishing-x", "published/.publishing-x.duckdb", "build/ringfence_build.duckdb.wal", "rebuild/x"]
)
def test_what_a_killed_run_left_is_told(settings: Settings, paths: WarehousePaths, left: str) -> None:
    assert only(warehouse.leftovers, settings).startswith("ok")
    path = paths.root / left
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert only(warehouse.leftovers, settings).startswith(
        "warning: a killed run left 1 thing: " + left.split("/x", maxsplit=1)[0]
    )
    with warehouse_lock(paths.lock_file):
        assert only(warehouse.leftovers, settings).startswith("left out")


def test_a_log_beside_the_published_file_is_told_also_while_a_run_works(
    settings: Settings, paths: WarehousePaths
) -> None:
    (paths.root / "ringfence.duckdb.wal").touch()
    assert only(warehouse.leftovers, settings).startswith("problem")
    with warehouse_lock(paths.lock_file):
        assert states(warehouse.leftovers, settings)[0].startswith("problem")


def test_a_build_file_that_is_none_is_told_without_opening_it(settings: Settings, paths: WarehousePaths) -> None:
    assert "reads the whole landing zone" in only(warehouse.build_file, settings)
    paths.build_file.parent.mkdir()
    paths.build_file.write_bytes(paths.published_file.read_bytes())
    assert re.match(r"ok: \d+\.\d MB", only(warehouse.build_file, settings))
    for content in (b"", b"\0" * 4096):
        paths.build_file.write_bytes(content)
        assert "rebuild --new-build-file" in only(warehouse.build_file, settings)


def test_the_published_file_is_read_whole(settings: Settings, paths: WarehousePaths) -> None:
    assert re.match(r"ok: opens; all \d+ tables read", only(warehouse.published, settings))
    content = paths.published_file.read_bytes()
    (snapshot,) = paths.snapshots.iterdir()
    refused = 0
    for place in range(3 * 4096 + 100, len(content), len(content) // 5):  # past the headers, somewhere in the blocks
        damaged = bytearray(content)
        damaged[place] ^= 1
        snapshot.chmod(0o600)
        snapshot.write_bytes(damaged)
        found = only(warehouse.published, settings)
        refused += found.startswith("problem: ringfence.duckdb is damaged")
        assert found.startswith(("problem", "ok"))
    assert refused >= 3  # a byte of a block that holds nothing is none of a table
    snapshot.write_bytes(content[:9000])
    assert only(warehouse.published, settings).startswith("problem: ringfence.duckdb is damaged")


def test_a_published_file_that_isn_t_the_newest_snapshot_is_told(settings: Settings, paths: WarehousePaths) -> None:
    newer = paths.snapshots / "ringfence_2026-03-05_x.duckdb"
    newer.touch()
    os.utime(newer, (2e9, 2e9))
    assert states(warehouse.published, settings)[0].startswith(
        f"problem: ringfence.duckdb isn't the newest snapshot, {newer.name}"
    )
    newer.unlink()
    for snapshot in paths.snapshots.iterdir():
        snapshot.unlink()
    assert "no snapshot" in states(warehouse.published, settings)[0]
    paths.published_file.unlink()
    assert only(warehouse.published, settings).startswith("left out")
    paths.published_file.symlink_to("published/gone.duckdb")
    assert "points to published/gone.duckdb, which is gone" in only(warehouse.published, settings)


def test_a_large_published_file_is_read_for_a_while_only(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "READING_SECONDS", -1.0)
    assert re.match(r"ok: opens; 0 of \d+ tables read", only(warehouse.published, settings))


def test_room_for_the_next_run(settings: Settings, paths: WarehousePaths) -> None:
    def found(free: int, files: int | None = 1000) -> str:
        return only(warehouse.disk, settings, space=lambda _: Space(free, 100 * GIGABYTE, files))

    assert found(50 * GIGABYTE).startswith("ok: 50.0 GB free")
    assert found(300_000_000).startswith("warning: 0.3 GB free: enough to publish")
    assert found(100_000_000).startswith("problem: 0.1 GB free, and the next run needs some 0.2 GB")
    assert found(0).startswith("problem")
    assert found(50 * GIGABYTE, 0).startswith("problem: no file can be created")
    assert found(50 * GIGABYTE, None).startswith("ok")
    paths.build_file.parent.mkdir()
    with paths.build_file.open("wb") as file:
        file.truncate(40 * GIGABYTE)  # takes no room itself
    assert found(50 * GIGABYTE).startswith("warning")
    assert found(3 * GIGABYTE).startswith("problem")
    new = replace(settings, warehouse=settings.warehouse / "not" / "yet")
    assert only(warehouse.disk, new).startswith(("ok", "warning", "problem"))
    assert Machine().space(settings.warehouse).total > 0


def test_a_clock_that_jumped_back_is_told(settings: Settings, paths: WarehousePaths) -> None:
    def found(now: datetime) -> str:
        return only(warehouse.clock, settings, now=lambda: now)

    assert found(datetime(2100, 1, 1)).startswith("ok")
    written = datetime.fromtimestamp(paths.published_file.stat().st_mtime, UTC).replace(tzinfo=None)
    assert "problem" in found(written - timedelta(days=3))
    assert only(warehouse.clock, settings).startswith("ok")
    for path in (paths.root, paths.snapshots, paths.published_file):
        os.utime(path, (0, 0))
    # The files are old, and so is the clock: the last run began after that.
    assert "00:00:00 UTC here, and the last run is from 35 min" in found(datetime(2026, 3, 5, 0, 0))
    assert found(datetime(2026, 3, 5, 0, 34, 30)).startswith("ok")


# Deliveries


def deliver(landing: Path, content: bytes = b"rows") -> Path:
    file = landing / "tokens" / f"registry-{DAY}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    delivered = DeliveredFile("tokens", file.relative_to(landing).as_posix(), 1, len(content), sha256_of(file))
    manifest = Manifest("registry", "files", DAY, (MORNING, MORNING), None, MORNING, (delivered,))
    path = manifest_path(landing, "registry", DAY)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(manifest.as_json(), encoding="utf-8")
    return file


def test_the_landing_zone_is_there_and_in_order(settings: Settings, tmp_path: Path) -> None:
    root = settings.landing
    assert only(deliveries.landing, settings).startswith(f"problem: landing folder {root} isn't there")
    pulled = replace(settings, sources_file=tmp_path / "sources.yaml")
    assert only(deliveries.landing, pulled).startswith("warning")
    unnamed = list(deliveries.landing(Case(settings, MACHINE, is_landing_named=False)))
    assert [one.state for one in unnamed] == [State.LEFT_OUT]
    root.mkdir()
    assert "holds no file" in only(deliveries.landing, settings)
    deliver(root)
    assert only(deliveries.landing, settings).startswith("ok: 1 file of 1 partition")
    assert "can't be read" in only(deliveries.landing, settings, may=lambda *_: False)
    closed = states(deliveries.landing, pulled, may=lambda _, mode: not mode & os.W_OK)
    assert closed[0].startswith(f"problem: {root} can't be written to, and sources are pulled into it")
    (root / "ledger_entries" / "date=04-03-2026").mkdir(parents=True)
    (root / "ledger_entries" / "date=04-03-2026" / "rows.csv").touch()
    assert (
        "1 file out of place, the first ledger_entries/date=04-03-2026/rows.csv"
        in states(deliveries.landing, settings)[0]
    )


def test_what_was_delivered_last_lies_there_as_it_was(settings: Settings) -> None:
    root = settings.landing
    assert only(deliveries.manifests, settings).startswith("left out")
    file = deliver(root)
    assert only(deliveries.manifests, settings) == "ok: registry: 1 file of 2026-03-04 as delivered | "
    file.write_bytes(b"sowr")
    assert "its digest differs" in only(deliveries.manifests, settings)
    file.write_bytes(b"row")
    assert "has 3 bytes, and 4 were delivered" in only(deliveries.manifests, settings)
    file.unlink()
    assert "is gone" in only(deliveries.manifests, settings)
    deliver(root)
    (root / "_staging" / "registry" / "2026-03-05").mkdir(parents=True)
    begun, fine = states(deliveries.manifests, settings)
    assert begun.startswith("warning: registry: the pull of 2026-03-05 was begun")
    assert fine.startswith("ok")
    manifest_path(root, "registry", DAY).write_text("{", encoding="utf-8")
    assert only(deliveries.manifests, settings).startswith("problem: manifest")


# Dagster


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    folder = tmp_path_factory.mktemp("instance")
    with open_instance(Settings(folder, folder / "warehouse")) as opened:
        yield opened


def test_the_instance_s_records_can_be_read_and_it_sends_nothing(settings: Settings, instance: DagsterInstance) -> None:
    home = Path(instance.root_directory)
    there = replace(settings, dagster_home=home)
    assert only(scheduling.instance, there) == f"ok: {home}: its records can be read | "
    assert "can't be written to" in states(scheduling.instance, there, may=lambda *_: False)[0]
    assert only(scheduling.instance, settings).startswith("ok: none yet")
    missing = replace(settings, dagster_home=settings.warehouse / "nowhere")
    assert only(scheduling.instance, missing).startswith("problem: DAGSTER_HOME names")
    own = settings.paths.dagster_home
    own.mkdir()
    assert "sends figures of its use" in states(scheduling.instance, settings)[1]
    (own / "dagster.yaml").write_text("telemetry: {enabled: false}\nstorage: {mysql: {}}", encoding="utf-8")
    assert only(scheduling.instance, settings).startswith("problem")


def test_the_schedule_has_a_daemon_that_lives(settings: Settings, instance: DagsterInstance) -> None:
    there = replace(settings, dagster_home=Path(instance.root_directory))
    on = replace(there, is_schedule_enabled=True)

    def found(of: Settings) -> str:
        return only(scheduling.schedule, of, now=lambda: MORNING)

    assert found(settings).startswith("left out: off")
    assert found(there).startswith("left out: off")
    assert "no daemon was ever heard" in found(on)
    assert "no daemon was ever heard" in found(replace(settings, is_schedule_enabled=True))
    hear_daemon(instance, MORNING - timedelta(minutes=1))
    assert found(on).startswith("ok: every_night is on, its daemon was heard 1 min 0 s ago")
    hear_daemon(instance, MORNING - timedelta(hours=5))
    assert found(on).startswith("problem: every_night is on, and its daemon hasn't been heard for 5 h")
    decide_schedule(instance, InstigatorStatus.RUNNING)
    assert found(there).startswith("problem")
    decide_schedule(instance, InstigatorStatus.STOPPED)
    assert found(on).startswith("warning: every_night was stopped in Dagster")
    assert found(there).startswith("left out")


# Over the network


@pytest.fixture
def server() -> Iterator[web.Web]:
    with web.serving(lambda _: web.Answer({"ok": True})) as running:
        yield running


def configured(settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch, **routes: Any) -> Settings:
    """Settings with a source and a route, whose secrets are set."""
    monkeypatch.setenv("HOOK_SECRET", TOKEN)
    monkeypatch.setenv("HASH_KEY", "the-key-of-hashes")
    monkeypatch.setenv("SERVER", server.url)
    folder = settings.warehouse.parent
    csv = folder / "exports" / "tokens.csv"
    csv.parent.mkdir(exist_ok=True)
    csv.write_text("asset,asset_class,issuer_entity_id,decimals,in_kind_group\nBTC,crypto,,8,BTC\n", encoding="utf-8")
    sources = {
        "exports": {"kind": "files", "location": str(csv.parent), "tables": {"tokens": {"pattern": "tokens.csv"}}}
    }
    alerts = {
        "environment": "test",
        "hash_key_variable": "HASH_KEY",
        "routes": {
            "hook": {"channel": "webhook", "to": {"url": "${SERVER}", "secret_variable": "HOOK_SECRET"}},
            **routes,
        },
    }
    (folder / "sources.yaml").write_text(yaml.safe_dump({"sources": sources}), encoding="utf-8")
    (folder / "alerts.yaml").write_text(yaml.safe_dump(alerts), encoding="utf-8")
    return replace(settings, sources_file=folder / "sources.yaml", alerts_file=folder / "alerts.yaml")


def outcomes(settings: Settings, *, is_offline: bool = False, **machine: Any) -> dict[str, list[Outcome]]:
    """What the probes of outside find, by probe."""
    case = Case(settings, replace(MACHINE, **machine))
    probes = [
        *outside.source_probes(case, is_offline=is_offline),
        *outside.alert_probes(case, is_offline=is_offline),
        outside.time_of_others(is_offline=is_offline),
    ]
    found: dict[str, list[Outcome]] = {}
    for tried in try_all(probes, case, 20):
        found.setdefault(tried.probe, []).append(tried.outcome)
    return found


def test_every_secret_that_a_file_names_must_be_set(
    settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGFENCE_HASH_KEY", "a key that lasts for years")
    assert only(outside.secrets, settings).startswith("left out")
    with_files = configured(settings, server, monkeypatch)
    assert named_variables(with_files) == {
        "route hook": ["HOOK_SECRET", "SERVER"],
        "alerts.yaml: hash_key_variable": ["HASH_KEY"],
    }
    assert only(outside.secrets, with_files) == "ok: 3 set, none missing | "
    monkeypatch.setenv("HASH_KEY", "guess me")
    monkeypatch.delenv("RINGFENCE_HASH_KEY")
    no_key, short, fine = states(outside.secrets, with_files)
    assert no_key.startswith("warning: RINGFENCE_HASH_KEY isn't set")
    assert short.startswith("warning: HASH_KEY has fewer than 16 signs")
    assert "guess me" not in short + fine
    monkeypatch.setenv("RINGFENCE_HASH_KEY", "a key that lasts for years")
    monkeypatch.delenv("HOOK_SECRET")
    monkeypatch.setenv("HASH_KEY", "")
    missing = states(outside.secrets, with_files)
    assert [one.split(" |")[0] for one in missing] == [
        "problem: route hook: HOOK_SECRET isn't set",
        "problem: alerts.yaml: hash_key_variable: HASH_KEY isn't set",
    ]


def test_sources_routes_and_their_store_are_tried(
    settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = {"channel": "email", "to": {"host": "127.0.0.1", "port": 1, "sender": "a@b", "recipients": ["c@d"]}}
    with_files = configured(settings, server, monkeypatch, mail=dead)
    found = outcomes(with_files)
    assert {one.state for one in found["source exports"]} == {State.OK}
    assert [one.state for one in found["route hook"]] == [State.OK]
    (mail,) = found["route mail"]
    assert (mail.state, mail.remedy) == (State.PROBLEM, "mend the route, then: ringfence alerts test --route mail")
    assert [one.found for one in found["alert store"]] == ["none yet; the first look creates it"]
    (settings.warehouse.parent / "exports" / "tokens.csv").unlink()
    broken = outcomes(with_files)
    assert State.PROBLEM in {one.state for one in broken["source exports"]}
    assert not settings.paths.alerts_file.exists()


def test_what_isn_t_configured_is_left_out_and_said(settings: Settings) -> None:
    found = outcomes(settings)
    assert {name: [one.state for one in ones] for name, ones in found.items()} == {
        "sources": [State.LEFT_OUT],
        "alerts": [State.LEFT_OUT],
        "time": [State.LEFT_OUT],
    }
    assert found["sources"][0].found == "no file of sources (--sources or RINGFENCE_SOURCES)"


def test_files_that_are_wrong_are_problems(
    settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_files = configured(settings, server, monkeypatch, other={"channel": "pigeon"})
    assert with_files.sources_file is not None
    with_files.sources_file.write_text("sources: {x: {kind: fils}}", encoding="utf-8")
    found = outcomes(with_files)
    assert [one.state for one in [*found["sources"], *found["alerts"]]] == [State.PROBLEM] * 2
    assert "did you mean files?" in found["sources"][0].found
    assert "pigeon" in found["alerts"][0].found


def test_offline_asks_nobody(settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch) -> None:
    found = outcomes(configured(settings, server, monkeypatch), is_offline=True)
    assert {name: ones[0].state.value for name, ones in found.items()} == {
        "sources": "left out",
        "alert store": "ok",
        "alert routes": "left out",
        "time": "left out",
    }
    assert server.requests == []


def test_messages_that_were_tried_in_vain_and_a_store_that_is_none_are_told(settings: Settings) -> None:
    file = settings.paths.alerts_file
    store = Store.in_file(file)
    store.add_message(Draft("chat", "line", Occasion.OPENED, "body", ()), MORNING)

    def found() -> list[str]:
        return states(outside.alert_store, settings, now=lambda: MORNING)

    assert found()[0].startswith("warning: nobody has looked ever")
    store.mark_looked("production", MORNING - timedelta(minutes=5))
    assert found() == ["ok: opens; 1 messages waiting | "]
    store.mark_looked("production", MORNING - timedelta(hours=2))
    (message,) = store.waiting_messages()
    store.mark_failed(message, "nothing listens there", MORNING)
    store.close()
    silent, failing = found()
    assert silent.startswith("warning: nobody has looked for 2 h 0 min")
    assert failing.startswith("warning: 1 messages were tried in vain: nothing listens there")
    file.write_bytes(b"no database" * 100)
    assert "file is not a database" in only(outside.alert_store, settings)
    file.unlink()
    assert only(outside.alert_store, settings, may=lambda *_: False).startswith("problem")


def test_the_clock_is_compared_with_a_server_s(
    settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_files = configured(settings, server, monkeypatch)
    server.handler = lambda _: web.Answer(b"", 404, {"date": format_datetime(MORNING.replace(tzinfo=UTC), usegmt=True)})

    def found(now: datetime) -> str:
        (one,) = outcomes(with_files, now=lambda: now)["time"]
        return f"{one.state.value}: {one.found}"

    assert found(MORNING + timedelta(seconds=2)) == "ok: 2 s from 127.0.0.1's"
    assert found(MORNING + timedelta(seconds=90)).startswith("warning: 1 min 30 s ahead of 127.0.0.1's")
    assert found(MORNING - timedelta(hours=2)).startswith("warning: 2 h 0 min behind 127.0.0.1's")
    server.handler = lambda _: web.Answer(b"", 200, {"date": "yesterday"})
    assert found(MORNING).startswith("left out")
    server.close()
    assert found(MORNING).startswith("left out")


# The whole


def test_a_probe_that_raises_is_a_problem_and_hides_no_other(settings: Settings) -> None:
    def broken(_: Case) -> Iterator[Outcome]:
        yield ok("so far")
        raise ZeroDivisionError("of\nno use")

    case = Case(settings)
    found = list(try_all([Probe("a", broken), Probe("b", lambda _: [ok("fine")])], case, 5))
    assert [(one.probe, one.outcome.state) for one in found] == [
        ("a", State.OK),
        ("a", State.PROBLEM),
        ("b", State.OK),
    ]
    assert found[1].outcome.found == "it can't be tried: ZeroDivisionError: of no use"


@pytest.mark.parametrize("is_outside", [False, True])
def test_a_probe_that_hangs_is_left_behind(settings: Settings, is_outside: bool) -> None:
    let_go = threading.Event()

    def hanging(_: Case) -> Iterator[Outcome]:
        yield ok("so far")
        let_go.wait()

    probes = [Probe("a", hanging, is_outside), Probe("b", lambda _: [ok("fine")], is_outside)]
    found = list(try_all(probes, Case(settings), 0.2))
    let_go.set()
    assert [(one.probe, one.outcome.found) for one in found] == [
        ("a", "so far"),
        ("a", "no answer within 0.2 s"),
        ("b", "fine"),
    ]


def test_secrets_are_kept_out_of_whatever_a_probe_says(
    settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_files = configured(settings, server, monkeypatch)
    monkeypatch.setattr(outside, "check_source", lambda *_: 1 / int(f"not {TOKEN}", 2))
    told = " ".join(f"{one.outcome.found} {one.outcome.remedy}" for one in examine(Case(with_files, MACHINE)))
    assert "ValueError" in told
    assert "***" in told
    assert TOKEN not in told


def test_nothing_is_written(settings: Settings, server: web.Web, monkeypatch: pytest.MonkeyPatch) -> None:
    with_files = configured(settings, server, monkeypatch)
    before = files_of(settings.warehouse.parent)
    list(examine(Case(with_files, MACHINE)))
    assert files_of(settings.warehouse.parent) == before


def test_the_command_exits_1_on_a_problem_only(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(settings.warehouse.parent)
    arguments = ["doctor", "--warehouse", str(settings.warehouse), "--offline", "--format", "json"]
    assert cli._invoke(arguments) == 0
    lines = json.loads(capsys.readouterr().out)
    assert {line["probe"] for line in lines} >= {probe.name for probe in (*INSTALLATION, *WAREHOUSE)}
    assert "problem" not in {line["state"] for line in lines}
    (settings.warehouse / "ringfence.duckdb.wal").touch()
    assert cli._invoke(arguments[:-2]) == 1
    captured = capsys.readouterr()
    assert re.search(r"^problem +leftovers", captured.out, re.MULTILINE)
    assert captured.err.strip().splitlines()[-1] == "ringfence: 1 problem; each line above says what to do"
    monkeypatch.setenv("RINGFENCE_SNAPSHOTS_KEPT", "none")
    assert cli._invoke(arguments) == 2


def test_a_warehouse_that_isn_t_there_yet_has_no_problem(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli._invoke(["doctor", "--warehouse", str(tmp_path / "w"), "--offline", "--format", "csv"]) == 0
    assert "the first run creates it" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
