"""Landing files as SQL relations: what DuckDB has to read, column by column, with every row's place in its file.

What belongs here: file formats, their layouts, and batches of files that one statement can read. What doesn't:
casting (``casts``), what to do when a file can't be read (``loading``).
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import duckdb

from orchestration.contract import Table
from orchestration.landing.casts import TEXT_TYPE
from orchestration.landing.csv_text import DAMAGED, check_gzip, is_utf8, read_header, shown
from orchestration.landing.discovery import FileFormat, LandingFile
from orchestration.landing.issues import KEPT_PER_FILE, Issue, first_line
from orchestration.sql import identifier, quoted

_BATCH_BYTES = 32 << 20
_BATCH_FILES = 200
_LINES = "temp.main.landing_line"


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one layout as a relation that yields ``source_path``, ``source_row`` and the delivered columns.

    ``columns`` gives SQL expression and DuckDB type of the contract's columns that were delivered. ``issues`` are
    those of the layout (a missing or repeated column, a file that can't be opened); ``unknown`` the columns left out.
    ``is_complete`` is false if the relation leaves out rows of the files.
    """

    files: tuple[LandingFile, ...]
    relation: str = ""
    columns: dict[str, tuple[str, str]] = field(default_factory=dict)
    issues: tuple[Issue, ...] = ()
    unknown: tuple[str, ...] = ()
    is_complete: bool = True

    @property
    def is_readable(self) -> bool:
        """Whether there is a relation at all."""
        return bool(self.relation)


def unreadable(file: LandingFile, problem: str, expected: str, line: int | None = None) -> Source:
    """The source of a file that no row can be read from."""
    return Source((file,), issues=(Issue(problem, expected, line),))


def path_literal(path: Path) -> str:
    """A path as an SQL literal in which nothing is a wildcard."""
    return quoted(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _path_list(files: Iterable[LandingFile]) -> str:
    return "[" + ", ".join(path_literal(file.path) for file in files) + "]"


def _batches(files: Sequence[LandingFile]) -> Iterator[tuple[LandingFile, ...]]:
    """Cut files into batches: a big file alone, small ones together, so that neither costs a fixed price per file."""
    batch: list[LandingFile] = []
    size = 0
    for file in files:
        if batch and (size + file.bytes > _BATCH_BYTES or len(batch) == _BATCH_FILES):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(file)
        size += file.bytes
    if batch:
        yield tuple(batch)


def _layout_issues(table: Table, names: Sequence[str], line: int | None) -> tuple[Issue, ...]:
    counts = Counter(names)
    repeated = [
        Issue(f"column stands {counts[name]} times", "one column of that name", line, column=name)
        for name in table.column_names
        if counts[name] > 1
    ]
    missing = [
        Issue("column is missing", f"a column named {name}", line, column=name, value=", ".join(names))
        for name in table.column_names
        if name not in counts
    ]
    return (*repeated, *missing)


def _unknown(table: Table, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names) - set(table.column_names)))


def sources_of(connection: duckdb.DuckDBPyConnection, table: Table, files: Sequence[LandingFile]) -> Iterator[Source]:
    """Yield the files as sources, as few as their formats and layouts allow.

    A source is only good until the next one is asked for: JSONL lines are staged in one temporary table.
    """
    by_format: dict[FileFormat, list[LandingFile]] = defaultdict(list)
    for file in files:
        by_format[file.format].append(file)
    for batch in _batches(by_format[FileFormat.PARQUET]):
        yield from _parquet_sources(connection, table, batch)
    for format_ in (FileFormat.CSV, FileFormat.CSV_GZ):
        yield from _csv_sources(table, by_format[format_])
    for batch in _batches(by_format[FileFormat.JSONL]):
        yield from jsonl_sources(connection, table, batch)


# Parquet


def _parquet_layouts(
    connection: duckdb.DuckDBPyConnection, files: Sequence[LandingFile]
) -> dict[Hashable, list[LandingFile]]:
    rows = connection.execute(
        f"select file_name, name, type, converted_type, logical_type, precision, scale, num_children"
        f" from parquet_schema({_path_list(files)})"
    ).fetchall()
    by_name = {str(file.path): file for file in files}
    layout_of: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for name, *layout in rows:
        layout_of[name].append(tuple(layout))
    layouts: dict[Hashable, list[LandingFile]] = defaultdict(list)
    for name, nodes in layout_of.items():
        layouts[tuple(nodes)].append(by_name[name])
    return layouts


def _parquet_sources(
    connection: duckdb.DuckDBPyConnection, table: Table, files: tuple[LandingFile, ...]
) -> Iterator[Source]:
    try:
        layouts = _parquet_layouts(connection, files)
        for nodes, alike in layouts.items():
            yield _parquet_source(connection, table, tuple(alike), nodes)
    except duckdb.Error as error:
        if len(files) == 1:
            yield unreadable(files[0], f"file is damaged: {first_line(error)}", "a whole Parquet file")
        else:
            for file in files:
                yield from _parquet_sources(connection, table, (file,))


def _top_level_names(nodes: Any) -> list[str]:
    """Names of the root's children in Parquet's depth-first list of nodes."""
    names: list[str] = []

    def skip(position: int) -> int:
        children = nodes[position][-1] or 0
        position += 1
        for _ in range(children):
            position = skip(position)
        return position

    position = 1
    while position < len(nodes):
        names.append(nodes[position][0].strip().lower())
        position = skip(position)
    return names


def _parquet_source(
    connection: duckdb.DuckDBPyConnection, table: Table, files: tuple[LandingFile, ...], nodes: Any
) -> Source:
    names = _top_level_names(nodes)
    read = f"read_parquet({_path_list(files)}, hive_partitioning = false, binary_as_string = true"
    described = connection.execute(f"describe select * from {read})").fetchall()
    columns: dict[str, tuple[str, str]] = {}
    selected: list[str] = []
    for position, (name, (given_name, type_, *_)) in enumerate(zip(names, described, strict=True)):
        if name in table.column_names and name not in columns:
            columns[name] = (f"c{position}", type_)
            selected.append(f"{identifier(given_name)} as c{position}, ")
    relation = (
        f"(select {''.join(selected)}landing_path as source_path, file_row_number + 1 as source_row"
        f" from {read}, filename = 'landing_path', file_row_number = true))"
    )
    return Source(files, relation, columns, _layout_issues(table, names, None), _unknown(table, names))


# CSV


def _csv_header(file: LandingFile) -> tuple[str, ...] | Source:
    try:
        if file.format is FileFormat.CSV_GZ:
            check_gzip(file.path)
        header = tuple(read_header(file))
    except DAMAGED as error:
        return unreadable(file, f"file is damaged: {first_line(error)}", "a whole file")
    except csv.Error as error:
        return unreadable(file, f"header isn't valid CSV: {first_line(error)}", "a header", 1)
    if not header:
        return unreadable(file, "file has no header", "a header with the table's columns, even if there are no rows", 1)
    if not all(is_utf8(name) for name in header):
        return unreadable(file, f"header isn't valid UTF-8: {shown(','.join(header))}", "UTF-8", 1)
    return header


def _csv_sources(table: Table, files: Sequence[LandingFile]) -> Iterator[Source]:
    layouts: dict[tuple[str, ...], list[LandingFile]] = defaultdict(list)
    for file in files:
        header = _csv_header(file)
        if isinstance(header, Source):
            yield header
        else:
            layouts[header].append(file)
    for header, alike in layouts.items():
        for batch in _batches(alike):
            yield csv_source(table, batch, header, f"{_path_list(batch)}")


def csv_source(table: Table, files: tuple[LandingFile, ...], header: Sequence[str], paths: str) -> Source:
    """The source of CSV files with that header. ``paths`` is the SQL list of what is read in their place."""
    columns: dict[str, tuple[str, str]] = {}
    for position, name in enumerate(header):
        if name in table.column_names:
            columns.setdefault(name, (f"c{position}", TEXT_TYPE))
    texts = ", ".join(f"'c{position}': 'VARCHAR'" for position in range(len(header)))
    compression = "gzip" if files[0].format is FileFormat.CSV_GZ and ".csv.gz" in paths else "none"
    # Rows are numbered in the order read; the subtraction restarts the count with each file.
    restart = "" if len(files) == 1 else " - min(landing_row) over (partition by source_path) + 1"
    relation = (
        f"(select *, landing_row{restart} as source_row from (select *, row_number() over () as landing_row"
        f" from read_csv({paths}, auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"',"
        f" nullstr = '', hive_partitioning = false, compression = '{compression}', filename = 'source_path',"
        f" columns = {{{texts}}})))"
    )
    return Source(files, relation, columns, _layout_issues(table, header, 1), _unknown(table, header))


# JSONL


def stage_lines(connection: duckdb.DuckDBPyConnection, files: Sequence[LandingFile], paths: str | None = None) -> None:
    """Read JSONL files into the temporary table of lines; raises duckdb.Error if one can't be read as text."""
    restart = "" if len(files) == 1 else " - min(landing_row) over (partition by source_path) + 1"
    connection.execute(
        f"create or replace temp table landing_line as"
        f" select source_path, landing_row{restart} as source_row, line"
        f" from (select *, row_number() over () as landing_row"
        f" from read_csv({paths or _path_list(files)}, auto_detect = false, header = false, delim = '\x01', quote = '',"
        f" escape = '', hive_partitioning = false, compression = 'none', filename = 'source_path',"
        f" columns = {{'line': 'VARCHAR'}}))"
    )
    # Blank lines are counted, so that a row's number is its line, and then left out.
    connection.execute(f"delete from {_LINES} where line is null or trim(line, ' \t\r') = ''")


def take_bad_lines(connection: duckdb.DuckDBPyConnection) -> tuple[Issue, ...]:
    """Take the staged lines that aren't JSON objects out, and say which they were."""
    rows = connection.execute(
        f"select source_row, line from {_LINES}"
        " where case when json_valid(line) then json_type(line) <> 'OBJECT' else true end order by source_row"
    ).fetchall()
    remove_lines(connection, [row for row, _ in rows])
    return tuple(_not_json(row, line) for row, line in rows)


def remove_lines(connection: duckdb.DuckDBPyConnection, rows: Sequence[int]) -> None:
    """Take lines out of the staged ones by number."""
    if rows:
        connection.execute(f"delete from {_LINES} where source_row in (select unnest($1::bigint[]))", [list(rows)])


def jsonl_sources(
    connection: duckdb.DuckDBPyConnection, table: Table, files: tuple[LandingFile, ...], repaired: Path | None = None
) -> Iterator[Source]:
    """Yield the source of a batch of JSONL files, or one for each of them if something is wrong with any.

    ``repaired`` is read in the place of a single file.
    """
    try:
        stage_lines(connection, files, f"[{path_literal(repaired)}]" if repaired else None)
        bad_lines = take_bad_lines(connection)
        source = jsonl_source(connection, table, files)
        source = replace(source, issues=(*bad_lines, *source.issues), is_complete=source.is_complete and not bad_lines)
    except duckdb.Error as error:
        source = unreadable(files[0], f"file can't be read: {first_line(error)}", "JSON objects, one a line")
    if len(files) > 1 and source.issues:
        for file in files:
            yield from jsonl_sources(connection, table, (file,))
    else:
        yield source


def _number_pattern(name: str) -> str:
    return f'"{name}"\\s*:\\s*(-?[0-9][-+.0-9eE]*)'


def _json_text(name: str, position: int) -> str:
    """SQL for a value's text: a number's own, as it stands in the line."""
    number = f"regexp_extract(line, {quoted(_number_pattern(name))}, 1)"
    text = f"texts[{position}]"
    return f"case when types[{position}] = 'DOUBLE' then coalesce(nullif({number}, ''), {text}) else {text} end"


def _spell_out_numbers(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str]]:
    """Rewrite the few lines whose numbers the pattern may miss or mistake, with every number as text.

    A number is found behind its key; only a nested value or an escaped key could mislead that. Returns those of the
    lines that aren't strictly JSON (DuckDB lets a trailing comma pass).
    """
    rows = connection.execute(
        f"select source_path, source_row, line from {_LINES} where regexp_matches(line, ':\\s*[{{\\[]')"
        " or regexp_matches(line, '\\\\u00[2-7]') or regexp_matches(line, ',\\s*\\}')"
    ).fetchall()
    refused: list[tuple[int, str]] = []
    spelled: list[tuple[str, int, str]] = []
    for path, row, line in rows:
        try:
            content = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
        except ValueError:
            refused.append((row, line))
        else:
            spelled.append((path, row, json.dumps(content)))
    if spelled:
        columns = [list(column) for column in zip(*spelled, strict=True)]
        connection.execute(
            f"update {_LINES} as staged set line = spelled.line from (select unnest($1::varchar[]) as source_path,"
            " unnest($2::bigint[]) as source_row, unnest($3::varchar[]) as line) as spelled"
            " where staged.source_path = spelled.source_path and staged.source_row = spelled.source_row",
            columns,
        )
    return refused


def _not_json(row: int, line: str) -> Issue:
    return Issue("line isn't a JSON object", "one JSON object a line", row, row, value=line)


def _repeated_keys(connection: duckdb.DuckDBPyConnection, key_lists: Sequence[Sequence[str]]) -> tuple[Issue, ...]:
    names = sorted({name for keys in key_lists for name, count in Counter(keys).items() if count > 1})
    if not names:
        return ()
    lines = connection.execute(
        f"select source_row from {_LINES} where len(json_keys(line)) <> len(list_distinct(json_keys(line)))"
        f" order by source_row limit {KEPT_PER_FILE}"
    ).fetchall()
    return tuple(Issue(f"a key stands twice: {', '.join(names)}", "each key once", line, line) for (line,) in lines)


def jsonl_source(connection: duckdb.DuckDBPyConnection, table: Table, files: tuple[LandingFile, ...]) -> Source:
    """The source of the staged lines, all of them JSON objects.

    DuckDB's JSON functions take a number through a double. A number's own text is taken from the line instead.
    """
    refused = _spell_out_numbers(connection)
    remove_lines(connection, [row for row, _ in refused])
    key_lists = [keys for (keys,) in connection.execute(f"select distinct json_keys(line) from {_LINES}").fetchall()]
    names = sorted({name for keys in key_lists for name in keys})
    issues = (
        *(_not_json(row, line) for row, line in refused),
        *(_layout_issues(table, names, None) if names else ()),
        *_repeated_keys(connection, key_lists),
    )
    paths = "[" + ", ".join(quoted(f'$."{name}"') for name in table.column_names) + "]"
    relation = (
        f"(select source_path, source_row, line, json_extract_string(line, {paths}) as texts,"
        f" json_type(line, {paths}) as types from {_LINES})"
    )
    columns = {
        name: (_json_text(name, position), TEXT_TYPE)
        for position, name in enumerate(table.column_names, 1)
        if name in names
    }
    return Source(files, relation, columns, issues, _unknown(table, names), is_complete=not refused)
