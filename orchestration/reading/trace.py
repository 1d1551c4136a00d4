"""From a finding down to where it comes from: the figures of the marts, the landing rows behind them, and their files.

What belongs here: reading all of that from the published file, and printing it. What doesn't: which rows stand behind a
finding (the evidence models), and what the check means (``explanation.py``).

Sets are shown from the largest row down, with how many more there are. ``line`` counts a CSV's header and assumes that
no value before it holds a line break.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from textwrap import wrap
from typing import Any

import duckdb

from orchestration.checks import Check
from orchestration.errors import ConfigurationError
from orchestration.policy import PolicyInForce
from orchestration.reading.explanation import Explanation
from orchestration.reading.output import counted, short_text
from orchestration.reading.published import QueryError, Rows, fetch, first_line, has_table
from orchestration.sql import quoted

ROWS_SHOWN = 10
_SUBJECTS_SHOWN = 5
_FINDINGS_SHOWN = 3
_WIDTH = 100
_SAME_FINDING = (
    "as_of_date = ? and check_name = ? and subject_type = ? and subject_id = ? and asset is not distinct from ?"
)


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A landing row: its key, its place in its file, and its content as it arrived."""

    table: str
    key: str
    file: str
    row: int
    content: str


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows of one landing table behind a finding, the largest first; ``rows_in_all`` counts those not kept too."""

    table: str
    rows: tuple[SourceRow, ...]
    rows_in_all: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Rows of a query on the published file, and how many more it returns."""

    sql: str
    rows: Rows
    more: int


def policy_of_warehouse(connection: duckdb.DuckDBPyConnection) -> PolicyInForce:
    """The policy of the latest run that the published file knows of."""
    run_id, policy_hash = fetch(
        connection, "select run_id, policy_hash from audit.run order by started_at desc, run_id limit 1"
    ).values[0]
    entries = fetch(connection, "select name, item, value from audit.policy where run_id = ?", [run_id]).values
    return PolicyInForce(f"run {run_id}, policy {policy_hash[:12]}", frozenset((n, i, v) for n, i, v in entries))


# which finding ------------------------------------------------------------------------------------------------------


def standing_line(connection: duckdb.DuckDBPyConnection, check: Check, day: date | None = None) -> str:
    """What stands for a check, on that day or at all, in one line."""
    number, first, last = fetch(
        connection,
        "select count(*), min(as_of_date), max(as_of_date) from audit.finding"
        " where check_name = $1 and ($2::date is null or as_of_date = $2::date)",
        [check.name, day],
    ).values[0]
    if not number:
        return f"nothing stands for it on {day}" if day else "nothing stands for it"
    subjects = fetch(
        connection,
        "select subject_id, asset from audit.finding where check_name = $1 and as_of_date = $2"
        " order by impact_usd desc nulls last, subject_id, asset",
        [check.name, last],
    ).values
    named = ", ".join(" ".join(filter(None, subject)) for subject in subjects[:_SUBJECTS_SHOWN])
    more = f" and {len(subjects) - _SUBJECTS_SHOWN:,} more" if len(subjects) > _SUBJECTS_SHOWN else ""
    when = f"from {first} to {last}" if first != last else f"on {last}"
    return f"{counted(number, 'finding')} of it stand{'s' if number == 1 else ''} {when}, on {last} of {named}{more}"


def find_findings(
    connection: duckdb.DuckDBPyConnection, check: Check, day: date, subject: str, asset: str | None
) -> list[dict[str, Any]]:
    """The standing findings asked for, the largest first.

    Raises ConfigurationError, saying what stands instead, if there is none.
    """
    rows = fetch(
        connection,
        "select * from audit.finding where check_name = $1 and as_of_date = $2 and subject_id = $3"
        " and ($4::varchar is null or asset = $4::varchar) order by impact_usd desc nulls last, subject_type, asset",
        [check.name, day, subject, asset],
    )
    if rows.values:
        return [dict(zip(rows.columns, values, strict=True)) for values in rows.values]
    on_day = standing_line(connection, check, day)
    instead = on_day if not on_day.startswith("nothing") else f"{on_day}; {standing_line(connection, check)}"
    of_asset = f" in {asset}" if asset else ""
    raise ConfigurationError(f"no finding of {check.name} on {day} for {subject!r}{of_asset}: {instead}")


# what is behind it --------------------------------------------------------------------------------------------------


def filled(sql: str, finding: Mapping[str, Any]) -> str:
    """A query with the finding's day, subject and asset in it, as anybody can run it."""
    values = {"$date": f"date '{finding['as_of_date']}'", "$subject": quoted(finding["subject_id"])}
    values["$asset"] = "null" if finding["asset"] is None else quoted(finding["asset"])
    return re.sub(r"\$(?:date|subject|asset)\b", lambda found: values[found[0]], sql)


def _figures(connection: duckdb.DuckDBPyConnection, sql: str) -> Figures:
    cursor = connection.execute(sql)
    columns = tuple(column[0] for column in cursor.description or ())
    shown = tuple(cursor.fetchmany(ROWS_SHOWN))
    more = 0
    while rest := cursor.fetchmany(10_000):
        more += len(rest)
    return Figures(sql, Rows(columns, shown), more)


def figures_behind(
    connection: duckdb.DuckDBPyConnection, explanation: Explanation, finding: Mapping[str, Any]
) -> Iterator[Figures]:
    """The finding's own evidence, then the figures that the explanation says to look at."""
    own = [finding["evidence"]] if finding["evidence"] else []
    for sql in (*own, *(filled(query, finding) for query in explanation.look_at)):
        if "audit.source_row" not in sql:
            try:
                yield _figures(connection, sql)
            except duckdb.Error as error:
                raise QueryError(
                    f"the figures behind the finding can't be read: {first_line(error)} ({sql})"
                ) from error


def _rows_of(values: Iterable[tuple[Any, ...]]) -> tuple[SourceRow, ...]:
    return tuple(SourceRow(*row) for row in values)


def sources_behind(connection: duckdb.DuckDBPyConnection, finding: Mapping[str, Any]) -> list[SourceRows]:
    """Landing rows behind the finding, by table."""
    key = [finding[name] for name in ("as_of_date", "check_name", "subject_type", "subject_id", "asset")]
    found: list[SourceRows] = []
    if has_table(connection, "audit", "finding_source"):
        rows = fetch(
            connection,
            "select source_table, row_key, source_file, source_row, content, rows_in_all"
            f" from (select * from audit.finding_source where {_SAME_FINDING}) as behind"
            " inner join audit.source_row using (source_table, row_key, source_file, source_row)"
            " order by source_table, position, content",
            key,
        ).values
        for table in dict.fromkeys(row[0] for row in rows):
            of_table = [row for row in rows if row[0] == table]
            found.append(SourceRows(table, _rows_of(row[:5] for row in of_table), of_table[0][5]))
    if not found and "audit.source_row" in (finding["evidence"] or ""):
        rows = fetch(
            connection,
            "select source_table, row_key, source_file, source_row, content"
            f" from ({finding['evidence']}) order by source_table, row_key, source_file, source_row, content",
        ).values
        for table in dict.fromkeys(row[0] for row in rows):
            of_table = [row for row in rows if row[0] == table]
            found.append(SourceRows(table, _rows_of(of_table[:ROWS_SHOWN]), len(of_table)))
    return found


def files_behind(
    connection: duckdb.DuckDBPyConnection, finding: Mapping[str, Any], sources: Iterable[SourceRows]
) -> list[tuple[Any, ...]]:
    """Deliveries of those rows' files: path, sha256, rows, outcome, run. A finding's subject may be a file itself."""
    files = sorted({row.file for source in sources for row in source.rows} | {finding["subject_id"]})
    return list(
        fetch(
            connection,
            "select source_file, sha256, max(rows), outcome, min_by(run_id, load_number) from audit.load"
            " where list_contains($1::varchar[], source_file) and sha256 <> ''"
            " and outcome in ('accepted', 'discarded')"
            " group by source_file, sha256, outcome order by source_file, min(load_number)",
            [files],
        ).values
    )


# as text ------------------------------------------------------------------------------------------------------------


def _place(row: SourceRow) -> str:
    name = row.file.removesuffix(".gz")
    if name.endswith(".csv"):
        return f"{row.file}, row {row.row}, line {row.row + 1}"
    return f"{row.file}, row {row.row}" + (f", line {row.row}" if name.endswith(".jsonl") else "")


def _content(text: str) -> str:
    """The row's content, without what is null."""
    try:
        values = json.loads(text)
    except ValueError:
        return text
    if not isinstance(values, dict):
        return text
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items() if value is not None)


def _short(value: Any) -> str:
    """A value of a row, an amount without trailing zeros."""
    text = str(value)
    return text.rstrip("0").rstrip(".") if re.fullmatch(r"-?\d+\.\d+", text) else text


def _record_lines(columns: Iterable[str], values: Iterable[Any]) -> list[str]:
    text = ", ".join(f"{c} {short_text(v)}" for c, v in zip(columns, values, strict=True) if v is not None)
    return wrap(text, _WIDTH, initial_indent="  - ", subsequent_indent="    ", break_on_hyphens=False)


def _finding_lines(finding: Mapping[str, Any]) -> Iterator[str]:
    about = " ".join(filter(None, (finding["subject_type"], finding["subject_id"], finding["asset"])))
    yield f"Finding of {finding['as_of_date']}: {about} ({finding['kind']}, {finding['severity']})"
    yield from wrap(finding["message"], _WIDTH, initial_indent="  ", subsequent_indent="  ")
    impact = "unpriced" if finding["impact_usd"] is None else f"{short_text(finding['impact_usd'])} USD"
    for name, value in (
        ("observed", finding["observed"]),
        ("expected", finding["expected"]),
        ("impact", impact),
        ("first seen on", finding["first_seen_on"]),
        ("known since", f"{finding['known_since']} UTC"),
        ("raised by run", finding["run_id"]),
    ):
        yield f"  {name:<14} {short_text(value)}"


def _figure_lines(figures: Figures) -> Iterator[str]:
    yield ""
    yield from wrap(f"Figures: {figures.sql}", _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    for values in figures.rows.values:
        yield from _record_lines(figures.rows.columns, values)
    if not figures.rows.values:
        yield "  no rows"
    if figures.more:
        yield f"  and {figures.more:,} more"


def _source_lines(source: SourceRows) -> Iterator[str]:
    yield ""
    shown = len(source.rows)
    order = f", the largest {shown}" if source.rows_in_all > shown else ""
    yield f"Source rows of {source.table}: {source.rows_in_all:,}{order}"
    for row in source.rows:
        yield f"  - {row.key}"
        yield f"    {_place(row)}"
        yield from wrap(_content(row.content), _WIDTH, initial_indent="    ", subsequent_indent="    ")
    if source.rows_in_all > shown:
        yield f"  and {source.rows_in_all - shown:,} more"


def trace_lines(
    connection: duckdb.DuckDBPyConnection, explanation: Explanation, finding: Mapping[str, Any]
) -> Iterator[str]:
    """A finding, the figures and the source rows behind it, and their files."""
    yield from _finding_lines(finding)
    for figures in figures_behind(connection, explanation, finding):
        yield from _figure_lines(figures)
    sources = sources_behind(connection, finding)
    for source in sources:
        yield from _source_lines(source)
    files = files_behind(connection, finding, sources)
    if not sources and not files:
        yield ""
        yield "Source rows: none are kept for this finding; the figures above are all there is"
    if files:
        yield ""
        yield "Files, with the sha256 of every delivery of them that a run judged"
        for path, sha256, rows, outcome, run_id in files:
            yield f"  {path}"
            yield f"    {sha256}  {counted(rows, 'row')}, {outcome} by run {run_id}"


def traced_lines(
    connection: duckdb.DuckDBPyConnection, explanation: Explanation, day: date, subject: str, asset: str | None
) -> Iterator[str]:
    """The trace of every finding asked for. Raises ConfigurationError if there is none."""
    found = find_findings(connection, explanation.check, day, subject, asset)
    for number, finding in enumerate(found[:_FINDINGS_SHOWN]):
        if number:
            yield "-" * _WIDTH
        yield from trace_lines(connection, explanation, finding)
    if len(found) > _FINDINGS_SHOWN:
        assets = ", ".join(str(finding["asset"]) for finding in found[_FINDINGS_SHOWN:])
        yield f"and {len(found) - _FINDINGS_SHOWN} more: give --asset to trace {assets}"
