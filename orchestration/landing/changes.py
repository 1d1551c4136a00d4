"""Which partitions are new or changed since they were last accepted.

What belongs here: comparing the landing zone with ``audit.load``. What doesn't: reading rows, deciding acceptance.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from orchestration.contract import Table
from orchestration.landing.discovery import Discovery, LandingFile, Partition, discover_table

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class GoneFile:
    """A file that was accepted once and isn't in the landing zone any more."""

    partition_date: date | None
    relative: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What one run has to read of one table: whole partitions of which any file is new, changed or gone."""

    partitions: tuple[Partition, ...]
    unchanged: tuple[Partition, ...]
    gone: tuple[GoneFile, ...]

    @property
    def files(self) -> tuple[LandingFile, ...]:
        """The files to read."""
        return tuple(file for partition in self.partitions for file in partition.files)


@dataclass(frozen=True, slots=True)
class _Accepted:
    partition_date: date | None
    sha256: str
    bytes: int
    modified_ns: int


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes in hexadecimal, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while piece := stream.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def _accepted_files(connection: duckdb.DuckDBPyConnection, table: Table, up_to: date) -> dict[str, _Accepted]:
    rows = connection.execute(
        """
        select source_file, outcome, partition_date, sha256, bytes, modified_ns
        from audit.load
        where table_name = ? and outcome in ('accepted', 'gone') and (partition_date is null or partition_date <= ?)
        qualify row_number() over (partition by source_file order by load_number desc) = 1
        """,
        [table.name, up_to],
    ).fetchall()
    return {file: _Accepted(*rest) for file, outcome, *rest in rows if outcome == "accepted"}


def _is_same(file: LandingFile, accepted: _Accepted | None) -> bool:
    if accepted is None or accepted.bytes != file.bytes:
        return False
    return accepted.modified_ns == file.modified_ns or accepted.sha256 == sha256_of(file.path)


def find_changes(connection: duckdb.DuckDBPyConnection, table: Table, discovery: Discovery, up_to: date) -> Changes:
    """Compare the partitions found with the files last accepted, up to and with ``up_to``.

    Size and time of change are a cheap filter; where the time differs, the content decides.
    """
    accepted = _accepted_files(connection, table, up_to)
    present = {file.relative for partition in discovery.partitions for file in partition.files}
    gone: dict[date | None, list[GoneFile]] = defaultdict(list)
    for relative, load in sorted(accepted.items()):
        if relative not in present:
            gone[load.partition_date].append(GoneFile(load.partition_date, relative))
    changed: list[Partition] = []
    unchanged: list[Partition] = []
    for partition in discovery.partitions:
        is_same = partition.partition_date not in gone and all(
            _is_same(file, accepted.get(file.relative)) for file in partition.files
        )
        (unchanged if is_same else changed).append(partition)
    return Changes(tuple(changed), tuple(unchanged), tuple(file for files in gone.values() for file in files))


def changed_partitions(
    connection: duckdb.DuckDBPyConnection, landing: Path, table: Table, up_to: date
) -> tuple[str, ...]:
    """Names of the table's partitions, or of its files that are gone, that differ from what was last accepted."""
    changes = find_changes(connection, table, discover_table(landing, table, up_to), up_to)
    changed = [str(partition.partition_date or "reference table") for partition in changes.partitions]
    return (*changed, *(gone.relative for gone in changes.gone))
