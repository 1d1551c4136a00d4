"""Reading the landing zone into the build file: discover, load into ``incoming``, accept into ``raw`` or discard.

Plain Python over DuckDB, no Dagster. The order of a run: ``create_schemas``; ``load_table`` for every table of the
contract; the integrity models of dbt; ``collect_source_rows``; then ``accept`` or, after a critical
finding, ``discard``. A process killed at any point leaves a build file on which the next run just works.
"""

from __future__ import annotations

from orchestration.landing.acceptance import accept, discard
from orchestration.landing.changes import changed_partitions
from orchestration.landing.discovery import Discovery, discover, unknown_folders
from orchestration.landing.evidence import (
    collect_finding_sources,
    collect_restatement_sources,
    collect_source_rows,
)
from orchestration.landing.loading import TableLoad, load_table, record_notices
from orchestration.landing.schemas import create_schemas

__all__ = [
    "Discovery",
    "TableLoad",
    "accept",
    "changed_partitions",
    "collect_finding_sources",
    "collect_restatement_sources",
    "collect_source_rows",
    "create_schemas",
    "discard",
    "discover",
    "load_table",
    "record_notices",
    "unknown_folders",
]
