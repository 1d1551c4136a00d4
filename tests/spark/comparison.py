"""Whether what Spark wrote is what DuckDB holds: names, types, and every row with all its decimals.

What belongs here: comparing two relations in DuckDB, which reads Spark's files itself. What doesn't: which ones.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

_ENGINES_DIFFER = {"HUGEINT": "DECIMAL(38,0)"}
"""Types that Spark lacks, and what stands for them; see macro wide_integer_type."""


def columns_of(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    """Names and types of a relation's columns in order."""
    return [(row[0], row[1]) for row in connection.execute(f"describe select * from {relation}").fetchall()]


def differences(connection: duckdb.DuckDBPyConnection, expected: str, actual: str) -> list[str]:
    """How the rows of ``actual`` differ from those of ``expected``, in lines; none if they don't."""
    wanted = [(name, _ENGINES_DIFFER.get(type_, type_)) for name, type_ in columns_of(connection, expected)]
    found = columns_of(connection, actual)
    if wanted != found:
        return [f"columns {wanted} are {found}"]
    lines = []
    for sign, these, those in (("-", expected, actual), ("+", actual, expected)):
        rows = connection.execute(
            f"from (select * from {these} except all select * from {those}) order by all limit 5"
        ).fetchall()
        lines += [f"{sign} {row}" for row in rows]
    return lines


def written_by_spark(folder: Path, schema: str, name: str) -> str:
    """A table of Spark's warehouse folder as a relation for DuckDB."""
    return f"read_parquet('{folder}/{schema}.db/{name}/*.parquet')"
