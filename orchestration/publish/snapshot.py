"""Publishing: a checked copy of schemas ``marts`` and ``audit`` that replaces the analysts' file atomically.

What belongs here: copying, verifying, putting in place, pruning. What doesn't: what the tables hold.

Each publication is a file of its own, read-only, and ``ringfence.duckdb`` is a hard link to the newest: readers of the
old file keep it, and no write-ahead log of one file can be replayed into the next. Nothing but the last two renames
touches what readers see, so a run killed at any moment leaves the previous file whole.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.durable import sync
from orchestration.errors import RingfenceError
from orchestration.settings import WarehousePaths
from orchestration.sql import identifier, quoted
from orchestration.warehouse.build_file import configuration

STORAGE_VERSION = "v1.2.0"
"""Oldest DuckDB storage that holds everything here, so that tools built on older releases open the file too."""

_TEMPORARY_PREFIX = ".publishing-"


class PublishError(RingfenceError):
    """The copy differs from its source, or can't be put in place; what was published before is untouched."""


@dataclass(frozen=True, slots=True)
class Source:
    """A schema and the database file that it is taken from."""

    schema: str
    file: Path


@dataclass(frozen=True, slots=True)
class TableContent:
    """Rows of a table, and a digest of them that doesn't depend on their order."""

    name: str
    rows: int
    digest: int


@dataclass(frozen=True, slots=True)
class Publication:
    """What was published."""

    file: Path
    tables: tuple[TableContent, ...]
    bytes: int

    @property
    def digest(self) -> str:
        """One digest of all tables' contents."""
        text = " ".join(f"{table.name} {table.rows} {table.digest}" for table in self.tables)
        return hashlib.sha256(text.encode()).hexdigest()


def publish(paths: WarehousePaths, sources: Iterable[Source], *, name: str, kept: int) -> Publication:
    """Copy the schemas into a new snapshot, verify it, and make it what analysts open; keep the newest ``kept``.

    No connection of this process may hold a source open. Raises PublishError if the copy isn't what the source is.
    """
    paths.snapshots.mkdir(parents=True, exist_ok=True)
    # Whoever may enter the warehouse's folder may read what is published, and nothing else in it.
    paths.snapshots.chmod(0o755)
    remove_leftovers(paths)
    temporary = paths.snapshots / f"{_TEMPORARY_PREFIX}{name}.duckdb"
    try:
        tables = _copy(temporary, tuple(sources))
        sync(temporary)
        final = _put_in_place(paths, temporary, name)
    except (OSError, duckdb.Error) as error:
        reason = str(error).splitlines()[0]
        raise PublishError(
            f"{paths.published_file} could not be replaced ({reason}); the file published before is untouched"
        ) from error
    finally:
        remove_leftovers(paths)
    _prune(paths, final, kept)
    return Publication(final, tables, final.stat().st_size)


def remove_leftovers(paths: WarehousePaths) -> None:
    """Remove what a killed publication left behind, and logs beside published files.

    Nobody may write to those. Who did so all the same and was killed left a log, which whoever opens the file next
    would take as part of it.
    """
    leftovers = [path for folder in (paths.snapshots, paths.root) for path in folder.glob(f"{_TEMPORARY_PREFIX}*")]
    for path in [*leftovers, *paths.snapshots.glob("*.wal"), _log_of(paths.published_file)]:
        path.unlink(missing_ok=True)


def _log_of(file: Path) -> Path:
    return file.with_name(file.name + ".wal")


def _copy(target: Path, sources: tuple[Source, ...]) -> tuple[TableContent, ...]:
    with duckdb.connect(":memory:", config=configuration()) as connection:
        aliases = {file: f"source_{number}" for number, file in enumerate(dict.fromkeys(s.file for s in sources))}
        for file, alias in aliases.items():
            connection.execute(f"attach {quoted(str(file))} as {alias} (read_only)")
        connection.execute(f"attach {quoted(str(target))} as target (storage_version {quoted(STORAGE_VERSION)})")
        connection.execute("use target")
        for source in sources:
            _copy_tables(connection, aliases[source.file], source.schema)
        for source in sources:  # a view may read tables of another schema
            _copy_views(connection, aliases[source.file], source.schema)
            _copy_column_comments(connection, aliases[source.file], source.schema)
        connection.execute("use memory")
        connection.execute("checkpoint target")
        connection.execute("detach target")
        connection.execute(f"attach {quoted(str(target))} as target (read_only)")
        contents = [
            content for source in sources for content in _verified(connection, aliases[source.file], source.schema)
        ]
    if _log_of(target).exists():
        raise PublishError(f"{target.name} kept a write-ahead log after its checkpoint; nothing was published")
    return tuple(contents)


def _tables(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[tuple[str, str, str | None]]:
    """Name, definition and comment of the schema's tables, in order of name."""
    return connection.execute(
        "select table_name, sql, comment from duckdb_tables() where database_name = ? and schema_name = ? order by 1",
        [database, schema],
    ).fetchall()


def _copy_tables(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> None:
    connection.execute(f"create schema if not exists target.{identifier(schema)}")
    for table, definition, comment in _tables(connection, database, schema):
        place = f"target.{identifier(schema)}.{identifier(table)}"
        connection.execute(definition)
        connection.execute(f"insert into {place} from {database}.{identifier(schema)}.{identifier(table)}")
        if comment is not None:
            connection.execute(f"comment on table {place} is {quoted(comment)}")


def _copy_views(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> None:
    views = connection.execute(
        "select view_name, sql, comment from duckdb_views()"
        " where database_name = ? and schema_name = ? and not internal order by view_oid",
        [database, schema],
    ).fetchall()
    for view, definition, comment in views:
        connection.execute(definition)
        if comment is not None:
            place = f"target.{identifier(schema)}.{identifier(view)}"
            connection.execute(f"comment on view {place} is {quoted(comment)}")


def _copy_column_comments(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> None:
    columns = connection.execute(
        "select table_name, column_name, comment from duckdb_columns()"
        " where database_name = ? and schema_name = ? and comment is not null order by all",
        [database, schema],
    ).fetchall()
    for table, column, comment in columns:
        place = f"target.{identifier(schema)}.{identifier(table)}.{identifier(column)}"
        connection.execute(f"comment on column {place} is {quoted(comment)}")


def _content(connection: duckdb.DuckDBPyConnection, database: str, schema: str, table: str) -> TableContent:
    place = f"{database}.{identifier(schema)}.{identifier(table)}"
    rows, digest = connection.execute(
        f"select count(*), coalesce(sum(cast(hash(content) as hugeint)), 0) from {place} as content"
    ).fetchall()[0]
    return TableContent(f"{schema}.{table}", int(rows), int(digest))


def _verified(connection: duckdb.DuckDBPyConnection, database: str, schema: str) -> list[TableContent]:
    contents = []
    for table, _, _ in _tables(connection, database, schema):
        expected = _content(connection, database, schema, table)
        copied = _content(connection, "target", schema, table)
        if expected != copied:
            raise PublishError(
                f"{schema}.{table}: the copy has {copied.rows} rows, its source {expected.rows}, or their contents"
                " differ; nothing was published"
            )
        contents.append(copied)
    return contents


def _put_in_place(paths: WarehousePaths, temporary: Path, name: str) -> Path:
    final = paths.snapshots / f"ringfence_{name}.duckdb"
    temporary.chmod(0o444)
    temporary.replace(final)
    sync(paths.snapshots)
    link = paths.root / f"{_TEMPORARY_PREFIX}{name}"
    link.unlink(missing_ok=True)
    try:
        os.link(final, link)
    except OSError:  # a file system without hard links
        link.symlink_to(final.relative_to(paths.root))
    # Somebody may have opened the file for writing meanwhile: that log belongs to the file replaced now.
    _log_of(paths.published_file).unlink(missing_ok=True)
    link.replace(paths.published_file)
    sync(paths.root)
    return final


def _prune(paths: WarehousePaths, current: Path, kept: int) -> None:
    snapshots = [path for path in paths.snapshots.glob("ringfence_*.duckdb") if path != current]
    snapshots.sort(key=lambda path: (path.stat().st_mtime_ns, path.name), reverse=True)
    for path in snapshots[max(kept - 1, 0) :]:
        path.unlink(missing_ok=True)
