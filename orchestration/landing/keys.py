"""How a row is named and told from others: its bare key, and its identity.

What belongs here: the SQL text of both. What doesn't: which columns they are (the contract).
"""

from __future__ import annotations

from orchestration.contract import ColumnKind, Table


def key_text(table: Table, name: str, alias: str = "") -> str:
    """SQL for one key column as text: times in ISO 8601, null as the empty text."""
    column = f"{alias}.{name}" if alias else name
    kind = table.column(name).kind
    if kind is ColumnKind.TIMESTAMP:
        return f"coalesce(replace(cast({column} as string), ' ', 'T') || 'Z', '')"
    if kind in (ColumnKind.TEXT, ColumnKind.ENUM):
        return f"coalesce({column}, '')"
    return f"coalesce(cast({column} as string), '')"


def row_key(table: Table, alias: str = "") -> str:
    """SQL for a row's bare key: the value of a single key column, or the values of several joined by ``|``.

    The version (``recorded_at``) isn't part of it, so that all versions of one key have one name.
    """
    return " || '|' || ".join(key_text(table, name, alias) for name in table.key)


def same_identity(table: Table, left: str, right: str) -> str:
    """SQL condition that two rows have one identity; identity columns that may be null compare as equal if both are."""
    return " and ".join(
        f"{left}.{name} {'=' if table.column(name).required else 'is not distinct from'} {right}.{name}"
        for name in table.identity
    )


def identity_hash(table: Table, alias: str) -> str:
    """SQL for a hash of a row's identity: rows of different hashes have different identities, never the reverse."""
    return f"hash({', '.join(f'{alias}.{name}' for name in table.identity)})"
