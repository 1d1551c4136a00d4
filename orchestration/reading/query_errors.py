"""Why a query can't be run, in one line: what is wrong, where in the SQL, and which names are close.

What belongs here: reading DuckDB's messages. What doesn't: running queries (``published``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import duckdb

_PLACE = re.compile(r"^LINE (\d+): (.*)\n( *)\^", re.MULTILINE)
_CANDIDATES = re.compile(r"^(?:Candidate bindings|Did you mean)\b(.*)$", re.MULTILINE)
_NAME = re.compile(r'"([^"]+)"')
_MISSING = re.compile(r'\bname "?([\w.]+)"? does not exist')
_CLOSE = 0.6
_SHOWN = 3


def explained(error: duckdb.Error, sql: str, tables: Sequence[str] = ()) -> str:
    """DuckDB's message on one line, with the place in the SQL and names that are close to a wrong one.

    The SQL was run without blanks before it, after which DuckDB counts wrongly. ``tables`` are those that there are,
    with their schemas.
    """
    text = str(error).strip()
    said = text.splitlines()[0].rstrip("!. ") if text else type(error).__name__
    parts = [said + _place(text, sql)]
    if close := _close_names(text, said, tables):
        parts.append(f"did you mean {' or '.join(close)}?")
    elif isinstance(error, duckdb.CatalogException) and said.startswith("Catalog Error: Table"):
        parts.append('"show all tables" lists what there is')
    elif isinstance(error, duckdb.PermissionException):
        parts.append("a query reads what is published in the warehouse, and nothing else")
    return "; ".join(parts)


def close_to(wrong: str, names: Sequence[str]) -> list[str]:
    """Names that could be meant by a wrong one, the closest first."""
    return get_close_matches(wrong, dict.fromkeys(names), n=_SHOWN, cutoff=_CLOSE)


def _place(text: str, sql: str) -> str:
    found = _PLACE.search(text)
    if found is None:
        return ""
    number, shown = int(found[1]), found[2]
    at = len(found[3]) - len(f"LINE {number}: ")
    # DuckDB shows a long line in part, between dots, and doesn't always count the lines before the first word.
    part = shown.strip(".").strip()
    blanks = sql[: len(sql) - len(sql.lstrip())].split("\n")
    for line, content in enumerate(sql.lstrip().split("\n"), start=1):
        if line >= number and part and part in content:
            column = content.find(part) + at - shown.find(part) + 1 + (len(blanks[-1]) if line == 1 else 0)
            return f", at line {line + len(blanks) - 1}, column {column}"
    return ""


def _close_names(text: str, said: str, tables: Sequence[str]) -> list[str]:
    """Those of DuckDB's suggestions, and of the tables, that could be meant by the name that isn't there."""
    if not re.search(r"not found|does not (have|exist)", said):
        return []
    missing = [name for name in (*_NAME.findall(said), *_MISSING.findall(said)) if name]
    if not missing:
        return []
    suggested = [name for line in _CANDIDATES.findall(text) for name in _NAME.findall(line)]
    if said.startswith("Catalog Error: Table"):
        suggested = [*tables, *(table.partition(".")[2] for table in tables)]
        missing = [name.partition(".")[2] or name for name in missing]
    wrong = missing[-1] if said.startswith("Binder Error") else missing[0]
    names = close_to(wrong, suggested)
    qualified = {table.partition(".")[2]: table for table in tables}
    if wrong in qualified:
        return [qualified[wrong]]
    return list(dict.fromkeys(qualified.get(name) or name for name in names))
