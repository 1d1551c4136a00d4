"""What a comment on a table or column of the published file must say.

A table's comment has its grain (``Grain: one row per ...``) and what adds up over what (``Additive: ...``, be it
nothing); a number's has its unit and its sign.
"""

from __future__ import annotations

import re

import duckdb

from orchestration.sql import identifier

SCHEMAS = "('marts', 'audit')"
UNIT = re.compile(
    r"\b(USD|units|fraction|per cent|hours|days|in the unit of|count|counted from 1|bytes|nanoseconds|code)\b"
)
SIGN = re.compile(r"\b(zero or more|above zero|zero or less|below zero|signed|counted from 1|code)\b")
WHOLE = r"(u?(tiny|small|big|huge)int|u?integer)"
NUMBER = re.compile(rf"decimal.*|double|float|{WHOLE}", re.IGNORECASE)
NEVER = {"zero or more": "< 0", "above zero": "<= 0", "zero or less": "> 0"}
"""What a sign says that no value does."""


def undocumented(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """What is missing in the comments of schemas marts and audit, a line each."""
    tables = connection.execute(
        f"select schema_name || '.' || table_name, comment from duckdb_tables() where schema_name in {SCHEMAS}"
        f" union all select schema_name || '.' || view_name, comment from duckdb_views() where schema_name in {SCHEMAS}"
        " order by all"
    ).fetchall()
    assert tables
    missing = []
    for table, comment in tables:
        for part in ("Grain: ", "Additive: "):
            if part not in (comment or ""):
                missing.append(f"{table} doesn't say '{part}'")
        if comment and comment != comment.strip():
            missing.append(f"the comment on {table} begins or ends with a blank")
    for column, type_, comment in _columns(connection):
        if not comment:
            missing.append(f"{column} has no comment")
        elif NUMBER.fullmatch(type_):
            missing += [f"{column} has no unit: {comment}"] * (not UNIT.search(comment))
            missing += [f"{column} has no sign: {comment}"] * (not SIGN.search(comment))
    return missing


def contradicted_signs(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Columns that hold a value which their comment says they don't."""
    checks = [
        f"select {column!r} where exists (from {place} where {identifier(name)} {NEVER[sign[0]]})"
        for column, _, comment in _columns(connection)
        for place, _, name in [column.rpartition(".")]
        if (sign := SIGN.search(comment or "")) and sign[0] in NEVER
    ]
    return [column for (column,) in connection.execute(" union all ".join(checks)).fetchall()]


def _columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str | None]]:
    return connection.execute(
        "select schema_name || '.' || table_name || '.' || column_name, data_type, comment from duckdb_columns()"
        f" where schema_name in {SCHEMAS} and not internal order by all"
    ).fetchall()
