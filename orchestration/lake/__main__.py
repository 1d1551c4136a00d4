"""Command line of the lake's environment: ``python -m orchestration.lake``, or ``make lake ARGUMENTS="…"``.

What belongs here: arguments, and one line about what was done. What doesn't: how it is done.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
import time
from pathlib import Path
from typing import cast

import duckdb

from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.lake.catalogue import Catalogue, lake_connection, parse_catalogue, parse_data
from orchestration.lake.publication import publish
from orchestration.lake.tidying import GRACE_DAYS, tidy
from orchestration.reading.published import first_line
from orchestration.safe_text import csv_text, one_line
from orchestration.settings import WarehousePaths

PUBLICATIONS = """
    select
        snapshot_id as version,
        strftime(snapshot_time, '%Y-%m-%d %H:%M:%S') as committed_at,
        commit_extra_info ->> 'run_id' as run_id,
        commit_extra_info ->> 'last_date' as last_date,
        commit_extra_info ->> 'status' as status,
        commit_extra_info ->> 'tables_written' as tables_written,
        commit_extra_info ->> 'rows_written' as rows_written
    from lake.snapshots()
    where author = 'ringfence'
    order by snapshot_id
"""


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m orchestration.lake", description="The published warehouse as a DuckLake."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    publication = commands.add_parser("publish", help="bring what a warehouse published into the lake, as one version")
    publication.add_argument("--warehouse", type=Path, required=True, metavar="DIR")
    publication.add_argument("--data", metavar="FOLDER", help="where a new lake's Parquet files go; a URL is fine")
    publication.add_argument("--replace", action="store_true", help="even if the warehouse doesn't follow on the lake")
    commands.add_parser("publications", help="list the versions that publications made")
    query = commands.add_parser("query", help="read the lake, at any version: … at (version => N)")
    query.add_argument("sql")
    query.add_argument("--csv", action="store_true", help="as CSV, each value as DuckDB writes it")
    upkeep = commands.add_parser(
        "tidy", help=f"merge small files, remove those unused for {GRACE_DAYS} days; forget versions only if told to"
    )
    upkeep.add_argument("--keep-days", type=int, metavar="N", help="forget versions older than that; default: none")
    for command in commands.choices.values():
        command.add_argument(
            "--catalogue", required=True, metavar="KIND:ADDRESS", help="sqlite:FILE or postgres:dbname=…"
        )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the process's exit status."""
    given = _arguments(arguments)
    try:
        return _run(given)
    except RingfenceError as error:
        print(f"ringfence lake: {one_line(str(error))}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:  # whoever read the output has seen enough; what is left of it has nowhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except duckdb.Error as error:
        print(f"ringfence lake: {one_line(first_line(error))}", file=sys.stderr)
        return 2 if given.command == "query" else 1


def _run(given: argparse.Namespace) -> int:
    catalogue = parse_catalogue(given.catalogue)
    if given.command == "publish":
        _publish(given, catalogue)
    elif given.command == "tidy":
        _tidy(given, catalogue)
    else:
        _show(given, catalogue)
    return 0


def _publish(given: argparse.Namespace, catalogue: Catalogue) -> None:
    started = time.monotonic()
    data = parse_data(given.data) if given.data else None
    with lake_connection(catalogue, data=data) as connection:
        outcome = publish(connection, WarehousePaths(given.warehouse.resolve()), replaces=given.replace)
    run, changes = outcome.run, outcome.changes
    written = f"{len(changes)} tables, {sum(change.rows for change in changes):,} rows written"
    print(
        f"version {outcome.version}: run {run.run_id} of {run.last_date} ({run.status});"
        f" {written if changes else 'there already, nothing written'}; {time.monotonic() - started:.1f} s"
    )


def _tidy(given: argparse.Namespace, catalogue: Catalogue) -> None:
    if given.keep_days is not None and given.keep_days < 1:
        raise ConfigurationError(f"--keep-days {given.keep_days}: must be a whole number of at least 1")
    with lake_connection(catalogue) as connection:
        tidied = tidy(connection, keep_days=given.keep_days)
    print(
        f"{tidied.versions_expired} versions forgotten, {tidied.files_merged} files merged,"
        f" {tidied.files_removed} unused files removed"
    )


def _show(given: argparse.Namespace, catalogue: Catalogue) -> None:
    is_listing = given.command == "publications"
    with lake_connection(catalogue, read_only=True) as connection:
        # A statement without rows has no result, whatever the annotation says.
        result = cast("duckdb.DuckDBPyRelation | None", connection.sql(PUBLICATIONS if is_listing else given.sql))
        if result is None:
            return
        if is_listing or not given.csv:
            result.show(max_width=10_000, max_rows=100_000)
        else:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(map(csv_text, result.columns))
            for values in result.project("columns(*)::varchar").fetchall():
                writer.writerow([None if value is None else csv_text(value) for value in values])


if __name__ == "__main__":
    sys.exit(main())
