"""What a warehouse keeps on disk."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.errors import ConfigurationError
from orchestration.settings import Settings, WarehousePaths, from_environment
from orchestration.warehouse import retention
from orchestration.warehouse.retention import disk_use, drop_old_build_files, set_build_file_aside


def begin_build_file(paths: WarehousePaths, content: str, log: str | None = None) -> None:
    paths.build_file.parent.mkdir(parents=True, exist_ok=True)
    paths.build_file.write_text(content)
    if log is not None:
        paths.build_file.with_name(paths.build_file.name + ".wal").write_text(log)


def old_files(paths: WarehousePaths) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(paths.old_build_files.iterdir())}


@pytest.mark.parametrize(("kept", "left"), [(0, []), (1, ["third"]), (2, ["second", "third"])])
def test_the_newest_build_files_that_were_set_aside_stay(kept: int, left: list[str], tmp_path: Path) -> None:
    paths = WarehousePaths(tmp_path)
    for content in ("first", "second", "third"):
        begin_build_file(paths, content)
        aside = set_build_file_aside(paths)
        assert aside is not None
        assert aside.read_text() == content
        assert not paths.build_file.exists()
    drop_old_build_files(paths, kept)
    assert list(old_files(paths).values()) == left


def test_a_build_file_goes_with_its_log_and_one_that_isnt_there_doesnt_go(tmp_path: Path) -> None:
    paths = WarehousePaths(tmp_path)
    assert set_build_file_aside(paths) is None
    begin_build_file(paths, "killed", log="its log")
    set_build_file_aside(paths)
    begin_build_file(paths, "next")
    assert old_files(paths) == {
        "ringfence_build_0001.duckdb": "killed",
        "ringfence_build_0001.duckdb.wal": "its log",
    }
    set_build_file_aside(paths)
    drop_old_build_files(paths, 1)
    assert old_files(paths) == {"ringfence_build_0002.duckdb": "next"}


def test_each_part_is_measured_and_a_file_with_two_names_counts_once(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "landing", tmp_path)
    paths = settings.paths
    begin_build_file(paths, "12345", log="12")
    paths.snapshots.mkdir()
    snapshot = paths.snapshots / "ringfence_a.duckdb"
    snapshot.write_text("1234")
    paths.published_file.hardlink_to(snapshot)
    measured = [(use.part, use.files, use.bytes) for use in disk_use(settings)]
    assert measured == [("build file", 2, 7), ("published snapshots", 1, 4), ("all", 3, 11)]


def test_the_page_lists_every_part(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "landing", tmp_path)
    paths = settings.paths
    folders = (paths.old_build_files, paths.snapshots, settings.instance_folder, paths.data_docs)
    for folder in (*folders, paths.dbt_artefacts, paths.runs, tmp_path / "rebuild"):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    paths.build_file.touch()
    page = Path(retention.__file__).with_name("WAREHOUSE.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| ([A-Za-z][a-z' ]+) \|", page.partition("| part |")[2], re.MULTILINE)
    assert {use.part for use in disk_use(settings)} == {*shown, "all"}


def test_how_much_is_kept_is_a_setting(tmp_path: Path) -> None:
    def read(**environment: str) -> tuple[int, int, int]:
        settings = from_environment(landing=tmp_path, warehouse=tmp_path, environment=environment)
        return settings.snapshots_kept, settings.build_files_kept, settings.dagster_runs_kept

    assert read() == (3, 1, 100)
    assert read(RINGFENCE_SNAPSHOTS_KEPT="2", RINGFENCE_BUILD_FILES_KEPT="0", RINGFENCE_DAGSTER_RUNS_KEPT="7") == (
        2,
        0,
        7,
    )
    with pytest.raises(ConfigurationError, match="RINGFENCE_SNAPSHOTS_KEPT must be a whole number of at least 1"):
        read(RINGFENCE_SNAPSHOTS_KEPT="0")
    with pytest.raises(ConfigurationError, match="RINGFENCE_BUILD_FILES_KEPT must be a whole number of at least 0"):
        read(RINGFENCE_BUILD_FILES_KEPT="none")
