"""One-row tables of schema ``policy`` that the models read as constants.

What belongs here: writing such a table with the macros that stand for its values. What doesn't: what the values are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from orchestration.sql import quoted


def write_constants(
    connection: duckdb.DuckDBPyConnection, table: str, types: Mapping[str, str], values: Sequence[object]
) -> None:
    """Write ``policy.<table>``, one row, and for each column a macro ``policy.<table>_<column>()``.

    The macros stand for the value itself: compared with a sub-query's result, the database could neither estimate how
    many rows are left of a table nor skip blocks of it.
    """
    columns = ", ".join(f"{name} {type_}" for name, type_ in types.items())
    connection.execute(f"create or replace table policy.{table} ({columns})")
    places = ", ".join("?" for _ in types)
    connection.execute(f"insert into policy.{table} values ({places})", list(values))
    for (name, type_), value in zip(types.items(), values, strict=True):
        literal = "null" if value is None else quoted(str(value))
        connection.execute(f"create or replace macro policy.{table}_{name}() as cast({literal} as {type_})")
