"""Simulated landing zones made once per test session, and plain SQL views over their files."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import duckdb

from orchestration import contract
from orchestration.simulate import SimulationSummary, simulate

_ROOT = tempfile.TemporaryDirectory(prefix="ringfence-simulate-")


@cache
def landing(scenario: str, days: int, accounts: int, seed: int) -> SimulationSummary:
    """A landing zone of that scenario; the same arguments share one folder."""
    folder = Path(_ROOT.name) / f"{scenario}-{days}-{accounts}-{seed}"
    return simulate(scenario, folder, days=days, accounts=accounts, seed=seed)


def truth(summary: SimulationSummary) -> dict[str, Any]:
    """The content of truth.json."""
    content: dict[str, Any] = json.loads(summary.truth.read_text(encoding="utf-8"))
    return content


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Books:
    """DuckDB views named like the contract's tables; repeated deliveries of ledger and transfers count once."""

    def __init__(self, folder: Path) -> None:
        self.connection = duckdb.connect()
        for table in contract.TABLES:
            pattern = folder / table.name / ("*/*.parquet" if table.dated else "*.parquet")
            self.connection.execute(
                f"create view {table.name} as select distinct {', '.join(table.column_names)} "
                f"from read_parquet('{pattern}', hive_partitioning = false)"
            )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(query).fetchall()


@cache
def books(scenario: str, days: int, accounts: int, seed: int) -> Books:
    """Views over a landing zone of that scenario."""
    return Books(landing(scenario, days, accounts, seed).folder)
