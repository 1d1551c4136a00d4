"""A build file that is damaged, or older than what was published from it: set aside, and read again.

What belongs here: finding that out when a run opens, and whether reading all again is safe. What doesn't: reading it.

A build file only holds what the landing zone gives, and the record of runs, which is published too. So nothing is lost
with it, as long as the landing zone is what it was: rows that were changed there since would come in as if they had
always been so, because those that were accepted are gone. Then a person has to decide.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb

from orchestration.landing.changes import sha256_of
from orchestration.pipeline.record import accepted_digests
from orchestration.settings import Settings
from orchestration.warehouse.damage import DamagedBuildFileError, is_damage, read_whole
from orchestration.warehouse.retention import drop_old_build_files, set_build_file_aside


def require_sound(connection: duckdb.DuckDBPyConnection, published_runs: Collection[str]) -> None:
    """Look closer at a build file whose last run came to no end, and at one that was published from.

    Raises DamagedBuildFileError if it doesn't know of all ``published_runs``, duckdb.Error if it can't be read whole.
    """
    runs = connection.execute("select run_id, status from audit.run order by started_at").fetchall()
    if not runs:  # a new one
        return
    unknown = sorted(set(published_runs) - {run_id for run_id, _ in runs})
    if unknown:
        raise DamagedBuildFileError(f"it is older than what was published: it doesn't know of run {unknown[0]}")
    if runs[-1][1] in ("running", "error"):
        read_whole(connection)


def set_damaged_aside(settings: Settings, error: Exception) -> str:
    """Set the build file aside because of that error, and return what to tell people.

    Raises the error itself if it is about something else, and DamagedBuildFileError if the landing zone isn't what was
    accepted from it: nothing is touched then.
    """
    paths = settings.paths
    if not is_damage(error) or not paths.build_file.exists():
        raise error
    cause = error.__cause__ if isinstance(error.__cause__, duckdb.Error) else error
    reason = str(cause).splitlines()[0]
    changed = _changed_files(settings)
    if changed:
        raise DamagedBuildFileError(
            f"build file {paths.build_file} is damaged ({reason}), and the landing zone can't stand in for it:"
            f" {changed[0]}{f' and {len(changed) - 1} more files' if len(changed) > 1 else ''} changed since it was"
            " accepted; put back what was accepted, or take it as it is now with 'ringfence rebuild --new-build-file'"
        ) from error
    aside = set_build_file_aside(paths)
    assert aside is not None
    drop_old_build_files(paths, max(settings.build_files_kept, 1))
    place = aside.relative_to(paths.root)
    return f"build file: damaged ({reason}), set aside as {place}; all was read from the landing zone again"


def _changed_files(settings: Settings) -> list[str]:
    """Files of the landing zone that aren't what was accepted of them, by what was published last."""
    published = settings.paths.published_file
    return [
        file
        for file, digest in (accepted_digests(published) if published.exists() else {}).items()
        if not _is_still(settings.landing / file, digest)
    ]


def _is_still(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_of(path) == digest
