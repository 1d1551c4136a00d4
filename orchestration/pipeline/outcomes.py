"""Reading back what the gates of the run under way recorded."""

from __future__ import annotations

from expectations.rules import RuleOutcome
from orchestration.pipeline.run import read_context
from orchestration.settings import WarehousePaths
from orchestration.warehouse.build_file import build_connection


def recorded_outcomes(paths: WarehousePaths, *, stage: str) -> list[RuleOutcome]:
    """Results of this run's rules in that stage, as ``audit.check_result`` holds them."""
    with build_connection(paths.build_file) as connection:
        rows = connection.execute(
            "select stage, check_name, subject, kind, severity, success, is_error, rows_checked, unexpected, observed"
            " from audit.check_result where run_id = ? and stage = ? order by all",
            [read_context(connection).run_id, stage],
        ).fetchall()
    return [RuleOutcome(*row) for row in rows]
