"""Where SQL statements end in what was typed.

What belongs here: quotes, comments and semicolons. What doesn't: whether a statement is right; DuckDB says that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    [eE]'(?:[^'\\]|\\.|'')*(?P<open_escape>'?)     # e'it\'s'
    | '(?:[^']|'')*(?P<open_text>'?)
    | "(?:[^"]|"")*(?P<open_name>"?)
    | --[^\n]*
    | /\*.*?(?P<open_comment>\*/|\Z)
    | \$(?P<tag>\w*)\$.*?(?P<open_dollar>\$(?P=tag)\$|\Z)
    | (?P<end>;)
    | [^'"$;/eE-]+
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Cut:
    """Whole statements without their semicolons, each with the line it begins in, and what hasn't ended."""

    statements: tuple[tuple[int, str], ...]
    rest: str


def cut(text: str) -> Cut:
    """Cut text at the semicolons that end statements: none in a text, a quoted name or a comment does."""
    statements: list[tuple[int, str]] = []
    start = 0
    for token in _TOKEN.finditer(text):
        if token["end"]:
            _add(statements, text, start, token.start())
            start = token.end()
    rest = text[start:]
    return Cut(tuple(statements), rest if _COMMENTS.sub("", rest).strip() else "")


def _add(statements: list[tuple[int, str]], text: str, start: int, end: int) -> None:
    statement = text[start:end]
    if _COMMENTS.sub("", statement).strip():
        blank = len(statement) - len(statement.lstrip())
        statements.append((text.count("\n", 0, start + blank) + 1, statement.strip()))
