"""DuckDB and Spark come to the same marts, findings and evidence, row by row and to the last place."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from orchestration.settings import DBT_PROJECT
from tests.spark.comparison import differences, written_by_spark
from tests.spark.exchange import INTEGRITY_CHECKS

MODELS = DBT_PROJECT / "models"
RELATIONS = sorted(
    (schema, path.stem)
    for schema in ("intermediate", "marts", "findings", "evidence")
    for path in (MODELS / schema).rglob("*.sql")
    if path.stem not in INTEGRITY_CHECKS
)
WITHOUT_ROWS = {
    "int_plan__new_entry",
    "int_plan__new_transfer",
    "int_plan__touched_balance",
    "int_plan__touched_entry",
    "int_plan__touched_flow",
}
"""What a whole build has nothing to do with."""


@pytest.mark.parametrize(("schema", "name"), RELATIONS)
def test_both_engines_hold_the_same_rows(
    built: duckdb.DuckDBPyConnection, folder: Path, schema: str, name: str
) -> None:
    expected = f"{schema}.{name}"
    assert (built.sql(f"select count(*) > 0 from {expected}").fetchall()[0][0]) is (name not in WITHOUT_ROWS)
    assert differences(built, expected, written_by_spark(folder / "spark", schema, name)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "(select * replace (cast(gap + 0.000000000000000001 as decimal(38, 18)) as gap) from {})",
        "(from {} limit 7)",
        "(from {} union all (from {} limit 1))",
        "(select * replace (cast(gap_usd as decimal(38, 9)) as gap_usd) from {})",
        "(select * exclude (gap) from {})",
        "(select * replace (nullif(coverage_ratio, coverage_ratio) as coverage_ratio) from {})",
    ],
)
def test_a_difference_would_be_seen(built: duckdb.DuckDBPyConnection, folder: Path, wrong: str) -> None:
    actual = written_by_spark(folder / "spark", "marts", "fct_reserve_coverage_daily")
    assert differences(built, "marts.fct_reserve_coverage_daily", actual) == []
    assert differences(built, "marts.fct_reserve_coverage_daily", wrong.replace("{}", actual)) != []
