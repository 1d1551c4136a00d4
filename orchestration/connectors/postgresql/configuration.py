"""What a PostgreSQL source's section of the configuration may say, and what is refused before anybody is asked.

What belongs here: keys, defaults, and mistakes that the contract alone shows. What doesn't: SQL (``queries``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from orchestration import contract
from orchestration.connectors.base import SourceConfiguration
from orchestration.connectors.secrets import Address
from orchestration.contract import Column, ColumnKind, Table
from orchestration.durations import Duration

Epoch = Literal["seconds", "milliseconds", "microseconds", "nanoseconds"]

_LITERAL_PASSWORD = re.compile(r"(?:^|[\s?&])(?:ssl)?password\s*=\s*'?(?!'?\$\{)", re.IGNORECASE)
_NUMBERS = (ColumnKind.DECIMAL, ColumnKind.PERCENT)


def _plain(value: Any) -> Any:
    """A scalar of YAML as the text that was meant. A fraction isn't taken: YAML has read it as a binary float."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            raise ValueError("a number with a fraction, which YAML reads inexactly; put it in quotes")
        case datetime() | date():
            return value.isoformat()
    return value


def _plain_keys(values: Any) -> Any:
    return {_plain(key): value for key, value in values.items()} if isinstance(values, Mapping) else values


def _column_itself(written: Any) -> Any:
    return {"column": written} if isinstance(written, str) else written


class Expression(BaseModel):
    """Where a value comes from: a ``column``, an expression in ``sql``, or one ``value`` for all rows.

    ``values`` turns the source's codes into the contract's; a code that it doesn't have is refused. ``decimals``: the
    number counts units of 10^-decimals (cents 2, satoshi 8, wei 18). ``epoch``: a time as a number since 1970.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = Field(None, min_length=1)
    sql: str | None = Field(None, min_length=1)
    value: Annotated[str | None, BeforeValidator(_plain)] = None
    values: Annotated[dict[str, str], BeforeValidator(_plain_keys)] = {}
    decimals: int = Field(0, ge=0, le=77)
    epoch: Epoch | None = None

    @model_validator(mode="after")
    def _is_one_thing(self) -> Expression:
        if sum(part is not None for part in (self.column, self.sql, self.value)) != 1:
            raise ValueError("say exactly one of column, sql and value")
        if self.value is not None and (self.values or self.decimals or self.epoch):
            raise ValueError("a constant value is taken as it stands; values, decimals and epoch go with column or sql")
        return self


Mapped = Annotated[Expression, BeforeValidator(_column_itself)]


class TableMapping(BaseModel):
    """One table of the contract, from one table or view of the source or from a SELECT of the user's own.

    Texts ``query``, ``where`` and ``sql`` may say ``{since}`` and ``{until}``: the first moment of the day pulled and
    the first after it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    relation: str | None = Field(None, alias="from", min_length=1)
    query: str | None = Field(None, min_length=1)
    columns: dict[str, Mapped]
    cursor: Mapped | None = None
    time_zone: str = Field("UTC", pattern=r"^[A-Za-z0-9_+/-]+$")
    overlap: Duration = timedelta(hours=1)
    where: str | None = Field(None, min_length=1)
    may_be_empty: bool = False
    removed_rows: Literal["refuse", "accept"] = "refuse"
    earlier_rows: Literal["refuse", "leave_out"] | None = None

    @model_validator(mode="after")
    def _has_one_source(self) -> TableMapping:
        if (self.relation is None) == (self.query is None):
            raise ValueError("say either from (a table or view) or query (a SELECT)")
        if self.cursor is not None and (self.cursor.value is not None or self.cursor.values or self.cursor.decimals):
            raise ValueError("cursor is a time: a column or sql, with epoch if it is a number")
        if not timedelta() <= self.overlap <= timedelta(days=31):
            raise ValueError("overlap is at most 31d")
        return self

    @property
    def content(self) -> str:
        """What decides how rows are spelled; if it changes, the same row of the source becomes another one."""
        return repr((self.relation, self.query, self.where, self.time_zone, sorted(self.columns.items())))

    def check_against(self, table: Table) -> None:
        """Raise ValueError, naming table and column, for what the contract doesn't have or asks for besides."""
        for name, expression in self.columns.items():
            if name not in table.column_names:
                near = get_close_matches(name, table.column_names, n=1)
                hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(table.column_names)}"
                raise ValueError(f"{table.name} has no column {name}; {hint}")
            _check_column(table, table.column(name), expression)
        for column in table.columns:
            if column.required and column.name not in self.columns:
                raise ValueError(f"{table.name}.{column.name} is required and not mapped; say where it comes from")
        if table.dated and self.cursor is None:
            raise ValueError(
                f"{table.name} needs a cursor: the column with the time by which its rows belong to days (a table that"
                " only holds how things stand now has none; let the exchange write its state down once a day)"
            )
        if not table.dated and self.cursor is not None:
            raise ValueError(f"{table.name} is a reference table and read whole; leave cursor out")

    def refuses_earlier_rows(self, table: str) -> bool:
        """Whether rows before the first day pulled stop the first pull: a ledger without its beginning is wrong."""
        return (self.earlier_rows or ("refuse" if table == "ledger_entries" else "leave_out")) == "refuse"


def _check_column(table: Table, column: Column, expression: Expression) -> None:
    place = f"{table.name}.{column.name}"
    if expression.decimals and column.kind not in _NUMBERS:
        raise ValueError(f"{place} is no amount; leave decimals out")
    if expression.epoch and column.kind is not ColumnKind.TIMESTAMP:
        raise ValueError(f"{place} is no time; leave epoch out")
    if column.kind is not ColumnKind.ENUM:
        return
    given = [*expression.values.values(), *([expression.value] if expression.value is not None else [])]
    for value in given:
        if value not in column.values:
            raise ValueError(f"{place} can't be {value}; it is one of {', '.join(column.values)}")


class RowLimits(BaseModel):
    """Bounds of one table's pull. ``max_row_megabytes`` is of one row, all columns together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_rows: int = Field(200_000_000, ge=1)
    max_row_megabytes: int = Field(16, ge=1, le=1024)


class PostgresqlConfiguration(SourceConfiguration):
    """One database. Seconds are whole; ``recount_days`` are the days before, whose rows are counted at every pull."""

    kind: Literal["postgresql"]
    connection: Address
    tables: dict[str, TableMapping] = Field(min_length=1)
    recount_days: int = Field(7, ge=0, le=366)
    connect_seconds: int = Field(10, ge=2, le=600)
    statement_seconds: int = Field(3600, ge=1, le=86_400)
    lock_seconds: float = Field(60, gt=0, le=3600)
    attempts: int = Field(3, ge=1, le=20)
    application_name: str = Field("ringfence", pattern=r"^[A-Za-z0-9_.-]{1,63}$")
    limits: RowLimits = RowLimits()

    @model_validator(mode="after")
    def _conforms(self) -> PostgresqlConfiguration:
        if _LITERAL_PASSWORD.search(self.connection):
            raise ValueError("connection has a password in it; put it into a variable and write ${NAME} there")
        for name, mapping in self.tables.items():
            table = contract.tables_by_name().get(name)
            if table is None:
                near = get_close_matches(name, contract.tables_by_name(), n=1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(contract.tables_by_name())}"
                raise ValueError(f"the contract has no table {name}; {hint}")
            mapping.check_against(table)
        return self
