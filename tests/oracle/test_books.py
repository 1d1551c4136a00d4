"""Reading a landing zone: formats, duplicates, and what is known when."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

from tests.oracle.books import day_end, latest_versions, parse_time, parse_value, read_books
from tests.oracle.findings import keys_unique
from tests.oracle.small_books import row

HEADER = "entry_id,transaction_id,account_id,asset,amount,entry_type,effective_at,recorded_at,reference,memo\n"


def write_entries(landing: Path, day: str, *lines: str) -> None:
    folder = landing / "ledger_entries" / f"date={day}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part.csv").write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")


def test_scientific_notation_is_exact() -> None:
    assert parse_value("amount", "1.234567890123456789E-1") == Decimal("0.1234567890123456789")
    assert parse_value("amount", "") is None


def test_times_with_an_offset_become_utc() -> None:
    assert parse_time("2026-01-01T01:00:00+02:00") == parse_time("2025-12-31 23:00:00Z")


def test_a_row_delivered_twice_counts_once_and_on_its_first_day(tmp_path: Path) -> None:
    line = "e1,t1,a,USD,5,trade,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,,"
    write_entries(tmp_path, "2026-01-01", line)
    write_entries(tmp_path, "2026-01-02", line)
    books = read_books(tmp_path, date(2026, 1, 2))
    assert [entry["partition_date"] for entry in books.rows("ledger_entries")] == [date(2026, 1, 1)]
    assert keys_unique(books) == set()


def test_one_key_with_other_content_is_a_conflict_dated_by_the_later_delivery(tmp_path: Path) -> None:
    write_entries(tmp_path, "2026-01-01", "e1,t1,a,USD,5,trade,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,,")
    write_entries(tmp_path, "2026-01-02", "e1,t1,a,USD,6,trade,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,,")
    books = read_books(tmp_path, date(2026, 1, 2))
    assert keys_unique(books) == {("ledger_entries", date(2026, 1, 2))}


def test_known_time_is_the_later_of_record_and_arrival(tmp_path: Path) -> None:
    write_entries(
        tmp_path,
        "2026-01-01",
        "on-time,t1,a,USD,5,trade,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,,",
        "recorded-at-midnight,t2,a,USD,5,trade,2026-01-01T10:00:00Z,2026-01-02T00:00:00Z,,",
    )
    write_entries(tmp_path, "2026-01-02", "late,t3,a,USD,5,trade,2026-01-01T10:00:00Z,2026-01-01T10:00:00Z,,")

    def known(day: date) -> set[str]:
        return {entry["entry_id"] for entry in read_books(tmp_path, day).rows("ledger_entries")}

    assert known(date(2026, 1, 1)) == {"on-time"}
    assert known(date(2026, 1, 2)) == {"on-time", "recorded-at-midnight", "late"}


def test_numbers_in_json_lines_never_pass_through_binary_floats(tmp_path: Path) -> None:
    folder = tmp_path / "token_prices" / "date=2026-01-01"
    folder.mkdir(parents=True)
    price = {"asset": "BTC", "as_of": "2026-01-01T10:00:00Z", "source": "x", "volume_usd": None}
    text = json.dumps(price)[:-1] + ', "price_usd": 0.1234567890123456789}'
    (folder / "part.jsonl").write_text(text + "\n", encoding="utf-8")
    prices = read_books(tmp_path, date(2026, 1, 1)).rows("token_prices")
    assert prices[0]["price_usd"] == Decimal("0.1234567890123456789")


def test_the_latest_version_known_at_the_time_wins() -> None:
    versions = [
        row("entities", entity_id="a", name="first", recorded_at="2026-01-01"),
        row("entities", entity_id="a", name="second", recorded_at="2026-01-05"),
        row("entities", entity_id="a", name="third", recorded_at="2026-01-07"),
    ]
    for last, expected in ((date(2026, 1, 4), "first"), (date(2026, 1, 5), "second"), (date(2026, 1, 6), "second")):
        known = latest_versions(versions, ("entity_id",), day_end(last))
        assert [entity["name"] for entity in known] == [expected]
