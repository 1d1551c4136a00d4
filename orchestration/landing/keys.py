"""How a row is named: the bare key that findings, evidence and people use for it.

What belongs here: the SQL text of a row's key. What doesn't: which columns are the key (the contract).
"""

from __future__ import annotations

from orchestration.contract import ColumnKind, Table


def key_text(table: Table, name: str, alias: str = "") -> str:
    """SQL for one key column as text: times in ISO 8601, null as the empty text."""
    column = f"{alias}.{name}" if alias else name
    kind = table.column(name).kind
    if kind is ColumnKind.TIMESTAMP:
        return f"coalesce(replace(cast({column} as varchar), ' ', 'T') || 'Z', '')"
    if kind in (ColumnKind.TEXT, ColumnKind.ENUM):
        return f"coalesce({column}, '')"
    return f"coalesce(cast({column} as varchar), '')"


def row_key(table: Table, alias: str = "") -> str:
    """SQL for a row's bare key: the value of a single key column, or the values of several joined by ``|``.

    The version (``recorded_at``) isn't part of it, so that all versions of one key have one name.
    """
    return " || '|' || ".join(key_text(table, name, alias) for name in table.key)
