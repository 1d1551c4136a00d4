"""Dotted paths into JSON: where rows are and what stands in them.

What belongs here: walking. What doesn't: what the values mean.

``accounts.assets`` walks objects by name and every element of lists; an object at the end is a row for each of its
names. In a row, ``amounts.total`` is a value below it, ``^id`` one in the list element around it (``^^id`` around
that), ``@key`` and ``@value`` the name and value of a row that is a pair, ``=CUSTODY-1`` that very text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator

from orchestration.connectors.errors import AnswerError

_ROWS = re.compile(r"(?:[^.^@=\s][^.]*(?:\.[^.]+)*)?")
_VALUE = re.compile(r"=.+|(?:\^*|@)[^.^@=\s][^.]*(?:\.[^.]+)*")


def _rows_path(text: str) -> str:
    if not _ROWS.fullmatch(text):
        raise ValueError("it must be names with dots between them, data.items say, or empty for the answer itself")
    return text


def _value_path(text: str) -> str:
    if not _VALUE.fullmatch(text):
        raise ValueError("it must be names with dots between them, with ^ before it for what is around, or =text")
    return text


RowsPath = Annotated[str, AfterValidator(_rows_path)]
ValuePath = Annotated[str, AfterValidator(_value_path)]


@dataclass(frozen=True)
class Row:
    """One row, and the list elements that it lies in, the nearest last. Rows of one content look the same."""

    content: Any
    around: tuple[Any, ...]
    place: str = field(repr=False)

    def value(self, path: str) -> Any:
        """What stands at a path; raise AnswerError if there is nothing."""
        if path.startswith("="):
            return path[1:]
        ups = len(path) - len(path.lstrip("^"))
        if ups > len(self.around):
            raise AnswerError(f"{self.place}: {path} leads out of the answer", "mend columns")
        start = self.around[-ups] if ups else self.content
        return value_at(start, path[ups:], self.place)


def value_at(content: Any, path: str, place: str) -> Any:
    """The value below an object; raise AnswerError, naming what is missing, if there is none."""
    for name in path.split("."):
        if not isinstance(content, dict) or name not in content:
            raise AnswerError(f"{place} has no {name} (of {path})", "mend the path, or see what answers there")
        content = content[name]
    return content


def rows_at(answer: Any, path: str, place: str) -> list[Row]:
    """All rows; raise AnswerError if a path leads nowhere or to what is no list and no object."""
    names = path.split(".") if path else []
    return list(_walked(answer, names, (), place, path))


def _walked(content: Any, names: list[str], around: tuple[Any, ...], place: str, path: str) -> Iterator[Row]:
    if isinstance(content, list):
        for number, element in enumerate(content, start=1):
            within = f"{place}, {number}"
            if names:
                yield from _walked(element, names, (*around, element), within, path)
            else:
                yield Row(element, around, within)
        return
    if not isinstance(content, dict):
        raise AnswerError(f"{place} has neither list nor object at {path or 'its root'}", "mend rows")
    if not names:
        for key, value in content.items():
            yield Row({"@key": key, "@value": value}, around, f"{place}, {key[:60]}")
        return
    inner = value_at(content, names[0], place)
    yield from _walked(inner, names[1:], around, place, path)
