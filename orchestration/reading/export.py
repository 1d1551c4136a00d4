"""The public tables as Parquet, partitioned by date, for tools that can't open the published file.

What belongs here: which rows go into which file, the manifest, and that a folder is there whole or not at all. What
doesn't: how Parquet is written (``parquet``), the accepted rows for another engine (``warehouse.source_files``).

``<out>/<schema>/<table>/as_of_date=YYYY-MM-DD/rows.parquet``, one file of a table without a date. The column that a
folder names isn't in its files, as readers of such folders expect. Rows are in the order of all their columns, so the
same rows are the same bytes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.durable import sync
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.output import plain
from orchestration.reading.parquet import ROW_GROUP_ROWS, require_types, write_batches
from orchestration.reading.published import fetch, interruptible
from orchestration.reading.query_errors import close_to
from orchestration.sql import identifier

MANIFEST = "manifest.json"
PARTITION_COLUMNS = ("as_of_date", "revenue_date", "month")
"""The columns that days and months go by in the marts; the first that a table has names its folders."""
NO_DATE = "__HIVE_DEFAULT_PARTITION__"
"""What readers of partitioned folders take for null."""
_FILE = "rows.parquet"
_PUBLICATION = ("run_id", "first_date", "last_date", "knowledge_at", "published_at", "policy_hash")


class ExportError(RingfenceError):
    """The folder can't be written; what was there before still is."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tables, as ``marts``, ``marts.dim_entity`` or ``dim_entity``, and which days.

    A schema stands for its tables; a view, which says the same in other words, has to be named.
    """

    tables: tuple[str, ...] = ("marts",)
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    schema: str
    name: str
    is_view: bool
    columns: tuple[str, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def partition(self) -> str | None:
        return next((name for name in PARTITION_COLUMNS if name in self.columns), None)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export holds."""

    tables: int
    files: int
    rows: int


def export_tables(connection: duckdb.DuckDBPyConnection, out: Path, choice: Choice) -> Exported:
    """Write the chosen tables into a folder, which is replaced if it is an earlier export.

    Raises ConfigurationError for a table that isn't there, a day after the last, or a folder with anything else in it;
    ExportError if the place can't be written to.
    """
    if choice.first is not None and choice.last is not None and choice.first > choice.last:
        raise ConfigurationError(f"--from {choice.first} is after --to {choice.last}; give the earlier day first")
    tables = _chosen(connection, choice.tables)
    try:
        with _whole_or_not(out.resolve()) as folder:
            written = interruptible(
                connection, lambda: [_export(connection, table, choice, folder) for table in tables]
            )
            manifest = {"publication": _publication(connection), "choice": _as_json(choice), "tables": written}
            text = json.dumps(manifest, indent=2, ensure_ascii=False, default=plain)
            (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise ExportError(f"{out} can't be written: {error.strerror or error}; choose another --out") from error
    files = [file for table in written for file in table["files"]]
    return Exported(len(tables), len(files), sum(file["rows"] for file in files))


def _as_json(choice: Choice) -> dict[str, Any]:
    return {"tables": choice.tables, "from": choice.first, "to": choice.last}


def _publication(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The run whose publication this is, out of the same file as the rows: the last that was accepted."""
    columns = ", ".join(_PUBLICATION)
    found = fetch(
        connection,
        f"select {columns} from audit.run where is_accepted order by started_at desc, run_id limit 1",
    )
    return dict(zip(found.columns, found.values[0], strict=True)) if found.values else {}


def _chosen(connection: duckdb.DuckDBPyConnection, names: Sequence[str]) -> list[_Table]:
    there = [
        _Table(schema, name, is_view, tuple(columns))
        for schema, name, is_view, columns in fetch(
            connection,
            "select table_schema, table_name, table_type = 'VIEW', list(column_name order by ordinal_position)"
            " from information_schema.tables natural join information_schema.columns"
            " where table_schema in ('marts', 'audit') group by all order by all",
        ).values
    ]
    chosen: dict[str, _Table] = {}
    for name in names:
        found = [
            table
            for table in there
            if name in (table.name, table.full_name) or (name == table.schema and not table.is_view)
        ]
        if not found:
            raise ConfigurationError(_no_such_table(name, there))
        chosen |= {table.full_name: table for table in found}
    return [chosen[name] for name in sorted(chosen)]


def _no_such_table(name: str, there: Sequence[_Table]) -> str:
    close = close_to(name, [*(table.full_name for table in there), *(table.name for table in there)])
    hint = f"did you mean {' or '.join(close)}?" if close else "schemas marts and audit, or tables in them, can be"
    return f"there is no table or schema {name!r} that could be exported; {hint}"


def _export(connection: duckdb.DuckDBPyConnection, table: _Table, choice: Choice, folder: Path) -> dict[str, Any]:
    """Write a table's files and return its part of the manifest."""
    place = folder / table.schema / table.name
    place.mkdir(parents=True)
    partition = table.partition
    files = []
    with _rows(connection, table, choice) as reader:
        require_types(reader.schema)
        if partition is None:
            files.append(_file(folder, place, reader.schema, reader))
        else:
            at = reader.schema.get_field_index(partition)
            schema = reader.schema.remove(at)
            for value, batches in _by_value(reader, at):
                name = NO_DATE if value is None else value.isoformat()
                files.append(_file(folder, place / f"{partition}={name}", schema, batches))
        columns = {field.name: str(field.type) for field in reader.schema}
    return {"table": table.full_name, "partitioned_by": partition, "columns": columns, "files": files}


def _file(folder: Path, place: Path, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> dict[str, Any]:
    place.mkdir(exist_ok=True)
    path = place / _FILE
    rows = write_batches(schema, batches, path)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    sync(path)
    name = path.relative_to(folder).as_posix()
    return {"path": name, "rows": rows, "bytes": path.stat().st_size, "sha256": digest}


def _rows(connection: duckdb.DuckDBPyConnection, table: _Table, choice: Choice) -> pa.RecordBatchReader:
    """A table's rows of the days chosen, in the order of the partition and all columns; of months, those in part."""
    partition = table.partition
    order = [partition, *(name for name in table.columns if name != partition)] if partition else [*table.columns]
    conditions = []
    if partition and choice.first:
        start = choice.first.replace(day=1) if partition == "month" else choice.first
        conditions.append(f"{identifier(partition)} >= date '{start}'")
    if partition and choice.last:
        conditions.append(f"{identifier(partition)} <= date '{choice.last}'")
    where = f" where {' and '.join(conditions)}" if conditions else ""
    by = ", ".join(f"{identifier(name)} nulls last" for name in order)
    sql = f"select * from {identifier(table.schema)}.{identifier(table.name)}{where} order by {by}"
    return connection.sql(sql).to_arrow_reader(ROW_GROUP_ROWS)


def _by_value(reader: pa.RecordBatchReader, at: int) -> Iterator[tuple[date | None, Iterator[pa.RecordBatch]]]:
    """Runs of rows with one value in the column, which the rows are ordered by; without that column."""
    pieces = _pieces(reader, at)
    piece = next(pieces, None)
    while piece is not None:
        value = piece[0]
        rest: list[tuple[date | None, pa.RecordBatch]] = []

        def same(first: pa.RecordBatch, value: date | None = value, rest: list[Any] = rest) -> Iterator[pa.RecordBatch]:
            yield first
            for following in pieces:
                if following[0] != value:
                    rest.append(following)
                    return
                yield following[1]

        yield value, same(piece[1])
        piece = rest[0] if rest else None


def _pieces(reader: pa.RecordBatchReader, at: int) -> Iterator[tuple[date | None, pa.RecordBatch]]:
    """The batches, cut where the column's value changes."""
    for batch in reader:
        values = batch.column(at).to_pylist()
        others = batch.remove_column(at)
        start = 0
        for end in range(1, len(values) + 1):
            if end == len(values) or values[end] != values[start]:
                yield values[start], others.slice(start, end - start)
                start = end


@contextmanager
def _whole_or_not(out: Path) -> Iterator[Path]:
    """A folder that takes the place of ``out`` if all goes well, and else is gone; one export at a time has it.

    What a killed export left is removed. Two renames replace an earlier export; if it was killed between them, the next
    one begins by putting the earlier back.
    """
    new, old = (out.with_name(f".{out.name}.{what}") for what in ("exporting", "replaced"))
    if old.exists() and not out.exists():
        old.rename(out)
    _require_own(out)
    new.mkdir(exist_ok=True)
    descriptor = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, new, out)
        for left in (*new.iterdir(), *([old] if old.exists() else [])):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        try:
            yield new
            if out.exists():
                out.rename(old)
            new.rename(out)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, out: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_ours = os.path.samestat(os.fstat(descriptor), folder.stat())
    except (BlockingIOError, FileNotFoundError):
        is_ours = False
    if not is_ours:
        raise ExportError(f"another export is writing {out}; wait for it, or choose another --out")


def _require_own(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir() or out.is_symlink():
        raise ConfigurationError(f"{out} is no folder; name one that is new, empty or an earlier export with --out")
    if any(out.iterdir()) and not (out / MANIFEST).is_file():
        raise ConfigurationError(
            f"{out} holds other files, and an export replaces the whole folder; name one that is new, empty or an"
            " earlier export with --out"
        )
