"""The pipeline against the independent re-computation, row by row and finding by finding, on random landing zones.

What belongs here: running the real command and comparing. What doesn't: formulas (tests/oracle) and the zones
(random_exchange). A seed that ever failed is a permanent reproduction: ``write_random_landing_zone(seed, folder)``.
RINGFENCE_ORACLE_SEEDS sets how many seeds are tried, RINGFENCE_ORACLE_FIRST_SEED where they begin.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.end_to_end.random_exchange import RandomExchange, write_random_landing_zone
from tests.oracle.compare import KEYS, compare_findings, compare_mart
from tests.oracle.exchange import read_exchange
from tests.oracle.findings import Finding, findings
from tests.oracle.marts import marts

SEEDS = int(os.environ.get("RINGFENCE_ORACLE_SEEDS", "2"))
FIRST_SEED = int(os.environ.get("RINGFENCE_ORACLE_FIRST_SEED", "1"))
SHOWN = 60
PUBLISHED = (0, 3)


@dataclass(frozen=True)
class Published:
    """A published warehouse."""

    path: Path

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query as dicts; decimals stay Decimal."""
        with duckdb.connect(str(self.path / "ringfence.duckdb"), read_only=True) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def findings(self) -> set[Finding]:
        """Published findings without those of integrity."""
        rows = self.rows(
            "select check_name, as_of_date, subject_id, asset from audit.finding"
            " where kind in ('reconciliation', 'breach')"
        )
        return {Finding(row["check_name"], row["as_of_date"], row["subject_id"], row["asset"] or "") for row in rows}

    def mart(self, name: str) -> list[dict[str, Any]]:
        """All rows of a mart."""
        return self.rows(f"select * from marts.{name}")


def run(landing: Path, warehouse: Path, first: date, last: date) -> Published:
    """Run the command as a user would; it must publish."""
    command = [
        sys.executable,
        "-m",
        "orchestration.cli",
        "run",
        "--landing",
        str(landing),
        "--warehouse",
        str(warehouse),
    ]
    result = subprocess.run(
        [*command, "--from", first.isoformat(), "--to", last.isoformat()], capture_output=True, text=True, check=False
    )
    assert result.returncode in PUBLISHED, f"exit {result.returncode}\n{result.stdout[-3000:]}\n{result.stderr[-3000:]}"
    return Published(warehouse)


def differences(landing: Path, last: date, published: Published) -> list[str]:
    """Everything that the warehouse and the oracle say differently."""
    exchange = read_exchange(landing, last)
    expected = marts(exchange)
    lines = [line for name in KEYS for line in compare_mart(name, expected[name], published.mart(name))]
    return lines + compare_findings(findings(exchange), published.findings())


def zone(seed: int, folder: Path) -> RandomExchange:
    """The seed's landing zone under ``folder``."""
    return write_random_landing_zone(seed, folder / "landing")


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_marts_and_findings_equal_the_recomputation(seed: int, tmp_path: Path) -> None:
    exchange = zone(seed, tmp_path)
    published = run(tmp_path / "landing", tmp_path / "warehouse", exchange.first, exchange.last)
    lines = differences(tmp_path / "landing", exchange.last, published)
    assert not lines, f"seed {seed}: {len(lines)} differences\n" + "\n".join(lines[:SHOWN])


def all_marts(published: Published) -> dict[str, list[str]]:
    """Every table of schema marts as sorted text, so that order doesn't matter."""
    names = [
        row["table_name"]
        for row in published.rows("select table_name from duckdb_tables() where schema_name = 'marts' order by all")
    ]
    return {name: sorted(str(sorted(row.items())) for row in published.mart(name)) for name in names}


def all_findings(published: Published) -> list[str]:
    """Every finding with all that it says, but not the run that said it."""
    return sorted(str(sorted(row.items())) for row in published.rows("select * exclude (run_id) from audit.finding"))


def test_a_range_leaves_what_daily_runs_leave(tmp_path: Path) -> None:
    exchange = zone(7, tmp_path)
    landing, first, last = tmp_path / "landing", exchange.first, exchange.last
    whole = run(landing, tmp_path / "range", first, last)
    daily = Published(tmp_path / "daily")
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        daily = run(landing, tmp_path / "daily", day, day)
    expected, actual = all_marts(whole), all_marts(daily)
    assert expected.keys() == actual.keys()
    for name, rows in expected.items():
        assert rows == actual[name], name
    assert all_findings(whole) == all_findings(daily)
