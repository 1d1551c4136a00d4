"""Results as people and programs want them: a table, Markdown, JSON or CSV. Amounts are exact text in each of them.

Values come from outside. In a table, control characters are spelled out; in Markdown, what would be markup too; in JSON
they are escaped; in CSV, texts that a spreadsheet would take for a formula begin with an apostrophe
(``safe_text.csv_text``), numbers stay numbers.
"""

from __future__ import annotations

import csv
import json
import math
import re
import sys
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TextIO

from orchestration.reading.formats import OutputFormat
from orchestration.reading.published import Rows
from orchestration.reading.tables import exact_text, is_number, short_text, write_table
from orchestration.safe_text import csv_text, escaped_in_json, printable

_MARKDOWN = re.compile(r"[\\`*\[\]<>|~&#$!]|(?<![a-z0-9])_|_(?![a-z0-9])", re.IGNORECASE)


def counted(number: int, noun: str) -> str:
    """A number of things in words: 1 finding, 2,000 findings."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def plain(value: Any) -> Any:
    """A value as JSON can hold it without loss."""
    if isinstance(value, Decimal):
        return exact_text(value)
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _write_json(rows: Rows, stream: TextIO) -> None:
    objects = [dict(zip(rows.columns, map(plain, values), strict=True)) for values in rows.values]
    text = json.dumps(objects, indent=2, ensure_ascii=False)
    # Outside of strings JSON has no control character but line breaks.
    stream.write(escaped_in_json(text) + "\n")


def _write_csv(rows: Rows, stream: TextIO) -> None:
    writer = csv.writer(_Lines(stream), lineterminator="\r\n")
    writer.writerow(map(csv_text, rows.columns))
    for values in rows.values:
        writer.writerow([_csv_cell(plain(value)) for value in values])


class _Lines:
    """Lines that end in a line feed alone, written by a writer who thus quotes a carriage return in a cell too."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, line: str) -> None:
        self.stream.write(line.removesuffix("\r\n") + "\n")


def _csv_cell(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value
    return csv_text(text) if isinstance(text, str) else text


def _write_markdown(rows: Rows, stream: TextIO, null: str) -> None:
    columns = range(len(rows.columns))
    numeric = [any(is_number(values[n]) for values in rows.values) for n in columns]
    lines = [
        map(_markdown_cell, rows.columns),
        ("---:" if is_right else "---" for is_right in numeric),
        *((null if value is None else _markdown_cell(short_text(value)) for value in values) for values in rows.values),
    ]
    stream.writelines(f"| {' | '.join(cells)} |\n" for cells in lines)


def _markdown_cell(text: str) -> str:
    """A text that is shown as it is: no link, no markup, no line break, whoever wrote it."""
    return _MARKDOWN.sub(r"\\\g<0>", printable(text)).replace("\t", " ").replace("\n", "<br>")


def write_rows(rows: Rows, format_: OutputFormat, stream: TextIO | None = None, *, null: str = "") -> None:
    """Print a result to standard output, or to ``stream``; ``null`` stands for null where people read."""
    target = sys.stdout if stream is None else stream
    match format_:
        case OutputFormat.JSON:
            _write_json(rows, target)
        case OutputFormat.CSV:
            _write_csv(rows, target)
        case OutputFormat.MARKDOWN:
            _write_markdown(rows, target, null)
        case OutputFormat.TABLE:
            write_table(rows, target, null=null)
