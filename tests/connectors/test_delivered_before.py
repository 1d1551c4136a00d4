"""Rows that a source reads again: only those not delivered before land, and what stops a stream is told as it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.connectors.base import Batch, Feed, Order
from orchestration.connectors.delivery import Delivery
from orchestration.connectors.errors import UnreachableError

FEEDS = (Feed("reported_figures", may_be_empty=True),)
FIRST, SECOND, THIRD = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)


def rows(*lines: tuple[str | None, str]) -> pa.Table:
    count = len(lines)
    return pa.table(
        {
            "figure": ["revenue"] * count,
            "line": pa.array([line for line, _ in lines], pa.string()),
            "amount": pa.array([amount for _, amount in lines], pa.string()),
            "period_end": ["2026-10-31T00:00:00Z"] * count,
            "published_at": ["2026-11-20T00:00:00Z"] * count,
        }
    )


def deliver(landing: Path, day: date, *batches: tuple[pa.Table, date | None]) -> list[tuple[str | None, str]]:
    """Land the batches; return the rows that landed."""
    delivery = Delivery(landing, "books", "sample", Order(day), FEEDS, "digest")
    for table, since in batches:
        delivery.add(Batch("reported_figures", table, delivered_since=since))
    (file,) = delivery.land({}, datetime(2026, 11, 23)).files
    landed = pq.ParquetFile(landing / file.file).read()
    assert file.rows == landed.num_rows
    return [(row["line"], format(row["amount"].normalize(), "f")) for row in landed.to_pylist()]


def test_only_rows_not_delivered_before_land_and_a_null_is_like_a_null(tmp_path: Path) -> None:
    assert deliver(tmp_path, FIRST, (rows((None, "1"), ("fees", "2")), None)) == [(None, "1"), ("fees", "2")]
    again = rows((None, "1"), ("fees", "3"), ("late", "4"))
    assert deliver(tmp_path, SECOND, (again, FIRST), (rows(("own", "5")), None)) == [
        ("fees", "3"),
        ("late", "4"),
        ("own", "5"),
    ]
    assert deliver(tmp_path, THIRD, (again, FIRST)) == [], "what a later day brought was delivered too"


def test_only_deliveries_since_the_day_named_are_compared(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST, (rows(("fees", "2")), None))
    assert deliver(tmp_path, SECOND, (rows(("fees", "2")), SECOND)) == [("fees", "2")]


def test_a_stream_that_the_source_stops_says_what_the_source_said(tmp_path: Path) -> None:
    def batches() -> Iterator[pa.RecordBatch]:
        yield from rows((None, "1")).to_batches()
        raise UnreachableError("the server went away", "start it")

    stream = pa.RecordBatchReader.from_batches(rows((None, "1")).schema, batches())
    delivery = Delivery(tmp_path, "books", "sample", Order(FIRST), FEEDS, "digest")
    with pytest.raises(UnreachableError, match="the server went away; start it"):
        delivery.add(Batch("reported_figures", stream))


def test_rows_can_be_known_by_their_key_alone(tmp_path: Path) -> None:
    deliver(tmp_path, FIRST, (rows(("fees", "2")), None))
    delivery = Delivery(tmp_path, "books", "sample", Order(SECOND), FEEDS, "digest")
    again = rows(("fees", "3"), ("late", "4"))
    delivery.add(Batch("reported_figures", again, delivered_since=FIRST, is_known_by_key=True))
    (file,) = delivery.land({}, datetime(2026, 11, 23)).files
    assert pq.ParquetFile(tmp_path / file.file).read()["line"].to_pylist() == ["late"]
