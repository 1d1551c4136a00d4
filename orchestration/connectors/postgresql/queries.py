"""A table's mapping as SQL: what is selected, of which type it is, and which rows belong to a day.

What belongs here: SQL text, and refusing types that the contract's column can't take exactly. What doesn't: running it.

Every value leaves the server as text, a whole number or a time, numerics as their exact text: no number becomes a
binary float on the way, and a column that is one already is refused. Identifiers are quoted as written, so upper and
lower case count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.connectors.errors import AnswerError
from orchestration.connectors.postgresql.configuration import Epoch, Expression, TableMapping
from orchestration.contract import Column, ColumnKind, Table
from orchestration.errors import ConfigurationError
from orchestration.sql import identifier, quoted

_PART = re.compile(r'"(?:[^"]|"")+"|[^".]+')
_WHOLE = frozenset({"int2", "int4", "int8"})
_EXACT = _WHOLE | {"numeric", "money"}
_FLOATS = frozenset({"float4", "float8"})
_TEXTS = frozenset({"text", "varchar", "bpchar", "name", "citext"})
_TIMES = frozenset({"timestamptz", "timestamp", "date"})
_NO_TEXTS = _FLOATS | _TIMES | {"bytea", "money", "interval", "time", "timetz", "record"}
_STILL = frozenset({"valid_to", "closed_at"})
"""Ends that may be open: the time ``infinity`` says there what the contract says by null."""

_PER_SECOND: dict[Epoch, int] = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
_CURSOR = "the cursor"


@dataclass(frozen=True, slots=True)
class Selected:
    """One column of the contract as it is asked for. ``is_epoch``: it comes as microseconds since 1970."""

    name: str
    sql: str
    values: Mapping[str, str]
    is_epoch: bool = False


@dataclass(frozen=True, slots=True)
class Cursor:
    """The time by which rows belong to days, ``sql`` of type ``type_``; without a zone it is of ``zone``."""

    sql: str
    type_: str
    zone: str
    epoch: Epoch | None

    def literal(self, moment: datetime) -> str:
        """SQL of a moment in UTC, whole seconds, as the cursor's type: comparisons with it can use an index."""
        if self.epoch is not None:
            return str(int((moment - datetime(1970, 1, 1)).total_seconds()) * _PER_SECOND[self.epoch])
        if self.type_ == "date":
            return f"date '{moment.date()}'"
        if self.type_ == "timestamptz":
            return _moment(moment)
        return f"timestamp '{moment}'" if self.zone == "UTC" else f"({_moment(moment)} at time zone '{self.zone}')"

    @property
    def day(self) -> str:
        """SQL of the day in UTC that a row belongs to."""
        if self.epoch is not None:
            return f"(date '1970-01-01' + div(({self.sql})::numeric, {86_400 * _PER_SECOND[self.epoch]})::integer)"
        if self.type_ == "date":
            return f"({self.sql})"
        if self.type_ == "timestamptz":
            return f"(({self.sql}) at time zone 'UTC')::date"
        if self.zone == "UTC":
            return f"({self.sql})::date"
        return f"(({self.sql}) at time zone '{self.zone}' at time zone 'UTC')::date"


def _moment(moment: datetime) -> str:
    return f"timestamptz '{moment}+00'"


class Relation:
    """Where a table's rows come from, on one day; types aren't known yet."""

    def __init__(self, table: Table, mapping: TableMapping, since: datetime) -> None:
        """``since`` is the first moment of the day, in UTC."""
        self.table, self.mapping, self.since, self.until = table, mapping, since, since + timedelta(days=1)

    @property
    def place(self) -> str:
        """What errors name: the contract's table and where it comes from."""
        return f"{self.table.name} ({self.mapping.relation or 'query'})"

    @property
    def name(self) -> str:
        """The table or view as a quoted name; raise ConfigurationError if what was written is none."""
        written = self.mapping.relation or ""
        parts = _PART.findall(written)
        if ".".join(parts) != written or not 1 <= len(parts) <= 3:
            raise ConfigurationError(f"{self.table.name}: {written!r} is no name of a table; write schema.table")
        return ".".join(part if part.startswith('"') else identifier(part) for part in parts)

    def source(self, condition: str = "true") -> str:
        """SQL from FROM on: the rows that the mapping means and for which ``condition`` holds."""
        rows = f"(\n{self._filled(self.mapping.query)}\n)" if self.mapping.query is not None else self.name
        where = f" and (\n{self._filled(self.mapping.where)}\n)" if self.mapping.where is not None else ""
        return f" from {rows} as source where {condition}{where}"

    def raw(self, expression: Expression) -> str:
        """SQL of an expression as the user wrote it, of whatever type."""
        if expression.column is not None:
            return f"source.{identifier(expression.column)}"
        if expression.sql is not None:
            return f"(\n{self._filled(expression.sql)}\n)"
        return quoted(expression.value or "")

    @property
    def described(self) -> str:
        """A query without rows whose columns have the types of the mapped expressions, the cursor's last."""
        expressions = list(self.mapping.columns.items())
        if self.mapping.cursor is not None:
            expressions.append((_CURSOR, self.mapping.cursor))
        columns = ", ".join(f"{self.raw(expression)} as {identifier(name)}" for name, expression in expressions)
        return f"select {columns}{self.source()} limit 0"

    def typed(self, types: Mapping[str, str]) -> TableQuery:
        """The queries, now that the columns' types are known; raise AnswerError if one doesn't suit."""
        return TableQuery(self, types)

    def _filled(self, sql: str) -> str:
        return sql.replace("{since}", f"({_moment(self.since)})").replace("{until}", f"({_moment(self.until)})")


class TableQuery:
    """The queries of one table on one day. ``types`` are PostgreSQL's names of the types of ``Relation.described``."""

    def __init__(self, relation: Relation, types: Mapping[str, str]) -> None:
        """Raise AnswerError, naming the column and the remedy, for a type that the contract's column can't take."""
        self.relation, self.table, self.mapping = relation, relation.table, relation.mapping
        self.cursor = self._cursor(types)
        self.selected = tuple(
            self._selected(self.table.column(name), expression, types[name])
            for name, expression in self.mapping.columns.items()
        )

    def whole(self) -> str:
        """All rows."""
        return f"select {self._columns}{self.relation.source()}"

    def between(self, since: datetime, until: datetime) -> str:
        """The rows from ``since`` to ``until``, exclusive, in order of the cursor and then of the contract's key."""
        # coalesce() keeps a constant from being taken for the number of a column.
        keys = [
            f"coalesce({self.relation.raw(self.mapping.columns[name])})"
            if self.mapping.columns[name].sql is not None
            else self.relation.raw(self.mapping.columns[name])
            for name in self.table.key
            if name in self.mapping.columns and self.mapping.columns[name].value is None
        ]
        return (
            f"select {self._columns}{self.relation.source(self._within(since, until))}"
            f" order by {', '.join([self._time.sql, *keys])}"
        )

    def counted(self, since: datetime, until: datetime) -> str:
        """Day, rows, and the highest cursor as text."""
        time = self._time
        rows = self.relation.source(self._within(since, until))
        return f"select {time.day} as day, count(*), max({time.sql})::text{rows} group by 1 order by 1"

    def first_day(self, until: datetime | None = None) -> str:
        """The day of the first row, before ``until``: one row, or none."""
        condition = f"{self._time.sql} < {self._time.literal(until)}" if until is not None else "true"
        return f"select {self._time.day}{self.relation.source(condition)} order by {self._time.sql} limit 1"

    def without_a_day(self) -> str:
        """Whether there are rows whose cursor is null, which belong to no day: one row."""
        return f"select exists(select{self.relation.source(f'{self._time.sql} is null')})"

    @property
    def _columns(self) -> str:
        return ", ".join(f"{column.sql} as {identifier(column.name)}" for column in self.selected)

    @property
    def _time(self) -> Cursor:
        assert self.cursor is not None, "only dated tables belong to days"
        return self.cursor

    def _within(self, since: datetime, until: datetime) -> str:
        time = self._time
        return f"{time.sql} >= {time.literal(since)} and {time.sql} < {time.literal(until)}"

    def _cursor(self, types: Mapping[str, str]) -> Cursor | None:
        expression = self.mapping.cursor
        if expression is None:
            return None
        type_ = types[_CURSOR]
        if type_ not in (_WHOLE | {"numeric"} if expression.epoch else _TIMES):
            raise self._refused(
                _CURSOR, type_, "name a column of times, or say epoch: milliseconds (or another unit) if it is a number"
            )
        return Cursor(self.relation.raw(expression), type_, self.mapping.time_zone, expression.epoch)

    def _selected(self, column: Column, expression: Expression, type_: str) -> Selected:
        raw = self.relation.raw(expression)
        if type_ in _FLOATS and not (column.is_statistic or column.kind is ColumnKind.PERCENT):
            raise self._refused(
                column.name,
                type_,
                "it is a binary float and not exact: make it numeric in the source, or point to the exact column",
            )
        if expression.values or column.kind in (ColumnKind.TEXT, ColumnKind.ENUM):
            return self._text(column, expression, raw, type_)
        if column.kind is ColumnKind.TIMESTAMP:
            return self._timestamp(column, expression, raw, type_)
        return self._number(column, expression, raw, type_)

    def _text(self, column: Column, expression: Expression, raw: str, type_: str) -> Selected:
        if type_ in _NO_TEXTS or type_.startswith("_"):
            raise self._refused(column.name, type_, "turn it into text by an expression of your own under sql")
        return Selected(column.name, f"({raw})::text", expression.values)

    def _number(self, column: Column, expression: Expression, raw: str, type_: str) -> Selected:
        if type_ in _WHOLE and not expression.decimals:
            return Selected(column.name, raw, {})
        if expression.decimals and type_ in _EXACT | _TEXTS:
            # Multiplying is exact where dividing isn't: numeric division stops after some digits.
            return Selected(column.name, f"(({raw})::numeric * 1e-{expression.decimals})::text", {})
        if type_ in _EXACT:
            return Selected(column.name, f"({raw})::numeric::text", {})
        if type_ in _TEXTS:
            return Selected(column.name, f"({raw})::text", {})
        if type_ in _FLOATS and not expression.decimals:
            return Selected(column.name, raw, {})
        raise self._refused(column.name, type_, "point to a column of numbers")

    def _timestamp(self, column: Column, expression: Expression, raw: str, type_: str) -> Selected:
        if expression.epoch is not None and type_ in _WHOLE | {"numeric"}:
            per_second = _PER_SECOND[expression.epoch]
            sql = f"div(({raw})::numeric * {max(10**6 // per_second, 1)}, {max(per_second // 10**6, 1)})::bigint"
            return Selected(column.name, sql, {}, is_epoch=True)
        if expression.epoch is None and type_ in _TEXTS:
            return Selected(column.name, f"({raw})::text", {})
        if expression.epoch is not None or type_ not in _TIMES:
            raise self._refused(
                column.name, type_, "point to a time, or say epoch: milliseconds (or another unit) if it is a number"
            )
        time = f"({raw})::timestamp" if type_ == "date" else f"({raw})"
        if column.name in _STILL:
            time = f"nullif({time}, 'infinity')"
        if type_ != "timestamptz" and self.mapping.time_zone != "UTC":
            time = f"({time} at time zone '{self.mapping.time_zone}')"
        return Selected(column.name, time, {})

    def _refused(self, name: str, type_: str, remedy: str) -> AnswerError:
        shown = "of a type of its own" if type_.startswith("unnamed") else type_
        return AnswerError(f"{self.relation.place}: {name} can't be taken from a column that is {shown}", remedy)
