"""Headlines worked out from their definitions without MetricFlow: the aggregation over the rows of each time."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb

from orchestration.headlines.definitions import Headline, headlines
from tests.support.published import mart_columns


def by_time(connection: duckdb.DuckDBPyConnection, headline: Headline) -> dict[date, Any]:
    """The headline's values by day, or by month if that is its grain."""
    rows = connection.execute(
        f"select {headline.time}, {headline.aggregation}({headline.column}) from {headline.table} group by all"
    ).fetchall()
    return dict(rows)


def missing_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Create, empty, what headlines are defined on and a test hasn't made."""
    tables = {headline.table.replace('"', "").removeprefix("marts.") for headline in headlines().values()}
    for name in sorted(tables | {"dim_asset", "dim_entity"}):
        columns = ", ".join(f"{column} {kind}" for column, kind in mart_columns(name).items())
        connection.execute(f"create table if not exists marts.{name} ({columns})")
