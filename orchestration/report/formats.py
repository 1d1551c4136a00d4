"""Names of the report's formats, apart from what writes them, so that the command line starts fast."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path


class ReportFormat(StrEnum):
    """What a report is written as."""

    HTML = "html"
    JSON = "json"
    PDF = "pdf"


def format_of(out: Path) -> ReportFormat:
    """The format that a file's ending asks for; HTML for any other."""
    ending = out.suffix.lower().removeprefix(".")
    return ReportFormat(ending) if ending in set(ReportFormat) else ReportFormat.HTML
