"""How one delivered value becomes one value of the contract, exactly, or is refused with a reason.

What belongs here: SQL expressions by column kind and delivered type, never via binary floats. What doesn't: where the
delivered value comes from (``sources``), running the SQL (``loading``).
"""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakSet

import duckdb

from orchestration.contract import Column, ColumnKind
from orchestration.sql import quoted

TEXT_TYPE = "VARCHAR"
_INTEGER_TYPES = frozenset(
    f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
)
_FLOAT_TYPES = frozenset({"FLOAT", "DOUBLE"})

_PLAIN_DECIMAL = r"[+-]?(?:[0-9]+(?:\.[0-9]{0,18}0*)?|\.[0-9]{1,18}0*)"
_ANY_DECIMAL = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?"
_SCIENTIFIC = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]{1,3}"
_WHOLE_NUMBER = r"[+-]?[0-9]+(?:\.0*)?"
_TIME_UTC = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-]00(?::?00)?)?)?"
_TIME_OFFSET = (
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?[+-](?:0[0-9]|1[0-5])(?::?[0-5][0-9])?"
)

EXPECTED: dict[ColumnKind, str] = {
    ColumnKind.TEXT: "text",
    ColumnKind.ENUM: "one of the contract's values",
    ColumnKind.DECIMAL: "a decimal number with at most 20 digits before and 18 after the point",
    ColumnKind.PERCENT: "a decimal number from 0 to 100",
    ColumnKind.INTEGER: "a whole number",
    ColumnKind.TIMESTAMP: "a time in ISO 8601, UTC",
    ColumnKind.DATE: "a date as YYYY-MM-DD",
}


@dataclass(frozen=True, slots=True)
class Cast:
    """SQL for one column. ``value`` is null if the delivered value can't be taken; ``problem`` then says why.

    ``delivered`` is null exactly if nothing was delivered; ``shown`` is the delivered value as text.
    """

    column: Column
    delivered: str
    shown: str
    value: str
    problem: str

    @property
    def expected(self) -> str:
        """What the contract wants of the column, in words."""
        if self.column.kind is ColumnKind.ENUM:
            return "one of " + ", ".join(self.column.values)
        return EXPECTED[self.column.kind] + (", above zero" if self.column.positive else "")


_WITH_MACROS: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()


def create_cast_macros(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the temporary macros that the casts call, for the life of this connection; again does nothing."""
    if connection in _WITH_MACROS:
        return
    # 1.23E+3 becomes 1230 by moving the point in the text: going through a number type would round.
    connection.execute(
        r"""
        create or replace temp macro landing_padded(whole, places) as
            lpad(whole, cast(greatest(length(whole), 1 - places) as integer), '0')
        """
    )
    connection.execute(
        r"""
        create or replace temp macro landing_moved_point(whole, fraction, places) as
            case
                when places >= length(fraction) then whole || rpad(fraction, cast(places as integer), '0')
                when places >= 0 then whole || left(fraction, places) || '.' || substr(fraction, places + 1)
                else
                    left(landing_padded(whole, places), greatest(length(whole) + places, 1))
                    || '.' || right(landing_padded(whole, places), -places) || fraction
            end
        """
    )
    connection.execute(
        r"""
        create or replace temp macro landing_plain_text(number) as
            regexp_extract(number, '^[+-]?', 0) || landing_moved_point(
                regexp_extract(number, '^[+-]?([0-9]*)', 1),
                regexp_extract(number, '\.([0-9]*)', 1),
                try_cast(regexp_extract(number, '[eE]([+-]?[0-9]+)$', 1) as integer)
            )
        """
    )
    connection.execute(
        rf"""
        create or replace temp macro landing_decimal(number) as
            case
                when regexp_full_match(number, '{_PLAIN_DECIMAL}') then try_cast(number as decimal(38, 18))
                when regexp_full_match(number, '{_SCIENTIFIC}')
                    and regexp_full_match(landing_plain_text(number), '{_PLAIN_DECIMAL}')
                    then try_cast(landing_plain_text(number) as decimal(38, 18))
            end
        """
    )
    connection.execute(
        rf"""
        create or replace temp macro landing_time(written) as
            case
                when regexp_full_match(written, '{_TIME_UTC}') then try_cast(written as timestamp)
                -- A cast straight to timestamp would drop the offset without a word.
                when regexp_full_match(written, '{_TIME_OFFSET}')
                    then make_timestamp(epoch_us(try_cast(written as timestamptz)))
            end
        """
    )
    _WITH_MACROS.add(connection)


def _from_text(column: Column, text: str) -> tuple[str, str]:
    """SQL of value and problem for a value delivered as text."""
    match column.kind:
        case ColumnKind.TEXT:
            return text, quoted("isn't text")
        case ColumnKind.ENUM:
            values = ", ".join(quoted(value) for value in column.values)
            return f"case when {text} in ({values}) then {text} end", quoted("unknown value")
        case ColumnKind.DECIMAL | ColumnKind.PERCENT:
            return f"landing_decimal({text})", (
                f"case when not regexp_full_match({text}, '{_ANY_DECIMAL}') then 'not a decimal number'"
                f" when {_has_too_many_places(text)} then 'more than 18 decimal places'"
                " else 'more than 20 digits before the point' end"
            )
        case ColumnKind.INTEGER:
            return (
                f"case when regexp_full_match({text}, '{_WHOLE_NUMBER}') then try_cast({text} as bigint) end",
                quoted("not a whole number"),
            )
        case ColumnKind.TIMESTAMP:
            return f"landing_time({text})", quoted("not a time in ISO 8601")
        case ColumnKind.DATE:
            is_date = f"regexp_full_match({text}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')"
            return f"case when {is_date} then try_cast({text} as date) end", quoted("not a date")


def _has_too_many_places(text: str) -> str:
    plain = f"case when regexp_full_match({text}, '{_SCIENTIFIC}') then landing_plain_text({text}) else {text} end"
    # An exponent of four digits isn't expanded: if negative, it has too many places; if positive, too many digits.
    return f"(regexp_matches({plain}, '\\.[0-9]{{18}}[0-9]*[1-9]') or regexp_full_match({text}, '.*[eE]-[0-9]{{4}}'))"


@dataclass(frozen=True, slots=True)
class _TypeRule:
    """How values of some delivered types become values of some kinds. ``value`` is SQL over ``{source}``."""

    kinds: frozenset[ColumnKind]
    types: frozenset[str]
    value: str
    problem: str


_NUMBERS = frozenset({ColumnKind.DECIMAL, ColumnKind.PERCENT})
_NAMES = frozenset({ColumnKind.TEXT, ColumnKind.ENUM})
_TIME = frozenset({ColumnKind.TIMESTAMP})
_WHOLE = frozenset({ColumnKind.INTEGER})
_NARROW_DECIMAL = "DECIMAL of at most 18 places"

_TYPE_RULES: tuple[_TypeRule, ...] = (
    _TypeRule(
        _NUMBERS,
        _INTEGER_TYPES | {_NARROW_DECIMAL},
        "try_cast({source} as decimal(38, 18))",
        "more than 20 digits before the point",
    ),
    _TypeRule(
        _NUMBERS,
        _FLOAT_TYPES,
        "cast(null as decimal(38, 18))",
        "delivered as a binary float ({type_}), which isn't exact",
    ),
    _TypeRule(_WHOLE, _INTEGER_TYPES, "try_cast({source} as bigint)", "doesn't fit 64 bits"),
    _TypeRule(
        _WHOLE,
        _FLOAT_TYPES | {"DECIMAL", _NARROW_DECIMAL},
        "case when {source} = trunc({source}) and abs({source}) < 9007199254740992"
        " then try_cast({source} as bigint) end",
        "not a whole number",
    ),
    _TypeRule(
        _TIME,
        frozenset({"TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "DATE"}),
        "case when isfinite({source}) then cast({source} as timestamp) end",
        "not a finite time",
    ),
    _TypeRule(
        _TIME,
        frozenset({"TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ"}),
        "case when isfinite({source}) then make_timestamp(epoch_us({source})) end",
        "not a finite time",
    ),
    # A cast rounds nanoseconds up, into the next day even.
    _TypeRule(
        _TIME,
        frozenset({"TIMESTAMP_NS", "TIMESTAMPTZ_NS"}),
        "make_timestamp(epoch_ns({source}) // 1000)",
        "not a finite time",
    ),
    _TypeRule(
        frozenset({ColumnKind.DATE}), frozenset({"DATE", "TIMESTAMP"}), "try_cast({source} as date)", "not a date"
    ),
)


def _from_typed(column: Column, source: str, type_: str) -> tuple[str, str]:
    """SQL of value and problem for a value delivered with a type, as Parquet does."""
    base = _NARROW_DECIMAL if _is_narrow_decimal(type_) else type_.split("(", maxsplit=1)[0]
    is_name = column.kind in _NAMES and base in _INTEGER_TYPES | {"UUID", "ENUM"}
    if is_name or (column.kind in _NUMBERS and base == "DECIMAL"):
        return _from_text(column, f"cast({source} as varchar)")
    if base in _FLOAT_TYPES and (column.kind is ColumnKind.PERCENT or column.is_statistic):
        # No amounts: a float's shortest text is what was meant by it, 33.3 and not 33.299999999999997.
        meant = f"landing_decimal(cast({source} as varchar))"
        return f"coalesce({meant}, try_cast({source} as decimal(38, 18)))", quoted("not a decimal number")
    for rule in _TYPE_RULES:
        if column.kind in rule.kinds and base in rule.types:
            return rule.value.format(source=source), quoted(rule.problem.format(type_=type_))
    return f"cast(null as {column.duckdb_type})", quoted(f"delivered as {type_}")


def _is_narrow_decimal(type_: str) -> bool:
    if not type_.startswith("DECIMAL("):
        return False
    return int(type_.removeprefix("DECIMAL(").rstrip(")").split(",")[1]) <= 18


def cast_for(column: Column, source: str, type_: str) -> Cast:
    """SQL that takes a delivered value of DuckDB type ``type_`` into the contract's column.

    ``source`` is an SQL expression. The empty text counts as null, whatever the format.
    """
    if type_ in ('"NULL"', "NULL"):
        nothing = f"cast(null as {column.duckdb_type})"
        return Cast(column, "cast(null as varchar)", "cast(null as varchar)", nothing, quoted("is null"))
    if type_ == TEXT_TYPE:
        delivered = f"nullif({source}, '')"
        value, problem = _from_text(column, delivered)
    else:
        delivered = source
        value, problem = _from_typed(column, source, type_)
    shown = f"cast({source} as varchar)"
    if column.kind is ColumnKind.PERCENT:
        problem = f"case when {value} is not null then 'percentage outside 0 to 100' else {problem} end"
        value = f"case when {value} between 0 and 100 then {value} end"
    if column.positive:
        problem = f"case when {value} is not null then 'zero or less' else {problem} end"
        value = f"case when {value} > 0 then {value} end"
    return Cast(column, delivered, shown, value, problem)
