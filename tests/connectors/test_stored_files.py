"""Files by pattern: which are found, which are news, and which are refused."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from orchestration.connectors.errors import (
    AnswerError,
    EmptyAnswerError,
    IncompleteError,
    LimitError,
    SourceError,
    UnreachableError,
)
from orchestration.connectors.limits import Limits
from orchestration.connectors.local_files import LocalFolder
from orchestration.connectors.stored_files import FilePattern, Intake, Storage, StoredFile, copy_of, look

DAY = date(2026, 3, 4)


def write(folder: Path, *keys: str, content: bytes = b"x") -> None:
    for key in keys:
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(folder: Path, pattern: str) -> list[str]:
    return [file.key for file in FilePattern(pattern).found_in(LocalFolder(folder))]


def news(intake: Intake) -> dict[str, bytes]:
    return {arrived.file.key: arrived.read() for arrived in intake.arrived()}


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("*.csv", ["a.csv", "b.csv"]),
        ("?.csv", ["a.csv", "b.csv"]),
        ("[!a].csv", ["b.csv"]),
        ("[b-z].csv", ["b.csv"]),
        ("*/*.csv", ["deep/c.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "deep/c.csv", "deep/er/d.csv"]),
        ("deep/**", ["deep/c.csv", "deep/er/d.csv"]),
        ("deep/er/d.csv", ["deep/er/d.csv"]),
        ("nowhere/*.csv", []),
    ],
)
def test_patterns(tmp_path: Path, pattern: str, keys: list[str]) -> None:
    write(tmp_path, "b.csv", "a.csv", "deep/c.csv", "deep/er/d.csv", "A.CSV.part")
    write(tmp_path, ".hidden.csv", "_x.csv", "a.csv.tmp", "deep/_temporary/0/e.csv", ".git/f.csv")
    assert found(tmp_path, pattern) == keys


def test_folders_that_the_pattern_names_are_no_temporary_ones(tmp_path: Path) -> None:
    write(tmp_path, "_exports/a.csv", "_exports/_b.csv")
    assert found(tmp_path, "_exports/*.csv") == ["_exports/a.csv"]


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        ("dt={date}/*.csv", "dt=2026-03-04/a.csv"),
        ("ledger-{date:%Y%m%d}*.csv", "ledger-20260304-2.csv"),
        ("{date:%d.%m.%Y}.csv", "04.03.2026.csv"),
        ("year={date:%Y}/month={date:%m}/day={date:%d}/*.csv", "year=2026/month=03/day=04/a.csv"),
        ("{date:%Y/%m/%d}/{date}.csv", "2026/03/04/2026-03-04.csv"),
    ],
)
def test_days_in_names(tmp_path: Path, pattern: str, key: str) -> None:
    write(tmp_path, key)
    (file,) = FilePattern(pattern).found_in(LocalFolder(tmp_path))
    assert (file.key, file.day) == (key, DAY)


def test_parts_of_a_day_must_agree(tmp_path: Path) -> None:
    write(tmp_path, "2026/03/04/2026-03-05.csv")
    assert found(tmp_path, "{date:%Y/%m/%d}/{date}.csv") == []


def test_order_is_of_day_and_name(tmp_path: Path) -> None:
    write(tmp_path, "a-2026-03-05.csv", "b-2026-03-04.csv", "a-2026-03-04.csv")
    assert found(tmp_path, "?-{date}.csv") == ["a-2026-03-04.csv", "b-2026-03-04.csv", "a-2026-03-05.csv"]


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        " a",
        "/a",
        "a//b",
        "../a",
        "a/./b",
        "{table}.csv",
        "{date",
        "{date:%Y-%m}.csv",
        "{date:%y}.csv",
        "[z-a]",
        "[",
    ],
)
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|date"):
        FilePattern(pattern)


@pytest.mark.parametrize(("key", "says"), [("2026-02-30.csv", "a day that there isn't"), ("2026-03-04\n.csv", "shown")])
def test_names_that_are_refused(tmp_path: Path, key: str, says: str) -> None:
    write(tmp_path, key)
    with pytest.raises(AnswerError, match=says) as refused:
        found(tmp_path, "{date}*.csv")
    assert "\n" not in str(refused.value)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="isn't there"):
        found(tmp_path / "none", "*.csv")


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    write(tmp_path, "a/b.csv")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    with pytest.raises(LimitError, match="circular link"):
        found(tmp_path, "**/*.csv")


def test_links_are_followed_and_pipes_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/a.csv")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "latest.csv").symlink_to(tmp_path / "elsewhere" / "a.csv")
    os.mkfifo(tmp_path / "in" / "pipe.csv")
    assert found(tmp_path, "in/*.csv") == ["in/latest.csv"]


def test_each_content_is_news_once(tmp_path: Path) -> None:
    folder, pattern, limits = LocalFolder(tmp_path), FilePattern("{date}-*.csv"), Limits()
    write(tmp_path, "2026-03-03-a.csv", "2026-03-04-a.csv", "2026-03-05-a.csv")
    first = Intake(folder, pattern, limits, DAY)
    assert sorted(news(first)) == ["2026-03-03-a.csv", "2026-03-04-a.csv"], "the next day's isn't looked at"
    write(tmp_path, "2026-03-03-a.csv", content=b"corrected")
    write(tmp_path, "2026-03-02-late.csv")
    os.utime(tmp_path / "2026-03-04-a.csv", (1, 1))
    second = Intake(folder, pattern, limits, DAY + timedelta(days=1), json.loads(json.dumps(first.seen)))
    changes = {arrived.file.key: arrived.changes for arrived in second.arrived()}
    assert changes == {"2026-03-02-late.csv": False, "2026-03-03-a.csv": True, "2026-03-05-a.csv": False}
    third = Intake(folder, pattern, limits, DAY + timedelta(days=1), second.seen)
    assert news(third) == {}
    assert third.seen == second.seen


def test_what_was_seen_long_ago_is_remembered_in_short(tmp_path: Path) -> None:
    folder, pattern, limits = LocalFolder(tmp_path), FilePattern("*.csv"), Limits()
    write(tmp_path, "a.csv", "b.csv")
    intake = Intake(folder, pattern, limits, DAY)
    news(intake)
    later = Intake(folder, pattern, limits, DAY + timedelta(days=40), intake.seen)
    assert news(later) == {}
    assert later.seen["files"] == {}
    assert len(later.seen["older"]) == 2 * 12 + 1
    write(tmp_path, "a.csv", content=b"corrected")
    last = Intake(folder, pattern, limits, DAY + timedelta(days=41), later.seen)
    assert news(last) == {"a.csv": b"corrected"}


def test_a_file_that_holds_later_days_too_is_looked_at_again_when_they_come(tmp_path: Path) -> None:
    folder, pattern, limits = LocalFolder(tmp_path), FilePattern("*.csv"), Limits()
    write(tmp_path, "a.csv", "b.csv")
    seen = None
    looked_at = []
    for number in range(4):
        intake = Intake(folder, pattern, limits, DAY + timedelta(days=number), seen)
        for arrived in intake.arrived():
            looked_at.append((number, arrived.file.key, arrived.due))
            if arrived.file.key == "a.csv" and number < 2:
                intake.postpone(arrived, DAY + timedelta(days=2))
        seen = json.loads(json.dumps(intake.seen))
    assert looked_at == [(0, "a.csv", None), (0, "b.csv", None), (2, "a.csv", DAY + timedelta(days=2))]
    assert "postponed" not in seen


def test_an_interrupted_intake_goes_on_after_the_file_yielded_last(tmp_path: Path) -> None:
    folder, pattern, limits = LocalFolder(tmp_path), FilePattern("*.csv"), Limits()
    write(tmp_path, "a.csv", "b.csv", "c.csv")
    intake = Intake(folder, pattern, limits, DAY)
    arriving = intake.arrived()
    assert next(arriving).file.key == "a.csv"
    assert sorted(news(Intake(folder, pattern, limits, DAY, intake.seen))) == ["b.csv", "c.csv"]


@pytest.mark.parametrize(
    ("pattern", "is_missing"),
    [("{date}.csv", False), ("late-{date}.csv", True), ("*.csv", False), ("*.xml", True)],
)
def test_missing_files(tmp_path: Path, pattern: str, is_missing: bool) -> None:
    write(tmp_path, "2026-03-04.csv", "late-2026-03-03.csv")
    intake = Intake(LocalFolder(tmp_path), FilePattern(pattern), Limits(), DAY)
    if is_missing:
        with pytest.raises(EmptyAnswerError, match="counts as missing"):
            intake.require_files()
    else:
        intake.require_files()


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    write(tmp_path, "a.csv.gz", "b.csv", content=gzip.compress(b"content", mtime=0))
    write(tmp_path, "c.csv.gz", content=b"content")
    intake = Intake(LocalFolder(tmp_path), FilePattern("*"), Limits(), DAY)
    assert {arrived.name: arrived.read() for arrived in intake.arrived()} == dict.fromkeys(
        ["a.csv", "b.csv", "c.csv"], b"content"
    )


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        (gzip.compress(b"0" * 5000 + os.urandom(5000), mtime=0)[:-9], AnswerError, "cut off"),
        (gzip.compress(b"content", mtime=0)[:-8] + b"\0" * 8, AnswerError, "damaged"),
        (gzip.compress(b" " * 1_900_000, mtime=0), LimitError, "decompresses to more than"),
        (gzip.compress(os.urandom(100) * 30_000, mtime=0), LimitError, "larger than 2 MB"),
        (b"x" * 2_000_001, LimitError, "larger than 2 MB"),
    ],
)
def test_content_that_is_refused(tmp_path: Path, content: bytes, error: type[SourceError], says: str) -> None:
    write(tmp_path, "a.csv", content=content)
    limits = Limits(max_megabytes=2, max_decompression_ratio=300)
    with pytest.raises(error, match=says):
        news(Intake(LocalFolder(tmp_path), FilePattern("*.csv"), limits, DAY))


class Meanwhile(LocalFolder):
    """Somebody is at the file while it is read."""

    def chunks(self, file: StoredFile) -> Iterator[bytes]:
        for chunk in super().chunks(file):
            yield chunk
            with (self.root / file.key).open("ab") as stream:
                stream.write(b"more")


class Short(LocalFolder):
    def chunks(self, file: StoredFile) -> Iterator[bytes]:
        yield next(super().chunks(file))[:-1]


@pytest.mark.parametrize(("storage", "says"), [(Meanwhile, "is being written"), (Short, "2 bytes and 1 came")])
def test_a_file_that_is_being_written_is_refused(tmp_path: Path, storage: type[LocalFolder], says: str) -> None:
    write(tmp_path, "a.csv", content=b"xy")
    with pytest.raises(IncompleteError, match=says):
        news(Intake(storage(tmp_path), FilePattern("*.csv"), Limits(), DAY))


def test_a_file_that_went_or_changed_since_it_was_listed(tmp_path: Path) -> None:
    folder: Storage = LocalFolder(tmp_path)
    write(tmp_path, "a.csv")
    (file,) = FilePattern("*.csv").found_in(folder)
    write(tmp_path, "a.csv", content=b"longer")
    with pytest.raises(IncompleteError, match="is being written"):
        copy_of(folder, file, Limits(), tmp_path / "copy")
    (tmp_path / "a.csv").unlink()
    with pytest.raises(IncompleteError, match="is gone"):
        copy_of(folder, file, Limits(), tmp_path / "copy")


def test_looking(tmp_path: Path) -> None:
    write(tmp_path, "2026-03-03.csv", "2026-03-04.csv")
    probe = look(LocalFolder(tmp_path), FilePattern("{date}.csv"), "prices")
    assert probe.works
    assert "2 files {date}.csv" in probe.detail
    assert "the last 2026-03-04.csv" in probe.detail
    assert not look(LocalFolder(tmp_path), FilePattern("*.xml"), "prices").works
