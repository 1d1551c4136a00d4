"""Whether tables of schema audit have the keys that they are said to have, and name rows that are there."""

from __future__ import annotations

import duckdb

from orchestration.audit import TABLES


def broken_keys(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Tables with two rows of one key."""
    found = []
    for table in TABLES:
        key = ", ".join(table.key)
        rows, keys = connection.execute(f"select count(*), count(distinct ({key})) from audit.{table.name}").fetchall()[
            0
        ]
        found += [table.name] * (rows != keys)
    return found


def dangling(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """References to a row that isn't there."""
    found = []
    for table in TABLES:
        for ours, target, theirs in table.references:
            same = " and ".join(f"a.{x} is not distinct from b.{y}" for x, y in zip(ours, theirs, strict=True))
            rows = connection.execute(
                f"select count(*) from audit.{table.name} as a where a.{ours[0]} is not null"
                f" and not exists (from audit.{target} as b where {same})"
            ).fetchall()
            found += [f"{table.name}.{' '.join(ours)}"] * (rows != [(0,)])
    return found
