"""Every bad value is refused with file, line, column and value; every good one arrives as it was meant."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import duckdb
import pytest

from tests.landing.zone import DAY, Zone, account, entry, issues, load, query

TEXT_FILES = ["a.csv", "a.csv.gz", "a.jsonl"]
PLACES = "more than 18 decimal places"
NO_DECIMAL = "not a decimal number"
NO_TIME = "not a time in ISO 8601"
TOO_LARGE = "more than 20 digits before the point"

BAD_VALUES = [
    ("amount", "1,000", NO_DECIMAL),
    ("amount", "1_000", NO_DECIMAL),
    ("amount", "nan", NO_DECIMAL),
    ("amount", "inf", NO_DECIMAL),
    ("amount", "-Infinity", NO_DECIMAL),
    ("amount", "0x10", NO_DECIMAL),
    ("amount", "1e", NO_DECIMAL),
    ("amount", " 1", NO_DECIMAL),
    ("amount", "12 USD", NO_DECIMAL),
    ("amount", "--1", NO_DECIMAL),
    ("amount", "0.1234567890123456789", PLACES),
    ("amount", "1e-19", PLACES),
    ("amount", "1.5e-18", PLACES),
    ("amount", "1e-4000", PLACES),
    ("amount", "100000000000000000000", TOO_LARGE),
    ("amount", "-1e20", TOO_LARGE),
    ("amount", "1e4000", TOO_LARGE),
    ("effective_at", "05/01/2026", NO_TIME),
    ("effective_at", "2026-01-05T25:00:00Z", NO_TIME),
    ("effective_at", "2026-02-30", NO_TIME),
    ("effective_at", "1767571200", NO_TIME),
    ("effective_at", "2026-01-05 10:00:00 CET", NO_TIME),
    ("effective_at", "infinity", NO_TIME),
    ("effective_at", "2026-01-05T10:00:00+99:99", NO_TIME),
    ("entry_type", "Trade", "unknown value"),
    ("entry_type", "gift", "unknown value"),
]


@pytest.mark.parametrize("file", TEXT_FILES)
def test_every_bad_value_of_a_file_is_named_at_once(
    connection: duckdb.DuckDBPyConnection, zone: Zone, file: str
) -> None:
    rows = [entry("good-0")] + [entry(f"bad-{n}", **{column: value}) for n, (column, value, _) in enumerate(BAD_VALUES)]
    rows.append(entry("empty", amount=None))
    relative = zone.rows("ledger_entries", rows, file=file)
    loaded = load(connection, zone, "ledger_entries")
    first_line = 3 if "csv" in file else 2
    expected = [(relative, first_line + n, *bad) for n, bad in enumerate(BAD_VALUES)]
    expected.append((relative, first_line + len(BAD_VALUES), "amount", None, "no value in a required column"))
    assert issues(connection) == expected
    assert loaded.issues == len(expected)
    assert loaded.rows == len(rows), "rows keep their keys, with null for what can't be taken"
    marked = query(connection, "select source_row from incoming.bad_row order by 1")
    assert [row["source_row"] for row in marked] == [first_line + n - ("csv" in file) for n in range(len(expected))]


GOOD_DECIMALS = {
    "0": "0",
    "-0": "0",
    "+1": "1",
    ".5": "0.5",
    "5.": "5",
    "1.23E+3": "1230",
    "1e-18": "0.000000000000000001",
    "-1.5e-17": "-0.000000000000000015",
    "0E-18": "0",
    "0e-300": "0",
    "0.12345678901234567800000": "0.123456789012345678",
    "123456789012345678901234.5e-6": "123456789012345678.9012345",
    "99999999999999999999.999999999999999999": "99999999999999999999.999999999999999999",
    "-99999999999999999999.999999999999999999": "-99999999999999999999.999999999999999999",
    "00000000000000000000000000000000000000000000000001": "1",
}


@pytest.mark.parametrize("file", TEXT_FILES)
def test_decimals_arrive_exactly(connection: duckdb.DuckDBPyConnection, zone: Zone, file: str) -> None:
    zone.rows("ledger_entries", [entry(text, amount=text) for text in GOOD_DECIMALS], file=file)
    assert load(connection, zone, "ledger_entries").issues == 0
    arrived = {row["entry_id"]: row["amount"] for row in query(connection, "from incoming.ledger_entries")}
    assert arrived == {text: Decimal(value) for text, value in GOOD_DECIMALS.items()}


GOOD_TIMES = {
    "2026-01-05": datetime(2026, 1, 5),
    "2026-01-05T10:00Z": datetime(2026, 1, 5, 10),
    "2026-01-05 10:00:00": datetime(2026, 1, 5, 10),
    "2026-01-05T10:00:00Z": datetime(2026, 1, 5, 10),
    "2026-01-05T10:00:00+00:00": datetime(2026, 1, 5, 10),
    "2026-01-05T10:00:00.123456Z": datetime(2026, 1, 5, 10, 0, 0, 123456),
    "2026-01-05T10:00:00+05:30": datetime(2026, 1, 5, 4, 30),
    "2026-01-05T23:00:00-03:00": datetime(2026, 1, 6, 2),
    "2026-01-05 10:00:00+02": datetime(2026, 1, 5, 8),
    # Nanoseconds are cut: rounding would move this row to the next day.
    "2026-01-05T23:59:59.9999999Z": datetime(2026, 1, 5, 23, 59, 59, 999999),
}


@pytest.mark.parametrize("file", TEXT_FILES)
def test_times_are_read_as_utc(connection: duckdb.DuckDBPyConnection, zone: Zone, file: str) -> None:
    connection.execute("set TimeZone = 'Asia/Tokyo'")
    zone.rows("ledger_entries", [entry(text, effective_at=text) for text in GOOD_TIMES], file=file)
    assert load(connection, zone, "ledger_entries").issues == 0
    arrived = {row["entry_id"]: row["effective_at"] for row in query(connection, "from incoming.ledger_entries")}
    assert arrived == GOOD_TIMES


def test_line_numbers_count_header_blank_lines_and_quoted_newlines(
    connection: duckdb.DuckDBPyConnection, zone: Zone
) -> None:
    header = ",".join(entry("x"))
    text = (
        f"\ufeff{header}\n"
        '1,t,alice,BTC,1,trade,2026-01-05,2026-01-05,,"two\nlines"\n'
        "\n"
        '2,t,alice,BTC,much,trade,2026-01-05,2026-01-05,,"three\n\nlines"\n'
        "3,t,alice,BTC,1,trade,never,2026-01-05,,\n"
    )
    zone.write(f"ledger_entries/date={DAY}/a.csv", text)
    load(connection, zone, "ledger_entries")
    assert [(line, column, value) for _, line, column, value, _ in issues(connection)] == [
        (5, "amount", "much"),
        (8, "effective_at", "never"),
    ]
    numbered = query(connection, "select entry_id, source_row, memo from incoming.ledger_entries order by source_row")
    assert [(row["entry_id"], row["source_row"]) for row in numbered] == [("1", 1), ("2", 2), ("3", 3)]
    assert numbered[0]["memo"] == "two\nlines"


def test_empty_cells_are_null_even_when_quoted(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    header = ",".join(entry("x"))
    zone.write(f"ledger_entries/date={DAY}/a.csv", f'{header}\n1,t,alice,BTC,1,trade,2026-01-05,2026-01-05,"",\n')
    assert load(connection, zone, "ledger_entries").issues == 0
    assert query(connection, "select reference, memo from incoming.ledger_entries") == [
        {"reference": None, "memo": None}
    ]


@pytest.mark.parametrize(
    ("value", "is_good"), [("0", True), ("100", True), ("33.3", True), ("100.01", False), ("-1", False)]
)
def test_percentages_run_from_0_to_100(
    connection: duckdb.DuckDBPyConnection, zone: Zone, value: str, is_good: bool
) -> None:
    link = {
        "parent_entity_id": "p",
        "child_entity_id": "c",
        "link_type": "ownership",
        "ownership_pct": value,
        "valid_from": "2026-01-01",
        "valid_to": None,
        "recorded_at": "2026-01-01",
    }
    relative = zone.rows("entity_links", [link])
    load(connection, zone, "entity_links")
    problem = (relative, 2, "ownership_pct", value, "percentage outside 0 to 100")
    assert issues(connection) == ([] if is_good else [problem])


@pytest.mark.parametrize(
    ("value", "block_height"),
    [("8", 8), ("800000.0", 800000), ("", None), ("8.5", "bad"), ("x", "bad"), ("1e3", "bad")],
)
def test_whole_numbers(
    connection: duckdb.DuckDBPyConnection, zone: Zone, value: str, block_height: int | str | None
) -> None:
    row = {"wallet_id": "w", "asset": "BTC", "balance": "1", "as_of": DAY, "block_height": value}
    relative = zone.rows("wallet_balances", [row])
    load(connection, zone, "wallet_balances")
    if block_height == "bad":
        assert issues(connection) == [(relative, 2, "block_height", value, "not a whole number")]
    else:
        assert query(connection, "select block_height from incoming.wallet_balances") == [
            {"block_height": block_height}
        ]


@pytest.mark.parametrize("value", ["0", "-0.5", "0e5"])
def test_prices_are_positive(connection: duckdb.DuckDBPyConnection, zone: Zone, value: str) -> None:
    row = {"asset": "BTC", "price_usd": value, "volume_usd": "0", "as_of": DAY, "source": "market"}
    relative = zone.rows("token_prices", [row])
    load(connection, zone, "token_prices")
    assert issues(connection) == [(relative, 2, "price_usd", value, "zero or less")]


def test_a_thousand_problems_are_kept_and_all_are_counted(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    relative = zone.rows("accounts", [account(f"a{n}", account_class="none") for n in range(1_500)])
    assert load(connection, zone, "accounts").issues == 1_500
    kept = issues(connection)
    assert len(kept) == 1_001
    assert kept[0] == (relative, None, None, None, "1500 problems in this file, the first 1000 are listed")
    assert query(connection, "select count(*) as rows from incoming.bad_row") == [{"rows": 1_500}]
