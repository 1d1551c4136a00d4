"""DuckDB and Spark come to the same marts and findings, row by row and to the last place."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.spark.comparison import differences, written_by_spark

WITHOUT_ROWS = {
    "intermediate.int_plan__new_entry",
    "intermediate.int_plan__new_transfer",
    "intermediate.int_plan__touched_balance",
    "intermediate.int_plan__touched_entry",
    "intermediate.int_plan__touched_flow",
}
"""What a whole build has nothing to do with."""


def test_both_engines_hold_the_same_rows(built: duckdb.DuckDBPyConnection, folder: Path, relation: str) -> None:
    schema, name = relation.split(".")
    assert (built.sql(f"select count(*) > 0 from {relation}").fetchall()[0][0]) is (relation not in WITHOUT_ROWS)
    assert differences(built, relation, written_by_spark(folder / "spark", schema, name)) == []


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
