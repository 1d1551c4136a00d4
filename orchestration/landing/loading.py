"""Reading the new and changed partitions of one table into ``incoming``.

What belongs here: the fast way (one statement for many files, no row seen by Python) and, for files it refuses, the
thorough way (every problem with its line). What doesn't: judging rows against other rows (the integrity models),
accepting them (``acceptance``).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from orchestration.contract import Column, Table
from orchestration.landing.casts import Cast, cast_for, create_cast_macros
from orchestration.landing.changes import Changes, find_changes, sha256_of
from orchestration.landing.csv_text import CsvScan, scan_csv, scan_lines
from orchestration.landing.discovery import FileFormat, LandingFile, discover_table
from orchestration.landing.issues import KEPT_PER_FILE, Issue, first_line, write_issues
from orchestration.landing.keys import identity_hash
from orchestration.landing.manifests import manifest_issue
from orchestration.landing.rows import insert_rows
from orchestration.landing.schemas import reset_incoming, stored_columns
from orchestration.landing.sources import (
    Source,
    csv_source,
    jsonl_sources,
    path_literal,
    sources_of,
    unreadable,
)
from orchestration.sql import identifier, quoted

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TableLoad:
    """What one table's load read. ``issues`` counts problems; they stand in ``incoming.schema_issue``.

    ``notices`` name what was left out without being wrong: unknown columns, files of other kinds.
    """

    table_name: str
    rows: int
    bytes: int
    files: int
    partitions: int
    gone_files: int
    issues: int
    notices: tuple[str, ...]


def load_table(
    connection: duckdb.DuckDBPyConnection,
    landing: Path,
    table: Table,
    up_to: date,
    run_id: str,
    *,
    progress: Progress | None = None,
) -> TableLoad:
    """Read every new or changed partition of ``table`` up to and with ``up_to`` into ``incoming``.

    The schemas must be there (``create_schemas``). Nothing of it counts until ``accept``. May be called again at any
    time: it begins by forgetting what it read before. Raises ConfigurationError if there is no landing folder; whatever
    is wrong with files is recorded instead.
    """
    _prepare(connection)
    discovery = discover_table(landing, table, up_to)
    _forget(connection, table, run_id)
    changes = find_changes(connection, table, discovery, up_to)
    loader = _Loader(connection, table, landing)
    for misplaced in discovery.misplaced:
        loader.record(misplaced.partition_date, misplaced.relative, (Issue(misplaced.problem, misplaced.expected),), 1)
    if changes.files:
        create_cast_macros(connection)
    for source in sources_of(connection, table, changes.files):
        loader.load(source)
        if progress is not None:
            progress(f"{table.name}: {loader.files_done} of {len(changes.files)} files")
    if changes.files:
        _record_repeated(connection, table)
    rows = _record_load(connection, table, changes, loader, run_id)
    notices = (*discovery.notices, *loader.notices)
    record_notices(connection, run_id, table.name, notices)
    return TableLoad(
        table_name=table.name,
        rows=rows,
        bytes=sum(file.bytes for file in changes.files),
        files=len(changes.files),
        partitions=len(changes.partitions),
        gone_files=len(changes.gone),
        issues=loader.issue_count,
        notices=notices,
    )


def record_notices(
    connection: duckdb.DuckDBPyConnection, run_id: str, table_name: str | None, notices: Sequence[str]
) -> None:
    """Write what a run left out of one table's folder, or beside all of them, in place of what it wrote before."""
    connection.execute(
        "delete from audit.notice where run_id = ? and table_name is not distinct from ?", [run_id, table_name]
    )
    columns = (("run_id", "varchar"), ("table_name", "varchar"), ("notice", "varchar"))
    insert_rows(connection, "audit.notice", columns, [(run_id, table_name, notice) for notice in notices])


def _prepare(connection: duckdb.DuckDBPyConnection) -> None:
    # Rows are numbered in the order of the file; offsets are shown in UTC wherever the machine stands.
    connection.execute("set preserve_insertion_order = true")
    connection.execute("set TimeZone = 'UTC'")


def _forget(connection: duckdb.DuckDBPyConnection, table: Table, run_id: str) -> None:
    reset_incoming(connection, table)
    connection.execute(
        "delete from audit.load where run_id = ? and table_name = ? and outcome = 'pending'", [run_id, table.name]
    )
    connection.execute(
        "update audit.load set outcome = 'abandoned' where run_id <> ? and table_name = ? and outcome = 'pending'",
        [run_id, table.name],
    )


class _Loader:
    """Loads the sources of one table, one after the other, and counts."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: Table, landing: Path) -> None:
        self.connection, self.table, self.landing = connection, table, landing
        self.load_number = _last_load_number(connection) + 1
        self.files_done = 0
        self.issue_count = 0
        self.partial: set[str] = set()
        self.notices: list[str] = []

    def load(self, source: Source) -> None:
        """Insert the rows of a source the fast way, or, if anything is wrong, file by file the thorough way."""
        self.files_done += len(source.files)
        if source.unknown:
            first, more = source.files[0].relative, len(source.files) - 1
            names = ", ".join(name or "(a column without a name)" for name in source.unknown)
            self.notices.append(f"{first}{f' and {more} more' if more else ''}: unknown columns left out: {names}")
        if not source.issues:
            try:
                self._insert(source, is_strict=True)
                return
            except duckdb.Error:
                pass  # Whatever it was, the thorough way finds and names it.
        for file in source.files:
            self._load_thoroughly(file, source)

    def _insert(self, source: Source, *, is_strict: bool) -> None:
        insert_source(self.connection, self.table, source, self.landing, self.load_number, is_strict=is_strict)

    def record(self, day: date | None, relative: str, issues: Sequence[Issue], total: int) -> None:
        """Keep the issues of one file."""
        self.issue_count += total
        write_issues(self.connection, (self.table.name, day, relative), issues, total)

    def _load_thoroughly(self, file: LandingFile, batch: Source) -> None:
        with TemporaryDirectory() as folder:
            source, scan = _thorough_source(self.connection, self.table, file, batch, Path(folder) / "repaired")
            issues = [*scan.issues, *source.issues]
            total = scan.issue_count + len(source.issues)
            is_complete = scan.is_complete and source.is_complete and source.is_readable
            if source.is_readable:
                try:
                    found, more = find_issues(self.connection, self.table, source, scan)
                    self._insert(source, is_strict=False)
                    issues += found
                    total += more
                    is_complete = is_complete and not any(issue.source_row is None for issue in source.issues)
                except duckdb.Error as error:
                    issues.append(Issue(f"file can't be read: {first_line(error)}", "a whole file"))
                    total += 1
                    is_complete = False
        if not is_complete:
            self.partial.add(file.relative)
        issues.sort(key=lambda issue: (issue.line is None, issue.line or 0))
        self.record(file.partition_date, file.relative, issues, total)


def _thorough_source(
    connection: duckdb.DuckDBPyConnection, table: Table, file: LandingFile, batch: Source, repaired: Path
) -> tuple[Source, CsvScan]:
    """The source of one file, from a repaired copy if its text isn't sound, and what was wrong with the text."""
    if file.format is FileFormat.PARQUET:
        return next(iter(sources_of(connection, table, (file,)))), CsvScan()
    if file.format is FileFormat.JSONL:
        scan = scan_lines(file, repaired)
        return next(iter(jsonl_sources(connection, table, (file,), repaired))), scan
    if not batch.is_readable:
        return replace(batch, files=(file,)), CsvScan()
    scan = scan_csv(file, repaired)
    with repaired.open(encoding="utf-8", newline="") as stream:
        header = [name.strip().lower() for name in next(csv.reader(stream), [])]
    if not header:
        return unreadable(file, "file has no header that can be read", "a header", 1), scan
    return csv_source(table, (file,), header, f"[{path_literal(repaired)}]"), scan


def _read(name: str) -> str:
    """SQL name of a delivered value once it has been read."""
    return identifier(f"delivered {name}")


def _casts(table: Table, source: Source) -> list[Cast]:
    """The casts of the values that ``_cast_relation`` has read."""
    nothing = ("cast(null as varchar)", '"NULL"')
    read = {name: (_read(name), type_) for name, (_, type_) in source.columns.items()}
    return [cast_for(column, *read.get(column.name, nothing)) for column in table.columns]


def _place(table: Table, source: Source, landing: Path) -> str:
    """SQL of partition_date, source_file and source_row."""
    if len({file.relative for file in source.files}) == 1:
        file = source.files[0]
        day = "cast(null as date)" if file.partition_date is None else f"date '{file.partition_date}'"
        return f"{day}, {quoted(file.relative)}, source_row"
    relative = f"substr(source_path, {len(str(landing)) + 2})"
    day = "cast(null as date)"
    if table.dated:
        day = "cast(regexp_extract(source_path, 'date=([0-9-]{10})/[^/]*$', 1) as date)"
    return f"{day}, {relative}, source_row"


def _is_bad(column: Column, number: int, *, is_delivered: bool) -> str:
    refused = f"(d{number} is not null and v{number} is null)"
    return f"({refused} or d{number} is null)" if column.required and is_delivered else refused


def _cast_relation(table: Table, source: Source) -> str:
    """The relation with every column's cast value ``v<n>`` and delivered value ``d<n>``.

    Values are read first and cast then: a cast names its value many times, and where that is an expression over a line
    of JSON the engine would plan all of it each time.
    """
    casts = _casts(table, source)
    read = ", ".join(f"{expression} as {_read(name)}" for name, (expression, _) in source.columns.items())
    relation = f"(select *, {read} from {source.relation})" if read else source.relation
    values = ", ".join(f"{cast.value} as v{n}, {cast.delivered} as d{n}" for n, cast in enumerate(casts))
    return f"(select *, {values} from {relation})"


def insert_source(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    source: Source,
    landing: Path,
    load_number: int,
    *,
    is_strict: bool,
) -> None:
    """Insert a source's rows under a load number that isn't accepted yet, so that ``incoming`` shows them.

    Strictly: raises duckdb.Error, and inserts nothing, if any value isn't as the contract wants it. Otherwise such
    values are null.
    """
    casts = _casts(table, source)
    bad = " or ".join(
        _is_bad(cast.column, n, is_delivered=cast.column.name in source.columns) for n, cast in enumerate(casts)
    )
    guard = f" where case when {bad} then error('row ' || source_row || ' does not conform') else true end"
    values = ", ".join(f"v{n}" for n in range(len(casts)))
    names = ", ".join(name for name, _ in stored_columns(table, "delivered"))
    connection.execute(
        f"insert into delivered.{table.name} ({names})"
        f" select {values}, {_place(table, source, landing)}, {load_number} from {_cast_relation(table, source)}"
        f"{guard if is_strict else ''}"
    )


def _issue_expressions(table: Table, source: Source) -> str:
    parts = []
    for n, cast in enumerate(_casts(table, source)):
        name = cast.column.name
        problem = f"case when d{n} is null then 'no value in a required column' else {cast.problem} end"
        parts.append(
            f"case when {_is_bad(cast.column, n, is_delivered=name in source.columns)} then"
            f" {{'ordinal': {n}, 'column_name': {quoted(name)}, 'value': {cast.shown},"
            f" 'expected': {quoted(cast.expected)}, 'problem': {problem}}} end"
        )
    return "[" + ", ".join(parts) + "]"


def find_issues(
    connection: duckdb.DuckDBPyConnection, table: Table, source: Source, scan: CsvScan
) -> tuple[list[Issue], int]:
    """Every value of one file that isn't as the contract wants it: the first ones, and how many there are.

    Marks their rows in ``incoming.bad_row``.
    """
    content = ", ".join(f"{quoted(cast.column.name)}: {cast.shown}" for cast in _casts(table, source))
    connection.execute(
        f"""
        create or replace temp table landing_issue as
        select source_row, content, issue.*
        from (
            select source_row, content, unnest(issues) as issue
            from (
                select source_row, to_json({{{content}}}) as content, {_issue_expressions(table, source)} as issues
                from {_cast_relation(table, source)}
            )
        )
        where issue is not null
        """
    )
    connection.execute(
        "insert into incoming.bad_row select distinct ?, ?, source_row from landing_issue",
        [table.name, source.files[0].relative],
    )
    total = connection.execute("select count(*) from landing_issue").fetchall()[0][0]
    rows = connection.execute(
        "select source_row, column_name, value, expected, problem, content from landing_issue"
        f" order by source_row, ordinal limit {KEPT_PER_FILE}"
    ).fetchall()
    issues = [
        Issue(problem, expected, scan.lines[row - 1] if scan.lines else row, row, column, value, content)
        for row, column, value, expected, problem, content in rows
    ]
    return issues, total


def _record_repeated(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Write ``incoming.repeated``: few rows if any, so that whoever compares identities need not look at all rows."""
    arrived = identity_hash(table, "arrived")
    connection.execute(
        f"""
        insert into incoming.repeated
        select {quoted(table.name)}, identity_hash
        from (
            select {arrived} as identity_hash from incoming.{table.name} as arrived group by 1 having count(*) > 1
            union
            select {identity_hash(table, "kept")} as identity_hash
            from raw.{table.name} as kept
            where {identity_hash(table, "kept")} in (select {arrived} from incoming.{table.name} as arrived)
        )
        """
    )


def _record_load(
    connection: duckdb.DuckDBPyConnection, table: Table, changes: Changes, loader: _Loader, run_id: str
) -> int:
    """Write ``incoming.file`` and ``audit.load``; return the number of rows read."""
    counts: dict[str, int] = {}
    if changes.files:
        by_file = connection.execute(f"select source_file, count(*) from incoming.{table.name} group by all")
        counts = dict(by_file.fetchall())
    listed = [
        (table.name, file.partition_date, file.relative, _status(file, loader), counts.get(file.relative, 0))
        for file in changes.files
    ]
    listed += [
        (table.name, partition.partition_date, file.relative, "unchanged", 0)
        for partition in changes.unchanged
        for file in partition.files
    ]
    listed += [(table.name, gone.partition_date, gone.relative, "gone", 0) for gone in changes.gone]
    types = ("varchar", "date", "varchar", "varchar", "bigint")
    names = ("table_name", "partition_date", "source_file", "status", "row_count")
    insert_rows(connection, "incoming.file", tuple(zip(names, types, strict=True)), listed)
    _record_audit(connection, table, changes, loader, counts, run_id=run_id)
    return sum(counts.values())


def _status(file: LandingFile, loader: _Loader) -> str:
    return "partial" if file.relative in loader.partial else "read"


def _record_audit(
    connection: duckdb.DuckDBPyConnection,
    table: Table,
    changes: Changes,
    loader: _Loader,
    counts: dict[str, int],
    *,
    run_id: str,
) -> None:
    number = loader.load_number - 1
    rows: list[tuple[object, ...]] = []
    for file in changes.files:
        number += 1
        _require_unmoved(file, loader)
        digest = sha256_of(file.path) if file.path.is_file() else ""
        if (issue := manifest_issue(loader.landing, file, digest)) is not None:
            loader.record(file.partition_date, file.relative, (issue,), 1)
        size, count = file.bytes, counts.get(file.relative, 0)
        rows.append(
            (run_id, table.name, file.partition_date, file.relative, digest, count, size, file.modified_ns, number)
        )
    for gone in changes.gone:
        number += 1
        rows.append((run_id, table.name, gone.partition_date, gone.relative, "", 0, 0, 0, number))
    columns = (
        ("run_id", "varchar"),
        ("table_name", "varchar"),
        ("partition_date", "date"),
        ("source_file", "varchar"),
        ("sha256", "varchar"),
        ("rows", "bigint"),
        ("bytes", "bigint"),
        ("modified_ns", "bigint"),
        ("load_number", "bigint"),
    )
    insert_rows(connection, "audit.load", (*columns, ("outcome", "varchar")), [(*row, "pending") for row in rows])


def _last_load_number(connection: duckdb.DuckDBPyConnection) -> int:
    return int(connection.execute("select coalesce(max(load_number), 0) from audit.load").fetchall()[0][0])


def _require_unmoved(file: LandingFile, loader: _Loader) -> None:
    """A file that changed while it was read may have been read half old, half new."""
    status = file.path.stat() if file.path.is_file() else None
    if status is None or (status.st_size, status.st_mtime_ns) != (file.bytes, file.modified_ns):
        issue = Issue("file changed while it was being read; run again", "a file that is written once")
        loader.record(file.partition_date, file.relative, (issue,), 1)
