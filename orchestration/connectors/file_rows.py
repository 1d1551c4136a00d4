"""The rows of one file, in the columns of a table of the contract, exactly or not at all.

What belongs here: other people's column names, and bounds of Parquet and JSONL. What doesn't: formats and casts, which
are the landing zone's own (``landing.sources``, ``landing.casts``), and where files come from (``stored_files``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from orchestration.connectors.errors import AnswerError
from orchestration.connectors.limits import Limits
from orchestration.connectors.rows import connection, refusal_of, strict_query
from orchestration.connectors.stored_files import ArrivedFile
from orchestration.contract import Table
from orchestration.landing.casts import TEXT_TYPE
from orchestration.landing.csv_text import scan_csv
from orchestration.landing.discovery import FileFormat, LandingFile, format_of
from orchestration.landing.issues import Issue, first_line
from orchestration.landing.sources import Source, sources_of
from orchestration.sql import quoted

_BATCH_ROWS = 50_000
_REMEDY = "correct the file, or the mapping of its columns"


class Constant(BaseModel):
    """A value that every row of a file has. ``{date}`` in it is the day that the file's name gives; null is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    constant: str | int | None

    def of(self, day: date | None) -> str | None:
        """The value as text."""
        if self.constant is None:
            return None
        return str(self.constant).replace("{date}", str(day or ""))


Columns = Mapping[str, str | Constant]
"""By the contract's column: the name that it has in the file, or a constant. Columns left out have the same name."""


def check_columns(table: Table, columns: Columns) -> None:
    """Raise ValueError if the mapping names a column that the table doesn't have."""
    if unknown := sorted(set(columns) - set(table.column_names)):
        raise ValueError(f"{table.name} has no column {unknown[0]}")


def rows_of(
    table: Table, arrived: ArrivedFile, columns: Columns, limits: Limits, notice: Callable[[str], None]
) -> Iterator[pa.RecordBatchReader]:
    """Yield a file's rows as the contract's columns and types: one reader, to be read before the next is asked for.

    Raises AnswerError, naming file, row and column, for whatever the contract can't hold or misses, and for a damaged
    file; LimitError for one beyond the bounds; reading the reader raises the same. ``notice`` hears of columns that are
    left out.
    """
    format_ = format_of(arrived.name)
    if format_ is None:
        raise AnswerError(f"{arrived.file.shown} is neither parquet, csv nor jsonl", "narrow the pattern")
    _check_bounds(arrived, format_, limits)
    names = _foreign_names(table, columns, format_)
    foreign = replace(
        table, columns=tuple({name: replace(table.column(ours), name=name) for ours, name in names.items()}.values())
    )
    file = LandingFile(table.name, None, arrived.path, arrived.file.shown, format_, arrived.path.stat().st_size, 0)
    with ExitStack() as stack:
        database = stack.enter_context(connection())
        for source in sources_of(database, foreign, (file,)):
            _require_whole(source)
            if source.unknown:
                notice(f"{arrived.file.shown}: columns left out: {', '.join(source.unknown)}")
            delivered = {ours: source.columns[name] for ours, name in names.items() if name in source.columns}
            for ours, value in columns.items():
                if isinstance(value, Constant) and (text := value.of(arrived.file.day)) is not None:
                    delivered[ours] = (quoted(text), TEXT_TYPE)
            row = f"{quoted(arrived.file.shown)} || ', row ' || source_row"
            yield _reader(database, strict_query(table, delivered, row, source.relation), file)


def _foreign_names(table: Table, columns: Columns, format_: FileFormat) -> dict[str, str]:
    """The file's name of each column that it must have, by ours. Only JSONL tells upper from lower case."""
    given = {name: columns.get(name, name) for name in table.column_names}
    names = {ours: theirs.strip() for ours, theirs in given.items() if isinstance(theirs, str)}
    return names if format_ is FileFormat.JSONL else {ours: theirs.lower() for ours, theirs in names.items()}


def _require_whole(source: Source) -> None:
    if source.issues or not source.is_readable or not source.is_complete:
        issue = source.issues[0] if source.issues else Issue("file can't be read", "a whole file")
        raise AnswerError(_in_words(source.files[0], issue), _REMEDY)


def _in_words(file: LandingFile, issue: Issue) -> str:
    line = "" if issue.line is None else f", line {issue.line}"
    column = "" if issue.column is None else f" {issue.column}"
    return " ".join(f"{file.relative}{line}:{column} {issue.problem}".split())


def _reader(database: duckdb.DuckDBPyConnection, query: str, file: LandingFile) -> pa.RecordBatchReader:
    try:
        rows = database.sql(query).to_arrow_reader(_BATCH_ROWS)
    except (duckdb.Error, OSError) as error:
        raise _refused(file, error) from error

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            yield from rows
        except (duckdb.Error, OSError, pa.ArrowException) as error:
            raise _refused(file, error) from error

    return pa.RecordBatchReader.from_batches(rows.schema, batches())


def _refused(file: LandingFile, error: Exception) -> AnswerError:
    line = refusal_of(error)
    if line.startswith(file.relative):
        return AnswerError(line, _REMEDY)
    if file.format is FileFormat.CSV:
        # The engine tells what is wrong with text in many lines; the landing reader in one.
        with TemporaryDirectory(prefix="ringfence-") as folder:
            issues = scan_csv(file, Path(folder) / "repaired").issues
        if issues:
            return AnswerError(_in_words(file, issues[0]), _REMEDY)
    return AnswerError(f"{file.relative} can't be read: {line}", _REMEDY)


def _check_bounds(arrived: ArrivedFile, format_: FileFormat, limits: Limits) -> None:
    if format_ is FileFormat.PARQUET:
        _check_parquet(arrived, limits)
    elif format_ is FileFormat.JSONL:
        _check_lines(arrived, limits)


def _check_parquet(arrived: ArrivedFile, limits: Limits) -> None:
    """Hold what a Parquet file says it holds against its size: a few bytes can stand for billions of equal values."""
    try:
        about = pq.read_metadata(arrived.path)
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        decompressed = sum(group.total_byte_size for group in groups)
    except (pa.ArrowException, OSError, OverflowError) as error:
        raise AnswerError(f"{arrived.file.shown}: file is damaged: {first_line(error)}", "deliver it again") from error
    if about.num_rows < 0 or sum(group.num_rows for group in groups) != about.num_rows:
        raise AnswerError(f"{arrived.file.shown}: file is damaged: its row groups don't add up", "deliver it again")
    cells = about.num_rows * about.num_columns
    for claimed in (decompressed, cells):
        limits.check_size(claimed, arrived.file.shown)
        limits.check_ratio(arrived.path.stat().st_size, claimed, arrived.file.shown)


def _check_lines(arrived: ArrivedFile, limits: Limits) -> None:
    with arrived.path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.count(b"[") + line.count(b"{") > limits.max_nesting:
                limits.check_nesting(line.decode("utf-8", "replace"), f"{arrived.file.shown}, line {number},")
