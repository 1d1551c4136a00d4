"""Files that are damaged, misplaced or not what the contract wants are named, never half-read and never a crash."""

from __future__ import annotations

import gzip
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import ConfigurationError
from orchestration.landing import discover
from tests.landing.zone import DAY, Zone, csv_text, entry, issues, load, query

HEADER = ",".join(entry("x"))
GOOD = "1,t,alice,BTC,1,trade,2026-01-05,2026-01-05,,\n"
FOLDER = f"ledger_entries/date={DAY}"
ROWS = "".join(f"{n},t,alice,BTC,{n}.5,trade,2026-01-05,2026-01-05,,memo {n * 7919}\n" for n in range(2_000))


def compressed_and_cut() -> bytes:
    content = gzip.compress((HEADER + "\n" + ROWS).encode(), mtime=0)
    return content[: len(content) // 2]


def compressed_with_a_flipped_bit() -> bytes:
    content = bytearray(gzip.compress((HEADER + "\n" + ROWS).encode(), mtime=0))
    content[-6] ^= 1  # the checksum
    return bytes(content)


DAMAGED = [
    ("a.csv", "", 1, "file has no header"),
    ("a.csv", b"\xff\xfe" + HEADER.encode() + b"\n", 1, "header isn't valid UTF-8"),
    ("a.csv", HEADER + "\n" + "1,t,alice\n" + GOOD, 2, "3 cells in a row of 10 columns"),
    ("a.csv", HEADER + "\n" + GOOD + GOOD.replace("\n", ",more\n"), 3, "11 cells in a row of 10 columns"),
    ("a.csv", HEADER + "\n" + GOOD + GOOD.replace("alice", '"al"ice'), 3, "not valid CSV"),
    ("a.csv", HEADER + "\n" + GOOD + GOOD.replace("alice", '"alice'), 3, "not valid CSV"),
    (
        "a.csv",
        (HEADER + "\n" + GOOD).encode() + GOOD.encode().replace(b"alice", b"\xc3\x28"),
        3,
        "text isn't valid UTF-8",
    ),
    ("a.csv.gz", compressed_and_cut(), None, "file is damaged"),
    ("a.csv.gz", compressed_with_a_flipped_bit(), None, "file is damaged"),
    ("a.csv.gz", (HEADER + "\n" + GOOD).encode(), None, "file is damaged"),
    ("a.csv.gz", b"", 1, "file has no header"),
    ("a.parquet", b"", None, "file is damaged"),
    ("a.parquet", b"PAR1 and nothing else", None, "file is damaged"),
    ("a.jsonl", '{"entry_id": "1"\n', 1, "line isn't a JSON object"),
    ("a.jsonl", "[1]\n", 1, "line isn't a JSON object"),
    ("a.jsonl", '{"entry_id": "1", }\n', 1, "line isn't a JSON object"),
    ("a.jsonl", b'{"entry_id": "\xff"}\n', 1, "text isn't valid UTF-8"),
    ("a.jsonl", '{"entry_id": "1", "entry_id": "2"}\n', 1, "a key stands twice: entry_id"),
]


@pytest.mark.parametrize("damage", DAMAGED, ids=[f"{name} {problem}" for name, _, _, problem in DAMAGED])
def test_damage_is_named_and_the_other_file_is_read(
    connection: duckdb.DuckDBPyConnection, zone: Zone, damage: tuple[str, str | bytes, int | None, str]
) -> None:
    name, content, line, problem = damage
    zone.write(f"{FOLDER}/{name}", content)
    good = zone.rows("ledger_entries", [entry("good")], file="good.csv")
    loaded = load(connection, zone, "ledger_entries")
    found = issues(connection)
    assert {file for file, *_ in found} == {f"{FOLDER}/{name}"}
    assert [line_ for _, line_, _, _, why in found if why.startswith(problem)] == [line], found
    assert loaded.issues == len(found)
    status = query(connection, "select source_file, status from incoming.file order by source_file")
    assert status == [
        {"source_file": f"{FOLDER}/{name}", "status": "partial"},
        {"source_file": good, "status": "read"},
    ]


def test_all_problems_of_a_ragged_file_are_named_at_once(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    relative = f"{FOLDER}/a.csv"
    text = HEADER + "\n" + GOOD + "1,2\n" + GOOD.replace(",1,", ",much,") + "\n" + "\n" + "1,2,3\n" + GOOD
    zone.write(relative, text)
    load(connection, zone, "ledger_entries")
    assert [(line, column) for _, line, column, _, _ in issues(connection)] == [(3, None), (4, "amount"), (7, None)]


def test_a_parquet_file_cut_short_is_damaged(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    relative = zone.parquet("ledger_entries", "select 1 as entry_id from range(1000)")
    path = zone.path / relative
    path.write_bytes(path.read_bytes()[:200])
    load(connection, zone, "ledger_entries")
    assert [(file, why[:15]) for file, _, _, _, why in issues(connection)] == [(relative, "file is damaged")]


@pytest.mark.parametrize("file", ["a.csv", "a.jsonl", "a.parquet"])
def test_missing_columns_are_named(connection: duckdb.DuckDBPyConnection, zone: Zone, file: str) -> None:
    columns = [name for name in entry("1") if name not in ("memo", "amount")]
    if file == "a.csv":
        zone.write(f"{FOLDER}/{file}", csv_text([entry("1")], columns))
    elif file == "a.jsonl":
        zone.rows("ledger_entries", [{name: entry("1")[name] for name in columns}], file=file)
    else:
        zone.parquet("ledger_entries", "select " + ", ".join(f"'{entry('1')[name]}' as {name}" for name in columns))
    load(connection, zone, "ledger_entries")
    line = 1 if file == "a.csv" else None
    assert [(line_, column, why) for _, line_, column, _, why in issues(connection)] == [
        (line, "amount", "column is missing"),
        (line, "memo", "column is missing"),
    ]


def test_repeated_columns_are_refused(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.write(f"{FOLDER}/a.csv", HEADER + ",Amount \n" + GOOD.replace("\n", ",2\n"))
    load(connection, zone, "ledger_entries")
    assert issues(connection) == [(f"{FOLDER}/a.csv", 1, "amount", None, "column stands 2 times")]


def test_header_case_space_and_order_are_forgiven_and_unknown_columns_noticed(
    connection: duckdb.DuckDBPyConnection, zone: Zone
) -> None:
    names = [name.upper() + " " for name in reversed(list(entry("x")))]
    cells = ["" if value is None else value for value in reversed(entry("1", amount="2.5").values())]
    zone.write(f"{FOLDER}/a.csv", f"\ufeff{','.join(names)},note\n{','.join(cells)},hello\n")
    loaded = load(connection, zone, "ledger_entries")
    assert loaded.issues == 0
    assert loaded.notices == (f"{FOLDER}/a.csv: unknown columns left out: note",)
    assert query(connection, "select entry_id, amount::varchar as amount from incoming.ledger_entries") == [
        {"entry_id": "1", "amount": "2.500000000000000000"}
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r", "mixed"])
def test_line_endings_of_every_kind(connection: duckdb.DuckDBPyConnection, zone: Zone, ending: str) -> None:
    lines = [HEADER, *(f"{n},t,alice,BTC,1,trade,2026-01-05,2026-01-05,," for n in range(4))]
    endings = ["\n", "\r\n", "\r\n", "\n", ""] if ending == "mixed" else [ending] * 4 + [""]
    zone.write(f"{FOLDER}/a.csv", "".join(line + end for line, end in zip(lines, endings, strict=True)))
    assert load(connection, zone, "ledger_entries").rows == 4, issues(connection)
    assert issues(connection) == []


@pytest.mark.parametrize(
    ("file", "content"), [("a.csv", HEADER), ("a.csv.gz", HEADER + "\n"), ("a.jsonl", ""), ("a.jsonl", "\n \n")]
)
def test_a_file_without_rows_is_an_empty_day(
    connection: duckdb.DuckDBPyConnection, zone: Zone, file: str, content: str
) -> None:
    zone.write(f"{FOLDER}/{file}", content)
    loaded = load(connection, zone, "ledger_entries")
    assert (loaded.rows, loaded.files, loaded.issues) == (0, 1, 0)


def test_many_small_files_keep_their_own_places(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    for day in ("2026-01-03", "2026-01-04", "2026-01-05"):
        for file in ("a.csv", "b.csv", "c.jsonl", "d.csv.gz"):
            rows = [entry(f"{day}-{file}-{n}", day=day) for n in range(1, 4)]
            zone.rows("ledger_entries", rows, day=day, file=file)
    loaded = load(connection, zone, "ledger_entries")
    assert (loaded.rows, loaded.files, loaded.partitions, loaded.issues) == (36, 12, 3, 0)
    for row in query(connection, "select * from incoming.ledger_entries"):
        day, file = row["source_file"].split("/date=")[1].split("/")
        assert row["entry_id"] == f"{day}-{file}-{row['source_row']}"
        assert row["partition_date"] == date.fromisoformat(day)


def test_what_has_no_place_is_reported(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.rows("ledger_entries", [entry("1")])
    zone.write("ledger_entries/stray.csv", HEADER + "\n" + GOOD)
    zone.write(f"{FOLDER}/part=1/deep.csv", HEADER + "\n" + GOOD)
    zone.write(f"{FOLDER}/readme.txt", "hello")
    zone.write(f"{FOLDER}/.a.csv.swp", "x")
    zone.write(f"{FOLDER}/_SUCCESS", "")
    zone.write(f"{FOLDER}/b.csv.tmp", "half a fi")
    zone.write("ledger_entries/date=2026-13-01/a.csv", HEADER)
    zone.write("ledger_entries/2026-01-05/a.csv", HEADER)
    zone.write("ledger_entries/archive/readme.txt", "hello")
    zone.write("ledger_entries/date=2026-01-10/a.csv", HEADER + "\nbad\n")
    zone.write("trades/date=2026-01-05/a.csv", HEADER)
    zone.write("truth.json", "{}")
    loaded = load(connection, zone, "ledger_entries")
    assert (loaded.rows, loaded.files) == (1, 1)
    assert [(file, why) for file, _, _, _, why in issues(connection)] == [
        ("ledger_entries/2026-01-05/a.csv", "data file in a folder that names no day"),
        (f"{FOLDER}/part=1/deep.csv", "data file in a folder that the contract doesn't have"),
        ("ledger_entries/date=2026-13-01/a.csv", "data file in a folder that names no day"),
        ("ledger_entries/stray.csv", "data file of a dated table outside a date= folder"),
    ]
    days = query(connection, "select partition_date from incoming.schema_issue where source_file like '%/deep.csv'")
    assert days == [{"partition_date": date(2026, 1, 5)}]
    assert loaded.notices == (
        "ledger_entries/archive: left out, folder isn't named date=YYYY-MM-DD",
        f"{FOLDER}/readme.txt: left out, neither parquet, csv, csv.gz nor jsonl",
    )
    kept = query(connection, "select table_name, notice from audit.notice order by notice")
    assert [(row["table_name"], row["notice"]) for row in kept] == [
        ("ledger_entries", notice) for notice in sorted(loaded.notices)
    ]
    found = discover(zone.path, date(2026, 1, 9))
    assert found.first_date == date(2026, 1, 5)
    assert "trades/: left out, no table of the contract" in found.notices


def test_a_landing_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere doesn't exist"):
        discover(tmp_path / "nowhere", date(2026, 1, 9))
