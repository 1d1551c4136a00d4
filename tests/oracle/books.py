"""Reads a landing zone into plain rows, as far as they are known at the end of a date.

What belongs here: file formats, value parsing, duplicates, knowledge time, versions of reference rows.
What doesn't: what any row means for the exchange.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet

Row = dict[str, Any]
Conflict = tuple[str, tuple[Any, ...], date]

REFERENCE_KEYS: dict[str, tuple[str, ...]] = {
    "entities": ("entity_id",),
    "entity_links": ("parent_entity_id", "child_entity_id", "link_type", "valid_from"),
    "entity_attributes": ("entity_id", "attribute_type", "attribute_hash", "recorded_at"),
    "accounts": ("account_id",),
    "account_privileges": ("account_id", "privilege", "valid_from"),
    "tokens": ("asset",),
    "wallets": ("wallet_id", "valid_from"),
}
DATED_KEYS: dict[str, tuple[str, ...]] = {
    "ledger_entries": ("entry_id",),
    "balance_snapshots": ("account_id", "asset", "as_of"),
    "wallet_balances": ("wallet_id", "asset", "as_of"),
    "wallet_transfers": ("transfer_id",),
    "token_prices": ("asset", "as_of", "source"),
    "market_depth": ("asset", "as_of", "source"),
    "token_supply": ("asset", "as_of"),
    "open_positions": ("account_id", "instrument", "as_of"),
    "reported_figures": ("figure", "line", "asset", "period_start", "period_end", "published_at"),
}
TIMES = frozenset(
    {
        "recorded_at",
        "valid_from",
        "valid_to",
        "opened_at",
        "closed_at",
        "proven_at",
        "effective_at",
        "as_of",
        "block_time",
        "period_start",
        "period_end",
        "published_at",
    }
)
DECIMALS = frozenset(
    {
        "ownership_pct",
        "limit_usd",
        "encumbered_pct",
        "amount",
        "balance",
        "price_usd",
        "volume_usd",
        "bid_depth_2pct_usd",
        "volume_30d_avg_usd",
        "volatility_30d",
        "circulating",
        "total",
        "quantity",
        "entry_price",
        "mark_price",
        "unrealised_pnl_usd",
        "block_height",
        "decimals",
    }
)
ONE_DAY = timedelta(days=1)


def day_start(day: date) -> datetime:
    """The first moment of the day."""
    return datetime(day.year, day.month, day.day)


def day_end(day: date) -> datetime:
    """The first moment after the day."""
    return day_start(day) + ONE_DAY


def parse_time(value: Any) -> datetime:
    """ISO 8601 text, date or datetime as UTC without a zone."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def parse_value(column: str, value: Any) -> Any:
    """One cell as the contract means it: time, exact decimal or text; an empty cell is None."""
    if value is None or value == "":
        return None
    if column in TIMES:
        return parse_time(value)
    if column in DECIMALS:
        if isinstance(value, float):
            raise ValueError(f"column {column} holds a binary float: {value}")
        return Decimal(value) if not isinstance(value, str) else Decimal(value.strip())
    return str(value)


def read_file(path: Path) -> Iterator[Row]:
    """The rows of one csv, csv.gz, jsonl or parquet file, parsed."""
    if path.name.endswith((".csv", ".csv.gz")):
        opener = gzip.open if path.name.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8", newline="") as handle:
            raw_rows: list[Row] = list(csv.DictReader(handle))
    elif path.name.endswith(".jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        raw_rows = [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in lines if line.strip()]
    elif path.name.endswith(".parquet"):
        raw_rows = pyarrow.parquet.read_table(path, partitioning=None).to_pylist()
    else:
        return
    for raw_row in raw_rows:
        yield {column: parse_value(column, value) for column, value in raw_row.items()}


def _partitions(folder: Path) -> list[tuple[date, Path]]:
    found = [
        (date.fromisoformat(entry.name.removeprefix("date=")), entry)
        for entry in folder.glob("date=*")
        if entry.is_dir()
    ]
    return sorted(found)


def _read_dated(landing: Path, table: str, last_date: date, conflicts: set[Conflict]) -> list[Row]:
    """Rows of one dated table; a row delivered more than once is kept for its earliest partition."""
    seen: dict[tuple[Any, ...], Row] = {}
    rows = []
    for partition, folder in _partitions(landing / table):
        if partition > last_date:
            continue
        for path in sorted(folder.iterdir()):
            for row in read_file(path):
                key = tuple(row.get(column) for column in DATED_KEYS[table])
                if key in seen:
                    if row != seen[key]:
                        conflicts.add((table, key, partition))
                    continue
                seen[key] = dict(row)
                recorded = row.get("recorded_at") or row.get("published_at")
                arrived = day_start(partition)
                row["partition_date"] = partition
                row["known_at"] = max(recorded, arrived) if recorded else arrived
                rows.append(row)
    return rows


def latest_versions(rows: list[Row], key: tuple[str, ...], knowledge_at: datetime) -> list[Row]:
    """Among the rows of one key recorded before ``knowledge_at``, the one recorded last."""
    best: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        recorded = row.get("recorded_at")
        if recorded is not None and recorded >= knowledge_at:
            continue
        identity = tuple(row[column] for column in key)
        kept = best.get(identity)
        if kept is None or (recorded or datetime.min) > (kept.get("recorded_at") or datetime.min):
            best[identity] = row
    return list(best.values())


@dataclass(frozen=True)
class Books:
    """Everything known at the end of ``last_date``: rows by table, and the calendar they cover.

    ``conflicts`` are keys that came again with other content: table, key, later partition. ``link_versions`` are all
    rows of entity_links, also those that were replaced or aren't known yet; empty if the rows are versions enough.
    """

    tables: dict[str, list[Row]]
    first_date: date
    last_date: date
    conflicts: frozenset[Conflict] = frozenset()
    link_versions: list[Row] = field(default_factory=list)

    @property
    def knowledge_at(self) -> datetime:
        """Rows known at this moment or later don't exist."""
        return day_end(self.last_date)

    @property
    def days(self) -> list[date]:
        """The calendar, from the landing zone's first day to the run's last."""
        return [self.first_date + ONE_DAY * offset for offset in range((self.last_date - self.first_date).days + 1)]

    def rows(self, table: str) -> list[Row]:
        """The known rows of a table, reference rows in their latest version."""
        return self.tables.get(table, [])

    def links_told(self, day: date) -> list[Row]:
        """The links as the day's own knowledge had them."""
        versions = self.link_versions or self.rows("entity_links")
        return latest_versions(versions, REFERENCE_KEYS["entity_links"], day_end(day))


def read_books(landing: Path, last_date: date) -> Books:
    """Read the landing zone as a run whose last date is ``last_date`` knows it."""
    tables: dict[str, list[Row]] = {}
    link_versions: list[Row] = []
    knowledge_at = day_end(last_date)
    for table, key in REFERENCE_KEYS.items():
        folder = landing / table
        paths = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
        versions = [row for path in paths for row in read_file(path)]
        tables[table] = latest_versions(versions, key, knowledge_at)
        if table == "entity_links":
            link_versions = versions
    first_dates = [partition for table in DATED_KEYS for partition, _ in _partitions(landing / table)[:1]]
    conflicts: set[Conflict] = set()
    for table in DATED_KEYS:
        rows = _read_dated(landing, table, last_date, conflicts)
        tables[table] = [row for row in rows if row["known_at"] < knowledge_at]
    return Books(tables, min(first_dates), last_date, frozenset(conflicts), link_versions)
