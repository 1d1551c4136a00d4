"""CSV files as text: their header, and an exact account of what is structurally wrong with one.

What belongs here: reading CSV record by record in Python, for headers and for files that were refused (line numbers
and repair). What doesn't: the fast way (``sources`` has DuckDB read whole files).
"""

from __future__ import annotations

import csv
import gzip
import sys
import zlib
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, cast

from orchestration.landing.discovery import FileFormat, LandingFile
from orchestration.landing.issues import KEPT_PER_FILE, Issue, first_line

csv.field_size_limit(min(sys.maxsize, 2**31 - 1))

DAMAGED = (OSError, EOFError, zlib.error)
"""What reading a truncated or damaged compressed file raises."""

_CHUNK = 1 << 20


@contextmanager
def open_text(file: LandingFile) -> Iterator[TextIO]:
    """Open a CSV file as text; bytes that aren't UTF-8 become lone surrogates instead of an exception."""
    opener = gzip.open if file.format is FileFormat.CSV_GZ else open
    with opener(file.path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        yield cast("TextIO", stream)


def is_utf8(text: str) -> bool:
    """Whether the text came from valid UTF-8."""
    return text.isascii() or not any("\udc80" <= character <= "\udcff" for character in text)


def shown(text: str) -> str:
    """The text with bytes that aren't UTF-8 written as escapes."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def check_gzip(path: Path) -> None:
    """Read a compressed file to its end; raises one of ``DAMAGED``. DuckDB doesn't compare the checksum itself."""
    with gzip.open(path, "rb") as stream:
        while stream.read(_CHUNK):
            pass


def read_header(file: LandingFile) -> list[str]:
    """The names in the first record, lower case and without space around them; empty if there is none."""
    with open_text(file) as stream:
        names = next(csv.reader(stream, strict=True), [])
    return [name.strip().lower() for name in names]


@dataclass(slots=True)
class CsvScan:
    """What reading a file record by record gave. ``lines[n]`` is the line that data record n + 1 starts on.

    ``is_complete`` is false if a record was left out of the repaired copy.
    """

    issues: list[Issue] = field(default_factory=list)
    issue_count: int = 0
    lines: array[int] = field(default_factory=lambda: array("q"))
    is_complete: bool = True

    def add(self, issue: Issue) -> None:
        """Count an issue about a record that can't be taken, and keep it unless there are too many already."""
        self.issue_count += 1
        self.is_complete = False
        if len(self.issues) < KEPT_PER_FILE:
            self.issues.append(issue)


def scan_csv(file: LandingFile, repaired: Path) -> CsvScan:
    """Read a file record by record, and write the records that have the header's number of cells to ``repaired``.

    Blank lines aren't records. Nothing is raised for a file in whatever state: damage is an issue too.
    """
    scan = CsvScan()
    with repaired.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, lineterminator="\n")
        try:
            with open_text(file) as stream:
                _scan_records(stream, scan, writer)
        except DAMAGED as error:
            scan.add(Issue(f"file is damaged: {first_line(error)}", "a whole file"))
    return scan


def scan_lines(file: LandingFile, repaired: Path) -> CsvScan:
    """Copy a JSONL file to ``repaired`` with lines that aren't UTF-8 left blank, and every line ended the same way."""
    scan = CsvScan()
    with file.path.open("rb") as source, repaired.open("wb") as target:
        for line, content in enumerate(source, 1):
            try:
                content.decode("utf-8-sig" if line == 1 else "utf-8")
            except UnicodeDecodeError:
                scan.add(Issue("text isn't valid UTF-8", "UTF-8", line, line, value=repr(content[:200])))
                target.write(b"\n")
            else:
                target.write(content.rstrip(b"\r\n") + b"\n")
    return scan


def _scan_records(stream: TextIO, scan: CsvScan, writer: csv._writer) -> None:  # type: ignore[name-defined]
    reader = csv.reader(stream, strict=True)
    width = 0
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            scan.add(Issue(f"not valid CSV: {first_line(error)}", "cells quoted as in RFC 4180", line))
            continue
        if not record:
            continue
        problem = _structural_problem(record, width, line)
        if problem is not None:
            scan.add(problem)
            if width == 0:
                return  # Without a header no other record can be judged.
        elif width == 0:
            width = len(record)
            writer.writerow(record)
        else:
            scan.lines.append(line)
            writer.writerow(record)


def _structural_problem(record: list[str], width: int, line: int) -> Issue | None:
    value = shown(",".join(record))
    if not all(is_utf8(cell) for cell in record):
        return Issue("text isn't valid UTF-8", "UTF-8", line, value=value)
    if width and len(record) != width:
        return Issue(f"{len(record)} cells in a row of {width} columns", f"{width} cells", line, value=value)
    return None
