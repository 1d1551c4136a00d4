"""Files of a simulated landing zone that are changed after they were written, and those of a second delivery.

What belongs here: reading, replacing and adding files of a written landing zone. What doesn't: writing it in the first
place (writer.py). The second delivery lies in the folder ``later/`` beside the tables, where no run looks; its files
replace those of the same path, or are added, once the run of the date in ``truth.json`` is done.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from orchestration.errors import ConfigurationError
from orchestration.simulate.clock import Clock

LATER = "later"
TRUTH_FILE = "truth.json"
PART = "part-0.parquet"


def write_table(table: pa.Table, path: Path) -> None:
    """Write one Parquet file; the same table gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd", store_schema=False)


@dataclass(frozen=True)
class Delivery:
    """The landing zone as written so far; ``days`` is how many there are."""

    folder: Path
    clock: Clock
    days: int

    def place(self, table: str, day: int | None) -> str:
        """A table's folder below the landing zone: a day's partition, or a reference table's (no day)."""
        return table if day is None else f"{table}/date={self.clock.date_of(day).isoformat()}"

    def read(self, table: str, day: int | None = None, *, later: bool = False) -> pa.Table:
        """A table as delivered; with ``later`` as the second delivery has it, if it does."""
        path = Path(self.place(table, day)) / PART
        second = self.folder / LATER / path
        return pq.ParquetFile(second if later and second.exists() else self.folder / path).read()

    def replace(self, table: str, rows: pa.Table, day: int | None = None, *, later: bool = False) -> None:
        """Deliver these rows instead; with ``later`` only in the second delivery."""
        write_table(rows, self.root(later=later) / self.place(table, day) / PART)

    def add_text(self, table: str, name: str, text: str, day: int | None = None, *, later: bool = False) -> str:
        """Deliver a further text file of a table; returns its path below the landing zone."""
        relative = f"{self.place(table, day)}/{name}"
        path = self.root(later=later) / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return relative

    def remove(self, table: str, day: int | None = None) -> str:
        """Take the file of a table out of the landing zone; returns its path below it."""
        relative = f"{self.place(table, day)}/{PART}"
        (self.folder / relative).unlink()
        return relative

    def root(self, *, later: bool) -> Path:
        """The folder of the first or of the second delivery."""
        return self.folder / LATER if later else self.folder


def later_date(landing: Path) -> date | None:
    """The date after whose run the second delivery is to be laid over; None if there is no second delivery."""
    truth = landing / TRUTH_FILE
    if not truth.is_file():
        raise ConfigurationError(f"{landing} has no {TRUTH_FILE}: give a folder that `ringfence simulate` wrote")
    found = json.loads(truth.read_text(encoding="utf-8")).get("later_after")
    return None if found is None else date.fromisoformat(found)


def lay_over(landing: Path) -> list[str]:
    """Lay the second delivery over the first, as a source does that edits or adds files; return the paths, sorted.

    The folder ``later/`` is gone afterwards, so that nothing is laid over twice.
    """
    root = landing / LATER
    moved = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
    for relative in moved:
        target = landing / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        (root / relative).replace(target)
    shutil.rmtree(root, ignore_errors=True)
    return moved
