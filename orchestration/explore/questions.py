"""How a question is put to the published file: its text and values, a first part of the answer, and how much more.

What belongs here: asking. What doesn't: which questions there are (``solvency``, ``holders``, ``tracing``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from orchestration.reading.published import QueryError, Rows, first_line

ROWS_SHOWN = 200
"""So many rows of an answer are on a page."""

DAYS_SHOWN = 1_000
"""So many days of what is also drawn."""

ROWS_DOWNLOADED = 500_000
"""So many rows of an answer are in a downloaded file."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """One select with its order and without a limit; ``parameters`` by the names of their marks (``$day``)."""

    sql: str
    parameters: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """The first rows of an answer, and how many there are in all."""

    rows: Rows
    rows_in_all: int

    def all_rows(self) -> list[Row]:
        """The rows that are here by the names of their columns."""
        return [self.row(number) for number in range(len(self.rows.values))]

    def row(self, number: int) -> Row:
        """A row by the names of its columns."""
        return dict(zip(self.rows.columns, self.rows.values[number], strict=True))


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise QueryError(f"the published file can't answer: {first_line(error)}") from error


def _limited(question: Question, limit: int) -> str:
    # On lines of their own: a comment at the end of an evidence query would swallow them.
    return f"from (\n{question.sql}\n) limit {limit}"


def ask(cursor: duckdb.DuckDBPyConnection, question: Question, limit: int = ROWS_SHOWN) -> Answer:
    """The first rows of the answer, and a count of all if there are more. Raises QueryError if it can't be had."""
    parameters = dict(question.parameters or {})
    with _answering():
        found = cursor.execute(_limited(question, limit + 1), parameters)
        columns = tuple(column[0] for column in found.description or ())
        values = tuple(found.fetchall())
        if len(values) <= limit:
            return Answer(Rows(columns, values), len(values))
        (number,) = cursor.execute(f"select count(*) from (\n{question.sql}\n)", parameters).fetchall()[0]
    return Answer(Rows(columns, values[:limit]), int(number))


def ask_for_one(cursor: duckdb.DuckDBPyConnection, question: Question) -> Row | None:
    """The first row of the answer, if there is one."""
    answer = ask(cursor, question, limit=1)
    return answer.row(0) if answer.rows.values else None


def ask_for_all(cursor: duckdb.DuckDBPyConnection, question: Question) -> list[Row]:
    """Every row of an answer that is short by nature: one a day, one an affiliate, one a check."""
    return ask(cursor, question, ROWS_DOWNLOADED).all_rows()


def ask_for_table(cursor: duckdb.DuckDBPyConnection, question: Question) -> pa.Table:
    """As much of the answer as a file holds, with the types of the database: decimals stay exact."""
    with _answering():
        sql = _limited(question, ROWS_DOWNLOADED)
        return cursor.sql(sql, params=dict(question.parameters or {})).to_arrow_table()
