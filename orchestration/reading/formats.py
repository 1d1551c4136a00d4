"""Names of the output formats, apart from what writes them, so that the command line starts fast."""

from __future__ import annotations

from enum import StrEnum


class OutputFormat(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class QueryFormat(StrEnum):
    """How the result of a query is printed, or written to a file."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    PARQUET = "parquet"
