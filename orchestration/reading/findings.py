"""The standing findings, as ``ringfence findings`` lists them."""

from __future__ import annotations

from datetime import date

import duckdb

from orchestration.reading.published import Rows, fetch

SHOWN_IN_TABLE = 200
_ORDER = "severity, as_of_date, impact_usd desc nulls last, check_name, subject_type, subject_id, asset nulls first"


def all_findings(connection: duckdb.DuckDBPyConnection, day: date | None) -> Rows:
    """Every column of the findings that stand, of one day or of all, critical ones first."""
    return fetch(
        connection,
        f"select * from audit.finding where $1::date is null or as_of_date = $1::date order by {_ORDER}",
        [day],
    )


def readable_findings(connection: duckdb.DuckDBPyConnection, day: date | None) -> tuple[Rows, int]:
    """The first findings in the columns that people look at, and how many there are in all."""
    rows = fetch(
        connection,
        f"""
        select
            as_of_date as date,
            severity,
            check_name as "check",
            subject_id as subject,
            asset,
            format('{{:t,}}', round(impact_usd)::bigint) as usd,
            message
        from audit.finding
        where $1::date is null or as_of_date = $1::date
        order by {_ORDER}
        limit {SHOWN_IN_TABLE}
        """,
        [day],
    )
    total = fetch(
        connection, "select count(*) from audit.finding where $1::date is null or as_of_date = $1::date", [day]
    )
    return rows, int(total.values[0][0])
