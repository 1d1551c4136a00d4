"""Build files and logs that aren't what was written: noticed, set aside, and read again from the landing zone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration import runner
from orchestration.ending import RunResult
from orchestration.pipeline import steps
from orchestration.pipeline.mending import set_damaged_aside
from orchestration.pipeline.run import ExitStatus
from orchestration.settings import Settings
from orchestration.warehouse.build_file import BuildFileError, build_connection
from orchestration.warehouse.damage import DamagedBuildFileError, damage_of, is_damage
from tests.faults import children
from tests.faults.undisturbed import LAST, Undisturbed, content, notices, plain_run

BLOCK_BYTES, FIRST_BLOCK = 262_144, 3 * 4_096
"""Where DuckDB's blocks lie: behind three headers."""


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def flip(path: Path, place: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(place)
        (byte,) = stream.read(1)
        stream.seek(place)
        stream.write(bytes([byte ^ 0x10]))


def flip_header(path: Path) -> None:
    for header in (4_096, 8_192):  # the one in force and the one before
        flip(path, header + 40)


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database\n" * 1_000)


def checksum(content_: bytes) -> int:
    """DuckDB's, of a content of whole words."""
    result = 5_381
    for place in range(0, len(content_), 8):
        word = int.from_bytes(content_[place : place + 8], "little")
        result ^= word * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
    return result


def as_of_another_version(path: Path) -> None:
    header = bytearray(path.read_bytes()[:4_096])
    assert checksum(bytes(header[8:])) == int.from_bytes(header[:8], "little")
    header[12:20] = (9_999).to_bytes(8, "little")
    header[:8] = checksum(bytes(header[8:])).to_bytes(8, "little")
    with path.open("r+b") as stream:
        stream.write(header)


def log_of(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def write_and_die(path: Path, sql: str) -> None:
    """What a process does that is killed before it has closed the file."""
    connection = duckdb.connect(str(path))
    connection.execute(sql)
    os._exit(0)


def leave_log(path: Path, sql: str) -> None:
    assert children.ended(children.start(write_and_die, path, sql)) == 0
    assert log_of(path).stat().st_size > 0


def foreign_log(path: Path) -> None:
    other = path.with_name("other.duckdb")
    leave_log(other, "create table other as select 1 as x")
    log_of(other).rename(log_of(path))
    other.unlink()


def flipped_log(path: Path) -> None:
    leave_log(path, "create table big as select range::varchar as x from range(5000)")
    flip(log_of(path), log_of(path).stat().st_size // 2)


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut": (cut, "Could not read enough bytes"),
    "empty": (empty, "not a valid DuckDB database file"),
    "overwritten": (overwrite, "not a valid DuckDB database file"),
    "a flipped header": (flip_header, "Corrupt database file"),
    "another version": (as_of_another_version, "storage version number 9999"),
    "the log of another file": (foreign_log, "WAL does not match database file"),
    "a flipped log": (flipped_log, "Corrupt WAL file"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_build_file_is_set_aside_when_a_run_opens_it(
    name: str, undisturbed: Undisturbed, tmp_path: Path
) -> None:
    damage, reason = DAMAGES[name]
    settings = undisturbed.copy(tmp_path)
    damage(settings.paths.build_file)
    damaged = settings.paths.build_file.read_bytes()
    steps.prepare_run(settings, "again", LAST, LAST)
    assert (settings.paths.old_build_files / "ringfence_build_0001.duckdb").read_bytes() == damaged
    with build_connection(settings.paths.build_file) as connection:
        ((notice,),) = connection.execute("select notice from audit.notice where run_id = 'again'").fetchall()
        told = connection.execute("select run_id, status from audit.run order by started_at").fetchall()
        loads = connection.execute("select distinct outcome from audit.load").fetchall()
    assert reason in notice
    assert "set aside as build/old/ringfence_build_0001.duckdb; all was read from the landing zone again" in notice
    assert told == [("one", "passed"), ("two", "passed"), ("again", "running")]
    assert loads == [("superseded",)]
    undisturbed.require_held(settings, is_before=True)


def block_of_rows(build_file: Path) -> int:
    """Where rows that were accepted on day 1 lie in the file."""
    with duckdb.connect(str(build_file), read_only=True) as connection:
        ((block,),) = connection.execute(
            "select max(block_id) from pragma_storage_info('delivered.ledger_entries') where persistent"
        ).fetchall()
    return FIRST_BLOCK + int(block) * BLOCK_BYTES


def test_a_flipped_block_ends_the_run_that_needs_it_and_the_next_reads_all_again(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path)
    flip(settings.paths.build_file, block_of_rows(settings.paths.build_file) + 100)
    with pytest.raises(Exception, match="Corrupt database file") as raised:
        plain_run(settings, "disturbed")
    assert is_damage(raised.value)
    assert damage_of(settings.paths.build_file) is not None
    undisturbed.require_held(settings, is_before=True)
    undisturbed.require_mended(settings)
    (notice,) = notices(settings.paths, "again")
    assert notice.startswith("build file: damaged (")
    assert damage_of(settings.paths.build_file) is None


def test_a_build_file_older_than_what_was_published_loses_nothing_that_was_said(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    """Somebody put a build file of yesterday back, or its log was lost."""
    settings = undisturbed.copy(tmp_path)
    settings.paths.published_file.unlink()
    shutil.copy(undisturbed.published_after, settings.paths.published_file)
    undisturbed.require_held(settings, is_before=False)
    undisturbed.require_mended(settings)
    (notice,) = notices(settings.paths, "again")
    assert "older than what was published: it doesn't know of run three" in notice
    with duckdb.connect(str(settings.paths.published_file), read_only=True) as connection:
        figures = "select count(*) from audit.published_figure where run_id = 'three'"
        assert connection.execute(figures).fetchall()[0][0] > 0


def test_a_landing_zone_that_changed_meanwhile_cant_stand_in_for_a_damaged_build_file(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path, with_landing=True)
    cut(settings.paths.build_file)
    damaged = settings.paths.build_file.read_bytes()
    prices = "token_prices/date=2022-01-01/rows.csv"
    whole = (settings.landing / prices).read_bytes()
    (settings.landing / prices).write_bytes(whole.replace(b",40000,", b",41000,"))
    with pytest.raises(DamagedBuildFileError, match=f"{prices} changed since it was accepted; put back .* or take it"):
        steps.prepare_run(settings, "again", LAST, LAST)
    assert settings.paths.build_file.read_bytes() == damaged
    (settings.landing / prices).write_bytes(whole)
    steps.prepare_run(settings, "again", LAST, LAST)
    assert settings.paths.build_file.read_bytes() != damaged


def test_a_log_beside_the_published_file_is_never_taken_as_part_of_it(undisturbed: Undisturbed, tmp_path: Path) -> None:
    settings = undisturbed.copy(tmp_path)
    published = settings.paths.published_file
    leave_log(published, "update marts.fct_customer_liability_daily set liability = 0")
    assert content(settings.paths) != undisturbed.before  # what readers are shown until then
    steps.prepare_run(settings, "again", LAST, LAST)
    undisturbed.require_held(settings, is_before=True)
    foreign_log(published)
    steps.publish_audit_only(settings)
    assert content(settings.paths)["fct_customer_liability_daily"] == undisturbed.before["fct_customer_liability_daily"]


def test_a_damaged_published_file_is_replaced_by_the_run_and_the_build_file_stays(
    undisturbed: Undisturbed, tmp_path: Path
) -> None:
    settings = undisturbed.copy(tmp_path)
    settings.paths.published_file.chmod(0o644)
    cut(settings.paths.published_file)
    steps.prepare_run(settings, "again", LAST, LAST)
    assert not settings.paths.old_build_files.exists()
    steps.publish_run(settings)
    said = content(settings.paths)
    assert said["fct_customer_liability_daily"] == undisturbed.before["fct_customer_liability_daily"]


def require_in_use(build_file: Path) -> None:
    with pytest.raises(BuildFileError, match="wait for its end") as raised, build_connection(build_file):
        pass
    assert not is_damage(raised.value)


def test_what_is_no_damage_sets_nothing_aside(undisturbed: Undisturbed, tmp_path: Path) -> None:
    settings = undisturbed.copy(tmp_path)
    for text in ("Could not set lock on file", "Permission denied", "No space left on device", "Input/output error"):
        error = duckdb.IOException(f"IO Error: {text}")
        with pytest.raises(duckdb.IOException, match=text):
            set_damaged_aside(settings, error)
    with duckdb.connect(str(settings.paths.build_file)):
        in_use = children.start(require_in_use, settings.paths.build_file)
        assert children.ended(in_use) == 0
    assert settings.paths.build_file.exists()


def test_the_command_line_runs_again_at_once_if_it_met_damage_on_its_way(
    undisturbed: Undisturbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = undisturbed.copy(tmp_path)
    attempts: list[str] = []

    def execute(_: Settings, first: date, last: date, *, verbose: bool) -> RunResult:
        attempts.append(f"{first} {last} {verbose}")
        return RunResult(f"run-{len(attempts)}", ExitStatus.ERROR, "Corrupt database file")

    monkeypatch.setattr(runner, "judge", lambda: None)
    monkeypatch.setattr(runner, "_execute", execute)
    runner.run_days(settings, LAST, LAST)
    assert len(attempts) == 1, "an error without damage isn't tried again"
    flip(settings.paths.build_file, block_of_rows(settings.paths.build_file) + 100)
    assert runner.run_days(settings, LAST, LAST).run_id == "run-3"
