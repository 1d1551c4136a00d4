"""Putting names and values into SQL text safely, where parameters aren't allowed (DDL, comments, ATTACH)."""

from __future__ import annotations


def quoted(text: str) -> str:
    """Return ``text`` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return ``name`` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
