"""Building everything again: in place, or beside the warehouse to prove that its marts are what the landing zone gives.

What belongs here: the rebuild in a scratch folder and the comparison by content. What doesn't: how marts are built.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from orchestration import landing, progress
from orchestration.contract import TABLES
from orchestration.ending import RunResult
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.pipeline.direct import run_directly
from orchestration.pipeline.run import ExitStatus
from orchestration.policy import load_policy
from orchestration.reading.published import published_connection
from orchestration.runner import run_days
from orchestration.settings import Settings
from orchestration.sql import identifier, quoted
from orchestration.warehouse.build_file import build_connection
from orchestration.warehouse.built import forget_built
from orchestration.warehouse.compiled import compiled_project
from orchestration.warehouse.lock import warehouse_lock
from orchestration.warehouse.retention import drop_old_build_files, set_build_file_aside

SAID_BEFORE = ("fct_restatement",)
"""Marts of what earlier runs said. A landing zone doesn't know that, so they aren't rebuilt."""


@dataclass(frozen=True, slots=True)
class TableComparison:
    """One mart as published and as rebuilt: rows and sha256 of the content, whatever the order of rows.

    ``first_difference`` is the first day that differs, None if none does or the table isn't kept by day.
    """

    table: str
    published_rows: int
    rebuilt_rows: int
    published_sha256: str
    rebuilt_sha256: str
    first_difference: date | None = None

    @property
    def is_equal(self) -> bool:
        """Whether rows and content agree."""
        return (self.published_rows, self.published_sha256) == (self.rebuilt_rows, self.rebuilt_sha256)


class RebuildRefusedError(RingfenceError):
    """The landing zone as it is now doesn't pass the integrity checks, so there is nothing to compare with."""


def content_sha256(connection: duckdb.DuckDBPyConnection, place: str) -> tuple[int, str]:
    """Rows of a table, and a digest of them: sha256 over the sorted sha256 of its rows, in 4,096 parts."""
    rows, digest = connection.execute(
        f"""
        with row_digest as (select sha256(cast(content as varchar)) as digest from {place} as content),
        part as (
            select left(digest, 3) as part, count(*) as rows, sha256(string_agg(digest, '' order by digest)) as digest
            from row_digest
            group by all
        )
        select coalesce(sum(rows), 0), sha256(coalesce(string_agg(digest, '' order by part), '')) from part
        """
    ).fetchall()[0]
    return int(rows), str(digest)


def verify(settings: Settings) -> list[TableComparison]:
    """Build every day again from the landing zone and compare each mart with what is published, in order of name.

    Raises ConfigurationError if the warehouse was built under another policy, or hasn't taken in what was delivered
    since; RebuildRefusedError if the landing zone isn't sound.
    """
    with published_connection(settings.paths) as connection:
        first_date, last_date = _published_days(connection)
        _require_same_policy(connection, settings)
        _require_nothing_new(connection, settings, last_date)
    # The snapshot itself: a run that publishes meanwhile puts another in its place.
    published = settings.paths.published_file.resolve()
    with _scratch_folder(settings) as folder, _kept_open(published, folder) as kept:
        progress.report("rebuilding", f"{first_date} to {last_date}")
        scratch = Settings(settings.landing, folder, settings.policy_file)
        rebuilt = rebuilt_marts()
        result = run_directly(scratch, "rebuild", first_date, last_date, models=rebuilt)
        if result.refusal is not None:
            raise RebuildRefusedError(f"the landing zone can't be rebuilt from: {result.refusal}")
        progress.report("comparing", f"{len(rebuilt)} marts")
        return _compared(kept, scratch.paths.build_file, sorted(rebuilt))


def rebuilt_marts() -> list[str]:
    """The marts that follow from the landing zone; views follow from them."""
    marts = [model for model in compiled_project().values() if model.schema == "marts" and model.kind == "table"]
    return [model.name for model in marts if model.name not in SAID_BEFORE]


def rebuild_whole(
    settings: Settings, *, has_new_build_file: bool = False, verbose: bool = False
) -> tuple[RunResult, date]:
    """Run the latest day again with every model built anew; return the result and that day.

    With ``has_new_build_file`` the build file is set aside first: everything is read from the landing zone again, and
    only the record of earlier runs is taken over. Raises ConfigurationError if nothing was published yet.
    """
    with published_connection(settings.paths) as connection:
        _, last_date = _published_days(connection)
    with warehouse_lock(settings.paths.lock_file):
        if has_new_build_file:
            set_build_file_aside(settings.paths)
        else:
            with build_connection(settings.paths.build_file) as connection:
                forget_built(connection)
        result = run_days(settings, last_date, last_date, verbose=verbose)
        if result.status in (ExitStatus.PASSED, ExitStatus.FAILED_CHECKS):  # else somebody may want to go back
            drop_old_build_files(settings.paths, settings.build_files_kept)
        return result, last_date


def _published_days(connection: duckdb.DuckDBPyConnection) -> tuple[date, date]:
    knowledge_at, first_date = connection.execute(
        "select max(knowledge_at), min(coalesce(landing_first_date, first_date)) from audit.run where is_accepted"
    ).fetchall()[0]
    if knowledge_at is None:
        raise ConfigurationError("nothing was accepted into this warehouse yet, so there is nothing to verify")
    return first_date, (knowledge_at - timedelta(days=1)).date()


def _require_same_policy(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    rows = connection.execute(
        "select policy_hash from audit.run where is_accepted order by started_at desc limit 1"
    ).fetchall()
    if rows[0][0] != load_policy(settings.policy_file).content_hash:
        raise ConfigurationError(
            "the warehouse was built under another policy than this one; give with --policy the file of its last run"
        )


def _require_nothing_new(connection: duckdb.DuckDBPyConnection, settings: Settings, last_date: date) -> None:
    for table in TABLES:
        changed = landing.changed_partitions(connection, settings.landing, table, last_date)
        if changed:
            raise ConfigurationError(
                f"the landing zone holds {table.name} that the warehouse hasn't taken in ({changed[0]}"
                f"{f' and {len(changed) - 1} more' if len(changed) > 1 else ''}); run --date {last_date} first"
            )


@contextmanager
def _scratch_folder(settings: Settings) -> Iterator[Path]:
    """A folder on the warehouse's disk; what a killed rebuild left there is removed first."""
    parent = settings.paths.root / "rebuild"
    parent.mkdir(exist_ok=True)
    for left in parent.iterdir():
        shutil.rmtree(left, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory(dir=parent) as folder:
            yield Path(folder)
    finally:
        shutil.rmtree(parent, ignore_errors=True)


@contextmanager
def _kept_open(published: Path, folder: Path) -> Iterator[Path]:
    """A second link to the snapshot, which stays when the warehouse drops the snapshot."""
    kept = folder / "published.duckdb"
    try:
        kept.hardlink_to(published)
    except OSError:  # a file system without hard links
        kept.symlink_to(published)
    yield kept


def _compared(published: Path, rebuilt: Path, tables: list[str]) -> list[TableComparison]:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach {quoted(str(published))} as published (read_only)")
        connection.execute(f"attach {quoted(str(rebuilt))} as rebuilt (read_only)")
        return [_comparison(connection, table) for table in tables]


def _comparison(connection: duckdb.DuckDBPyConnection, table: str) -> TableComparison:
    places = [f"{database}.marts.{identifier(table)}" for database in ("published", "rebuilt")]
    existing = connection.execute(
        "select database_name from duckdb_tables() where schema_name = 'marts' and table_name = ?", [table]
    ).fetchall()
    contents = [
        content_sha256(connection, place) if (database,) in existing else (0, "no such table")
        for database, place in zip(("published", "rebuilt"), places, strict=True)
    ]
    comparison = TableComparison(table, contents[0][0], contents[1][0], contents[0][1], contents[1][1])
    if comparison.is_equal or len(existing) < len(places):
        return comparison
    return replace(comparison, first_difference=_first_difference(connection, table, *places))


def _first_difference(connection: duckdb.DuckDBPyConnection, table: str, left: str, right: str) -> date | None:
    has_days = connection.execute(
        "select count(*) from duckdb_columns() where schema_name = 'marts' and table_name = ?"
        " and column_name = 'as_of_date'",
        [table],
    ).fetchall()[0][0]
    if has_days < len(("published", "rebuilt")):
        return None
    differing = f"((from {left} except all from {right}) union all (from {right} except all from {left}))"
    day: date | None = connection.execute(f"select min(as_of_date) from {differing}").fetchall()[0][0]
    return day
