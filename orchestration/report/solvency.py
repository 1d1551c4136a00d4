"""Writing the solvency report: a page, the same for machines, or the page printed.

What belongs here: which of them, and where it goes. What doesn't: what it says (``content``), how it looks
(``page``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from orchestration.errors import ConfigurationError
from orchestration.reading.published import published_connection
from orchestration.report.content import ReportContent, read_content
from orchestration.report.document import document_text
from orchestration.report.formats import ReportFormat, format_of
from orchestration.report.page import render
from orchestration.report.printing import printed
from orchestration.settings import WarehousePaths


def write_report(
    paths: WarehousePaths, day: date | None, out: Path, format_: ReportFormat | None = None
) -> ReportFormat:
    """Write the report of a published day, or of the latest, to ``out``; by its ending if no format is given.

    Returns the format written. Raises ConfigurationError if there is no such day or place, or nothing to print with.
    """
    chosen = format_ or format_of(out)
    with published_connection(paths) as connection:
        content = read_content(connection, day)
    written = _bytes(content, chosen)
    try:
        out.write_bytes(written)
    except OSError as error:
        raise ConfigurationError(
            f"{out} can't be written: {error.strerror}; choose another place with --out"
        ) from error
    return chosen


def _bytes(content: ReportContent, format_: ReportFormat) -> bytes:
    match format_:
        case ReportFormat.JSON:
            return document_text(content).encode()
        case ReportFormat.HTML:
            return render(content).encode()
        case ReportFormat.PDF:
            return printed(render(content))
