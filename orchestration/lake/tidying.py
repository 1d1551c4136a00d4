"""Keeping a lake small: merging the files of single days, and removing what nobody can ask for any more.

What belongs here: upkeep that changes no answer about a version that is kept. What doesn't: publications.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

GRACE_DAYS = 7
"""Files that the catalogue no longer needs, or never came to know, stay that long: a slow reader or writer may."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What upkeep did."""

    versions_expired: int
    files_merged: int
    files_removed: int


def tidy(
    connection: duckdb.DuckDBPyConnection, *, keep_days: int | None = None, grace_days: int = GRACE_DAYS
) -> Tidied:
    """Merge small files and remove unused ones; forget versions older than ``keep_days``, none by default.

    The latest version always stays.
    """
    expired = 0
    if keep_days is not None:
        older = f"older_than => now() - to_days({int(keep_days)})"
        # A moment with a zone needs a package of its own in Python, so the versions are counted in SQL.
        expired = _count(connection, f"from ducklake_expire_snapshots('lake', {older})")
    merged = sum(row[-2] for row in connection.execute("call ducklake_merge_adjacent_files('lake')").fetchall())
    removed = sum(
        _count(connection, f"from {function}('lake', older_than => now() - to_days({int(grace_days)}))")
        for function in ("ducklake_cleanup_old_files", "ducklake_delete_orphaned_files")
    )
    return Tidied(expired, merged, removed)


def _count(connection: duckdb.DuckDBPyConnection, call: str) -> int:
    """How many rows a call lists: what it took away."""
    return int(connection.execute(f"select count(*) from ({call})").fetchall()[0][0])
