"""The record of earlier runs in a build file that is new: schema ``audit``, taken over from what was published last.

What belongs here: asking a published file for it, taking it over, and refusing a run that would leave out what was
known before. What doesn't: rows of the landing zone, which are read again.

A build file can be lost or set aside; what was said before must not be lost with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from orchestration.audit import TABLES
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.sql import quoted
from orchestration.warehouse.build_file import transaction


class UnreadableRecordError(RingfenceError):
    """A published file can't be read."""


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, published_file: Path) -> Iterator[None]:
    """The published file as database ``published``. Raises UnreadableRecordError if it can't be opened."""
    try:
        connection.execute(f"attach {quoted(str(published_file))} as published (read_only)")
    except duckdb.Error as error:
        raise _unreadable(published_file, error) from error
    try:
        yield
    finally:
        connection.execute("detach published")


def _unreadable(published_file: Path, error: duckdb.Error) -> UnreadableRecordError:
    return UnreadableRecordError(
        f"{published_file}, what was published last, can't be read ({str(error).splitlines()[0]}); put the newest good"
        f" file of {published_file.parent / 'published'} or of a backup in its place"
    )


def runs_published(connection: duckdb.DuckDBPyConnection, published_file: Path) -> frozenset[str]:
    """Identifiers of the runs that a published file knows of. Raises UnreadableRecordError if it can't be read."""
    with _attached(connection, published_file):
        try:
            return frozenset(
                run_id for (run_id,) in connection.execute("select run_id from published.audit.run").fetchall()
            )
        except duckdb.Error as error:
            raise _unreadable(published_file, error) from error


def accepted_digests(published_file: Path) -> dict[str, str]:
    """sha256 of every file that was accepted, and not gone since, by its path in the landing zone."""
    with duckdb.connect() as connection, _attached(connection, published_file):
        try:
            rows = connection.execute(
                "select source_file, sha256, outcome from published.audit.load"
                " where outcome in ('accepted', 'gone', 'superseded')"
                " qualify row_number() over (partition by source_file order by load_number desc) = 1 order by all"
            ).fetchall()
        except duckdb.Error as error:
            raise _unreadable(published_file, error) from error
    return {file: digest for file, digest, outcome in rows if outcome != "gone" and digest}


def take_over_record(connection: duckdb.DuckDBPyConnection, published_file: Path) -> None:
    """Fill ``audit`` from a published file if it holds no run. Its loads count as superseded: all is read again."""
    if connection.execute("select exists(select 1 from audit.run)").fetchall()[0][0]:
        return
    with _attached(connection, published_file), transaction(connection):
        for table in TABLES:
            connection.execute(f"insert into audit.{table.name} by name select * from published.audit.{table.name}")
        connection.execute(
            "update audit.load set outcome = 'superseded' where outcome in ('accepted', 'gone', 'pending')"
        )


def require_all_history(
    connection: duckdb.DuckDBPyConnection, last_date: date, landing_first_date: date | None
) -> None:
    """Raise ConfigurationError if the build file holds no rows yet and the run wouldn't read all that was accepted."""
    if connection.execute("select exists(select 1 from audit.load where outcome = 'accepted')").fetchall()[0][0]:
        return
    knowledge_at: datetime | None
    knowledge_at, first_date = connection.execute(
        "select max(knowledge_at), min(landing_first_date) from audit.run where is_accepted"
    ).fetchall()[0]
    if knowledge_at is None:
        return
    latest = (knowledge_at - timedelta(days=1)).date()
    if last_date < latest:
        raise ConfigurationError(
            f"the build file is new and must take in all that was accepted before: run --date {latest} first"
        )
    if first_date is not None and (landing_first_date is None or landing_first_date > first_date):
        raise ConfigurationError(
            f"the build file is new and the landing zone begins on {landing_first_date or 'no day at all'}, but runs"
            f" before have taken in days from {first_date} on; put them back, or the old build file"
        )
