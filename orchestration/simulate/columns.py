"""Arrow columns from the simulator's integers: exact decimals, UTC times, identifiers.

What belongs here: conversions of whole arrays. What doesn't: which columns a table has (tables.py, contract).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from orchestration import contract
from orchestration.simulate.assets import LEDGER_PLACES
from orchestration.simulate.prices import Integers

DECIMAL_TYPE = pa.decimal128(38, LEDGER_PLACES)
TIME_TYPE = pa.timestamp("us")
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)

ARROW_TYPES: dict[contract.ColumnKind, pa.DataType] = {
    contract.ColumnKind.TEXT: pa.string(),
    contract.ColumnKind.ENUM: pa.string(),
    contract.ColumnKind.DECIMAL: DECIMAL_TYPE,
    contract.ColumnKind.PERCENT: DECIMAL_TYPE,
    contract.ColumnKind.INTEGER: pa.int64(),
    contract.ColumnKind.TIMESTAMP: TIME_TYPE,
    contract.ColumnKind.DATE: pa.date32(),
}


def arrow_schema(table: contract.Table) -> pa.Schema:
    """The Arrow schema of a contract table; times are UTC without a zone."""
    return pa.schema([pa.field(column.name, ARROW_TYPES[column.kind]) for column in table.columns])


def decimals(units: Integers, places: Any, tail: Any = 0) -> pa.Array:
    """Amounts of ``units`` in 10**-places plus ``tail`` in 10**-18 as DECIMAL(38,18), without rounding anywhere.

    A 64 by 64 bit product in 32-bit halves: numpy has no 128-bit integers and floats would lose digits.
    """
    factor = np.broadcast_to(10 ** (LEDGER_PLACES - np.asarray(places, dtype=np.int64)), units.shape).astype(np.uint64)
    size = np.abs(units).astype(np.uint64)
    size_low, size_high = size & _LOW, size >> _HALF
    factor_low, factor_high = factor & _LOW, factor >> _HALF
    lowest = size_low * factor_low
    cross_one, cross_two = size_low * factor_high, size_high * factor_low
    middle = (lowest >> _HALF) + (cross_one & _LOW) + (cross_two & _LOW)
    low = (lowest & _LOW) | (middle << _HALF)
    high = size_high * factor_high + (cross_one >> _HALF) + (cross_two >> _HALF) + (middle >> _HALF)
    negative = units < 0
    low = np.where(negative, ~low + np.uint64(1), low)
    high = np.where(negative, ~high + (low == 0).astype(np.uint64), high)
    tails = np.broadcast_to(np.asarray(tail, dtype=np.int64), units.shape)
    total = low + tails.astype(np.uint64)
    high = high + (total < low).astype(np.uint64) + (tails >> np.int64(63)).astype(np.uint64)
    words = np.column_stack([total, high])
    return pa.Array.from_buffers(DECIMAL_TYPE, len(units), [None, pa.py_buffer(np.ascontiguousarray(words))])


def times(microseconds: Integers) -> pa.Array:
    """Times from microseconds since the epoch."""
    return pa.array(np.ascontiguousarray(microseconds), type=pa.int64()).cast(TIME_TYPE)


def numbered(prefix: str, numbers: Integers) -> pa.Array:
    """Identifiers of one length: the prefix and ten digits; negative numbers are null."""
    text = pc.cast(pa.array(numbers + 10**10, type=pa.int64()), pa.string())
    named = pc.binary_join_element_wise(prefix, pc.utf8_slice_codeunits(text, 1), "")
    return pc.if_else(pa.array(numbers >= 0), named, pa.scalar(None, pa.string()))


def looked_up(dictionary: pa.Array, numbers: Integers) -> pa.Array:
    """The dictionary's text at each number; negative numbers are null."""
    return dictionary.take(pa.array(numbers, mask=numbers < 0))


def rows_to_table(table: contract.Table, rows: list[dict[str, Any]]) -> pa.Table:
    """A small table from dictionaries; times are microseconds, decimals int, Decimal or null."""
    schema, columns = arrow_schema(table), []
    for field in schema:
        values = [row[field.name] for row in rows]
        if field.type == DECIMAL_TYPE:
            values = [None if value is None else Decimal(value) for value in values]
        columns.append(pa.array(values, type=field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def typed_table(name: str, arrays: dict[str, pa.Array]) -> pa.Table:
    """A contract table from whole columns, cast to the contract's types."""
    schema = arrow_schema(contract.table(name))
    return pa.Table.from_arrays([arrays[field.name].cast(field.type) for field in schema], schema=schema)
