"""Rows on their way from the server to the delivery: bounded, counted, codes translated, times checked.

What belongs here: what is done to each batch. What doesn't: casting to the contract's types (``connectors.rows``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from orchestration.connectors.errors import AnswerError, IncompleteError, LimitError
from orchestration.connectors.postgresql.configuration import RowLimits
from orchestration.connectors.postgresql.queries import Selected
from orchestration.connectors.postgresql.session import BATCH_BYTES

_MOMENT = pa.timestamp("us", "UTC")
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""The years 1 to 9999 in microseconds. The driver turns infinity into a time far outside of them."""


class Stream:
    """The rows of one query. ``rows`` is how many came so far."""

    def __init__(
        self,
        place: str,
        selected: Sequence[Selected],
        limits: RowLimits,
        report: Callable[[str], None],
        expected: int | None = None,
    ) -> None:
        """``expected`` is how many rows the same snapshot counted, None if it didn't."""
        self.place, self.limits, self.report, self.expected = place, limits, report, expected
        self.selected = tuple(selected)
        self.rows = 0

    def over(self, reader: pa.RecordBatchReader) -> pa.RecordBatchReader:
        """The batches as the delivery takes them.

        Reading raises AnswerError for an unknown code, infinity or text that isn't UTF-8, LimitError beyond the bounds,
        and IncompleteError if another number of rows comes than was counted.
        """
        fields = [
            pa.field(column.name, _MOMENT if column.is_epoch else field.type)
            for column, field in zip(self.selected, reader.schema, strict=True)
        ]
        schema = pa.schema(fields)
        return pa.RecordBatchReader.from_batches(schema, self._batches(reader, schema))

    def _batches(self, reader: pa.RecordBatchReader, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        total = f" of {self.expected:,}" if self.expected is not None else ""
        for batch in reader:
            self._bound(batch)
            arrays = [self._column(column, array) for column, array in zip(self.selected, batch.columns, strict=True)]
            self.report(f"{self.place}: {self.rows:,}{total} rows")
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        if self.expected not in (None, self.rows):
            raise IncompleteError(
                f"{self.place}: {self.rows:,} rows came and {self.expected:,} were counted in the same snapshot",
                "see whether its SQL gives the same rows each time",
            )

    def _bound(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        if self.rows > self.limits.max_rows:
            raise LimitError(
                f"{self.place} has more than {self.limits.max_rows:,} rows",
                "if that is honest, raise limits.max_rows of this source",
            )
        # Arrow may take three times the bytes of the wire; what is beyond that is one row.
        if batch.nbytes > 3 * BATCH_BYTES + self.limits.max_row_megabytes * 1_000_000:
            raise LimitError(
                f"{self.place} has a row of more than {self.limits.max_row_megabytes} MB",
                "if that is honest, raise limits.max_row_megabytes of this source",
            )

    def _column(self, column: Selected, array: pa.Array) -> pa.Array:
        if pa.types.is_string(array.type):
            self._check_text(column, array)
        if column.values:
            return self._translated(column, array)
        if column.is_epoch:
            array = array.cast(pa.int64()).view(_MOMENT)
        if pa.types.is_timestamp(array.type):
            self._check_times(column, array)
        return array

    def _check_text(self, column: Selected, array: pa.Array) -> None:
        try:
            array.validate(full=True)
        except pa.ArrowInvalid as error:
            raise AnswerError(
                f"{self.place}: {column.name} has text that isn't UTF-8", "mend the encoding of that database"
            ) from error

    def _translated(self, column: Selected, array: pa.Array) -> pa.Array:
        """Codes as the contract's values; raise AnswerError that names a code which has none."""
        codes, meanings = pa.array(list(column.values)), pa.array(list(column.values.values()))
        positions = pc.index_in(array, codes)
        unknown = pc.and_(pc.is_null(positions), pc.is_valid(array))
        if pc.any(unknown).as_py():
            code = pc.filter(array, unknown)[0].as_py()
            raise AnswerError(
                f"{self.place}: {column.name} has the code {code[:60]!r}, which values doesn't have",
                "say what it means there",
            )
        return meanings.take(positions)

    def _check_times(self, column: Selected, array: pa.Array) -> None:
        bounds: Mapping[str, int | None] = pc.min_max(array.cast(pa.timestamp("us")).view(pa.int64())).as_py()
        low, high = bounds["min"], bounds["max"]
        if low is not None and high is not None and (low < _FIRST or high > _LAST):
            raise AnswerError(
                f"{self.place}: {column.name} is infinite, or in a year before 1 or after 9999",
                "say by sql what is meant, e.g. null",
            )
