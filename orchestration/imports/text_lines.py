"""Lines of a published text file, and the list of lines that couldn't be read.

What belongs here: opening, decoding, numbering, and the record of what was refused. What doesn't: any layout.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestration.errors import ConfigurationError
from orchestration.safe_text import csv_text


@dataclass(frozen=True, slots=True)
class RejectedLine:
    """Something in a file that wasn't read: where it starts, its text, and why."""

    file: str
    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class TextLine:
    """One physical line, numbered from 1; ``is_readable`` is false if it isn't UTF-8."""

    number: int
    text: str
    is_readable: bool


def read_lines(path: Path) -> list[TextLine]:
    """Read a UTF-8 file, plain or gzip, line by line; only line feeds end a line.

    Raises ConfigurationError if the file can't be opened, is empty, or is UTF-16.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigurationError(f"can't read {path}: {reason}; name a readable file") from error
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ConfigurationError(f"{path} is UTF-16; save it as UTF-8 and import that")
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise ConfigurationError(f"{path} is empty; name a file that holds data")
    return [_decoded(number, line) for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), start=1)]


def write_rejects(path: Path, rejects: Iterable[RejectedLine]) -> None:
    """Write the refused lines as CSV: file, line, text, reason; a header alone if there are none."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("file", "line", "text", "reason"))
        for reject in rejects:
            # Somebody will open it in a spreadsheet.
            writer.writerow((csv_text(reject.file), reject.line, csv_text(reject.text), csv_text(reject.reason)))


def split_cells(line: str, delimiter: str) -> list[str]:
    """Split one physical line of a delimited file; raise csv.Error if a quote isn't closed on it.

    Line by line on purpose: one stray quote would otherwise swallow the rest of the file as a single cell.
    """
    rows = list(csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True))
    return [cell.strip() for cell in rows[0]] if rows else []


def column_name(cell: str) -> str:
    """A header's cell in one spelling: lower case, words joined by underscores."""
    return "_".join(cell.strip().strip('"').lower().replace("-", " ").replace("_", " ").split())


def find_columns(cells: Sequence[str], spellings: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """Positions of the columns found in a header, by the first spelling of each that occurs."""
    names = [column_name(cell) for cell in cells]
    found: dict[str, int] = {}
    for column, accepted in spellings.items():
        position = next((names.index(spelling) for spelling in accepted if spelling in names), None)
        if position is not None:
            found[column] = position
    return found


def _decoded(number: int, line: bytes) -> TextLine:
    line = line.removesuffix(b"\r")
    try:
        return TextLine(number, line.decode("utf-8"), "\x00" not in line.decode("utf-8"))
    except UnicodeDecodeError:
        return TextLine(number, line.decode("utf-8", errors="backslashreplace"), False)
