"""A sound exchange of any size, fast: a landing zone written day by day, by DuckDB, within a memory limit.

What belongs here: sizes, the loop over days, files. What doesn't: what happens on a day (``bulk_day``) and the
constants of the market (``bulk_market``). ``simulate`` is the exchange to look at and to plant faults in; this one is
for size, and simpler: customers deposit, withdraw and trade with each other for a fee, margin accounts owe and hold
positions, one account is an affiliate's. No check may find anything in it, for any seed and size.

Shape: of every 20 transactions that customers wish for, 5 are deposits, 4 withdrawals and 11 trades (2, 2 and 6
entries); a quarter of the accounts makes half of them. Up to a fifth of the entries are opening balances, of the more
active accounts; the other accounts are empty until their first deposit. The engine's snapshots are delivered every day
for every account and asset that holds anything, as the contract asks: rows of them grow with accounts x days.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import duckdb

from orchestration.bench.speed import bulk_day, bulk_market
from orchestration.bench.speed.bulk_day import Day
from orchestration.simulate.delivery import PART
from orchestration.simulate.writer import LandingWriter
from orchestration.sql import quoted

LEAST_ACCOUNTS = 20
_ENTRIES_OF_OPENING = 4
_OPENING_SHARE = 5


@dataclass(frozen=True, slots=True)
class Size:
    """How much to generate. ``entries`` is met to within six a day; with ``has_quiet_end`` the last day has none."""

    entries: int
    accounts: int
    days: int
    seed: int = 0
    has_quiet_end: bool = False

    @property
    def funded(self) -> int:
        """Accounts with an opening balance."""
        return max(min(self.accounts, self.entries // _OPENING_SHARE // _ENTRIES_OF_OPENING), 1)

    @property
    def last_date(self) -> date:
        """The date of the last day."""
        return Day(self.days - 1, 0, 0, 0, 0, 0).date

    def entries_of_day(self, number: int) -> int:
        """Entries of customers' transactions on a day, at most: what openings leave, spread evenly."""
        active_days = self.days - 1 if self.has_quiet_end and self.days > 1 else self.days
        if number >= active_days:
            return 0
        left = max(self.entries - _ENTRIES_OF_OPENING * self.funded, 0)
        return left * (number + 1) // active_days - left * number // active_days


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written: rows by table and bytes of all files."""

    folder: Path
    rows: dict[str, int]
    bytes: int
    seconds: float


def generate(size: Size, out: Path, *, memory_limit: str = "2GB", threads: int | None = None) -> Generated:
    """Write the landing zone; the same size and seed give the same rows in the same order.

    Raises ConfigurationError if ``out`` holds something else than an earlier landing zone of this kind.
    """
    started = time.monotonic()
    writer = LandingWriter.open(out)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="generator", dir=writer.work.parent) as scratch,
            duckdb.connect(f"{scratch}/exchange.duckdb") as connection,
        ):
            connection.execute(f"set memory_limit = {quoted(memory_limit)}")
            if threads is not None:
                connection.execute(f"set threads = {int(threads)}")
            _write(connection, size, writer)
        writer.finish({"scenario": "bulk", "faults": [], "first_date": str(bulk_market.FIRST_DATE)})
    except BaseException:
        writer.abandon()
        raise
    written = sum(path.stat().st_size for path in writer.out.rglob("*.parquet"))
    return Generated(writer.out, dict(writer.rows), written, time.monotonic() - started)


def _write(connection: duckdb.DuckDBPyConnection, size: Size, writer: LandingWriter) -> None:
    bulk_market.prepare(connection, size.seed, size.days)
    for name, query in bulk_market.reference_tables(size.accounts, size.days).items():
        _copy(connection, writer, name, query, writer.work / name)
    bulk_day.open_books(connection, size.seed, size.funded)
    day = Day(0, size.seed, size.accounts, 0, 0, 0)
    for number in range(size.days):
        day = replace(day, number=number, entries=size.entries_of_day(number))
        transactions = bulk_day.draw_transactions(connection, day)
        bulk_day.book_entries(connection, day)
        bulk_day.close_day(connection)
        for name, query in bulk_day.dated_tables(day).items():
            _copy(connection, writer, name, query, writer.work / name / f"date={day.date}")
        if number == 0:
            transactions += size.funded + 3
        day = replace(
            day,
            transactions_before=day.transactions_before + transactions,
            entries_before=writer.rows["ledger_entries"],
        )


def _copy(connection: duckdb.DuckDBPyConnection, writer: LandingWriter, name: str, query: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    target = quoted(str(folder / PART))
    row = connection.execute(f"copy ({query}) to {target} (format parquet, compression zstd)").fetchone()
    assert row is not None
    writer.rows[name] += int(row[0])


def main() -> None:
    """Write a landing zone from the command line, for a profile or an experiment."""
    parser = argparse.ArgumentParser(description="Write a sound exchange's landing zone of any size.")
    parser.add_argument("--entries", type=int, default=1_000_000)
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet-end", action="store_true", help="no ledger entries on the last day")
    parser.add_argument("--memory-limit", default="2GB")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    size = Size(given.entries, max(given.accounts, LEAST_ACCOUNTS), given.days, given.seed, given.quiet_end)
    written = generate(size, given.out, memory_limit=given.memory_limit)
    for name, rows in written.rows.items():
        print(f"{name:20} {rows:>14,}")
    print(f"{written.folder}: {written.bytes / 1e6:,.0f} MB in {written.seconds:.1f} s, until {size.last_date}")


if __name__ == "__main__":
    main()
