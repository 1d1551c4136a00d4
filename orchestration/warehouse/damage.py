"""Damage to a build file: told from a file that is merely in use, out of reach or without room.

What belongs here: recognising it, and looking for it. What doesn't: what follows from it (``pipeline.mending``).

DuckDB keeps a checksum with every block and every entry of its log, and compares it whenever it reads one: a block that
was changed behind its back is told when it is needed, never read as something else. Blocks that nobody needs are looked
at only after a run that came to no end.
"""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from orchestration.sql import identifier
from orchestration.warehouse.build_file import BuildFileError, build_connection

_DAMAGE = re.compile(
    "not a valid DuckDB database file|Corrupt (database|WAL) file|Could not read enough bytes|replaying WAL"
    "|This WAL was created for|database file with (storage )?version number"
)


class DamagedBuildFileError(BuildFileError):
    """The build file isn't what was written to it, or is older than what was published from it."""


def is_damage(error: BaseException) -> bool:
    """Whether the error says that a database file isn't what was written to it."""
    return isinstance(error, DamagedBuildFileError) or _DAMAGE.search(str(error)) is not None


def read_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """Read every row of every table, so that DuckDB compares all checksums; raise duckdb.Error where one is wrong."""
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = current_database() and not temporary"
    ).fetchall()
    for schema, table in tables:
        connection.execute(
            f"select sum(cast(hash(content) as hugeint)) from {identifier(schema)}.{identifier(table)} as content"
        ).fetchall()


def damage_of(build_file: Path) -> str | None:
    """What is damaged of a build file, in a line; None if nothing is, there is none, or it is out of reach."""
    if not build_file.exists():
        return None
    try:
        with build_connection(build_file) as connection:
            read_whole(connection)
    except (duckdb.Error, BuildFileError) as error:
        return str(error).splitlines()[0] if is_damage(error) else None
    return None
