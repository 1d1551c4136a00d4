"""The least that could be done: the shared SQL on DuckDB, straight from the Parquet files."""

from __future__ import annotations

import duckdb

from orchestration.bench.speed.contenders.script import COLUMNS, COVERAGE, LIABILITY, Script


def main() -> None:
    """Compute liabilities and coverage."""
    script = Script.of_command_line()
    with duckdb.connect(str(script.out / "bare.duckdb")) as connection:
        connection.execute("set preserve_insertion_order = false")
        if script.memory_limit:
            connection.execute(f"set memory_limit = '{script.memory_limit}'")
        for table, columns in COLUMNS.items():
            connection.execute(
                f"create view {table} as select {', '.join(columns)}"
                f" from read_parquet('{script.files(table)}', hive_partitioning = false)"
            )
        with script.step("liabilities"):
            connection.execute(f"create temp table liability as {LIABILITY}")
        with script.step("coverage"):
            coverage = connection.execute(COVERAGE).fetchall()
        liability = connection.execute("select day, asset, liability from liability order by all").fetchall()
    script.finish(liability, coverage)


if __name__ == "__main__":
    main()
