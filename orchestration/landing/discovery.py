"""What lies in a landing zone: which files belong to which table and day.

What belongs here: walking folders and naming what doesn't fit the contract's layout. What doesn't: opening a file,
deciding what is new (``changes``).
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from orchestration.contract import TABLES, Table, tables_by_name
from orchestration.errors import ConfigurationError

_DATE_FOLDER = re.compile(r"date=(\d{4}-\d{2}-\d{2})")
_TEMPORARY = re.compile(r"^[._].*|.*(~|\.tmp|\.temp|\.part|\.partial|\.crdownload|\.swp|\.crc|\.lock)$", re.IGNORECASE)


class FileFormat(StrEnum):
    """A format of the contract, by file extension."""

    PARQUET = ".parquet"
    CSV_GZ = ".csv.gz"
    CSV = ".csv"
    JSONL = ".jsonl"


@dataclass(frozen=True, slots=True)
class LandingFile:
    """One file of a landing zone. ``relative`` is its name everywhere else: the path below the landing folder."""

    table_name: str
    partition_date: date | None
    path: Path
    relative: str
    format: FileFormat
    bytes: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Partition:
    """The files that one delivery consists of: a day of a dated table, or a whole reference table (no date)."""

    table_name: str
    partition_date: date | None
    files: tuple[LandingFile, ...]


@dataclass(frozen=True, slots=True)
class Misplaced:
    """A data file where the contract has no place for it; its rows would otherwise go unseen.

    ``partition_date`` is the day of the folder that it lies below, None if it lies below none.
    """

    relative: str
    problem: str
    expected: str
    partition_date: date | None = None


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found, in order of table and date. ``notices`` name what was left alone and why."""

    partitions: tuple[Partition, ...]
    misplaced: tuple[Misplaced, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def first_date(self) -> date | None:
        """The smallest partition date, or None if no dated table has a partition."""
        return min((p.partition_date for p in self.partitions if p.partition_date is not None), default=None)


def is_temporary(name: str) -> bool:
    """Whether a file or folder of that name is somebody's unfinished work, or none of ours."""
    return _TEMPORARY.match(name) is not None


def require_landing(landing: Path) -> Path:
    """Return the folder; raise ConfigurationError if it isn't one."""
    if not landing.is_dir():
        raise ConfigurationError(
            f"landing folder {landing} doesn't exist: give the folder that holds <table>/... files"
        )
    return landing


def _entries(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not is_temporary(path.name))


def leads_out(path: Path, *folders: Path) -> bool:
    """Whether a path is a link that leads out of all these folders, or nowhere."""
    if not path.is_symlink():
        return False
    target = Path(os.path.realpath(path))
    return not path.exists() or not any(target.is_relative_to(os.path.realpath(folder)) for folder in folders)


def format_of(name: str) -> FileFormat | None:
    """The format that a file's name says it has, None if it is none of the contract's."""
    return next((format_ for format_ in FileFormat if name.lower().endswith(format_.value)), None)


def _day_of(folder: Path) -> date | None:
    """The day that a folder's name gives, or None."""
    match = _DATE_FOLDER.fullmatch(folder.name)
    try:
        return None if match is None else date.fromisoformat(match.group(1))
    except ValueError:
        return None


def _files_below(folder: Path) -> Iterator[Path]:
    for path in _entries(folder):
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(path)
        elif format_of(path.name) is not None:
            yield path


class _Walk:
    """Collects what one walk over the landing zone finds."""

    def __init__(self, landing: Path, up_to: date) -> None:
        self.landing, self.up_to = landing, up_to
        self.partitions: list[Partition] = []
        self.misplaced: list[Misplaced] = []
        self.notices: list[str] = []

    def table(self, table: Table) -> None:
        folder = self.landing / table.name
        if not folder.is_dir():
            return
        if table.dated:
            self._dated(table, folder)
        else:
            self._partition(table, folder, None)

    def _dated(self, table: Table, folder: Path) -> None:
        for path in _entries(folder):
            if self._is_foreign(path, table, _day_of(path)):
                continue
            if not path.is_dir():
                if format_of(path.name) is not None:
                    self._misplace(path, "data file of a dated table outside a date= folder", table)
                else:
                    self.notices.append(f"{self._relative(path)}: left out, not a data file of the contract")
                continue
            day = _day_of(path)
            if day is None:
                self._misnamed(path, table)
            elif day <= self.up_to:
                self._partition(table, path, day)

    def _misnamed(self, folder: Path, table: Table) -> None:
        """A folder that names no day: what it holds was delivered, and would be missing without a word."""
        files = list(_files_below(folder))
        for path in files:
            self._misplace(path, "data file in a folder that names no day", table)
        if not files:
            self.notices.append(f"{self._relative(folder)}: left out, folder isn't named date=YYYY-MM-DD")

    def _partition(self, table: Table, folder: Path, day: date | None) -> None:
        found: dict[FileFormat, list[LandingFile]] = defaultdict(list)
        for path in _entries(folder):
            if self._is_foreign(path, table, day):
                continue
            if path.is_dir():
                for below in _files_below(path):
                    self._misplace(below, "data file in a folder that the contract doesn't have", table, day)
                continue
            format_ = format_of(path.name)
            if format_ is None:
                self.notices.append(f"{self._relative(path)}: left out, neither parquet, csv, csv.gz nor jsonl")
                continue
            status = path.stat()
            relative = self._relative(path)
            found[format_].append(
                LandingFile(table.name, day, path, relative, format_, status.st_size, status.st_mtime_ns)
            )
        files = sorted((file for files in found.values() for file in files), key=lambda file: file.relative)
        if files:
            self.partitions.append(Partition(table.name, day, tuple(files)))

    def _is_foreign(self, path: Path, table: Table, day: date | None = None) -> bool:
        """Whether a path leads out of the landing zone; that is told, and it isn't followed.

        A table's folder itself may be a link to another disk: that is for whoever owns the zone to say.
        """
        if not leads_out(path, self.landing, self.landing / table.name):
            return False
        self._misplace(path, "link that leads out of the landing zone, or nowhere", table, day)
        return True

    def _misplace(self, path: Path, problem: str, table: Table, day: date | None = None) -> None:
        place = f"{table.name}/date=YYYY-MM-DD/" if table.dated else f"{table.name}/"
        self.misplaced.append(Misplaced(self._relative(path), problem, f"a file in {place}", day))

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.landing).as_posix()


def discover_table(landing: Path, table: Table, up_to: date) -> Discovery:
    """Find the partitions of one table up to and with ``up_to``; raise ConfigurationError if there is no folder."""
    walk = _Walk(require_landing(landing), up_to)
    walk.table(table)
    return Discovery(tuple(walk.partitions), tuple(walk.misplaced), tuple(walk.notices))


def unknown_folders(landing: Path) -> tuple[str, ...]:
    """Notices for folders of the landing zone that are no table of the contract. Files beside them are left alone."""
    names = (path.name for path in _entries(require_landing(landing)) if path.is_dir())
    return tuple(f"{name}/: left out, no table of the contract" for name in names if name not in tables_by_name())


def discover(landing: Path, up_to: date) -> Discovery:
    """Find the partitions of every table up to and with ``up_to``; raise ConfigurationError if there is no folder."""
    walk = _Walk(require_landing(landing), up_to)
    for table in TABLES:
        walk.table(table)
    return Discovery(tuple(walk.partitions), tuple(walk.misplaced), (*walk.notices, *unknown_folders(landing)))
