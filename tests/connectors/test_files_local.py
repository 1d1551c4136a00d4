"""Files in a folder: any table of the contract, exactly; what is overwritten, late, missing or broken."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from orchestration.connectors.base import Batch, Clock, Services
from orchestration.connectors.configuration import Source, load_sources
from orchestration.connectors.delivery import Manifest
from orchestration.connectors.files import FilesConfiguration, FilesConnector
from orchestration.connectors.pulling import PullError, check_source, pull_day
from orchestration.errors import ConfigurationError
from tests.connectors.conformance import Case, ConformanceTests, Fault
from tests.support.hashes import with_hashes

DAY = date(2026, 3, 4)
LIMITS = {"max_megabytes": 2, "max_nesting": 20, "max_decompression_ratio": 100}
LEDGER = "entry_id,transaction_id,account_id,asset,amount,entry_type,effective_at,recorded_at,reference,memo\n"
ENTRIES = [
    ("e1", "t1", "a1", "BTC", "0.000000000000000001", "deposit", "x1", None),
    ("e2", "t1", "ext", "BTC", "-1e-18", "deposit", None, "the memo, with a comma"),
    ("e3", "t2", "a1", "SHIB", "99999999999999999999.999999999999999999", "trade", None, None),
]


def ledger_csv(day: date = DAY, entries: list[tuple[str | None, ...]] | None = None) -> bytes:
    lines = [
        f'{e[0]},{e[1]},{e[2]},{e[3]},{e[4]},{e[5]},{day}T10:00:00Z,{day}T10:00:01Z,{e[6] or ""},"{e[7] or ""}"'
        for e in entries or ENTRIES
    ]
    return (LEDGER + "\n".join(lines) + "\n").encode()


def ledger_rows(day: date = DAY) -> list[dict[str, str | None]]:
    names = ("entry_id", "transaction_id", "account_id", "asset", "amount", "entry_type", "reference", "memo")
    times = {"effective_at": f"{day} 10:00:00", "recorded_at": f"{day} 10:00:01"}
    return [{**dict(zip(names, entry, strict=True)), **times} for entry in ENTRIES]


def balances_parquet(path: Path, wallets: int = 2) -> None:
    table = pa.table(
        {
            "wallet": pa.array([f"w{number}" for number in range(wallets)]),
            "Units": pa.array([Decimal("1.5") + number for number in range(wallets)], pa.decimal128(38, 18)),
            "height": pa.array([800_000 + number for number in range(wallets)], pa.int64()),
        }
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


PRICES = [
    '{"asset": "BTC", "price_usd": 67123.123456789012345678, "volume_usd": 1e3, "as_of": "2026-03-04T23:59:59Z",'
    ' "source": "x"}',
    '{"asset": "SHIB", "price_usd": 9.1e-6, "volume_usd": null, "as_of": "2026-03-04T23:59:59Z", "source": "x"}',
]

TABLES: dict[str, Any] = {
    "ledger_entries": {"pattern": "ledger/dt={date}/*.csv*"},
    "wallet_balances": {
        "pattern": "balances/{date:%Y%m%d}.parquet",
        "columns": {
            "wallet_id": "wallet",
            "balance": "units",
            "block_height": "height",
            "asset": {"constant": "BTC"},
            "as_of": {"constant": "{date}T23:59:59Z"},
        },
    },
    "token_prices": {"pattern": "prices/*.jsonl"},
}


def write_bytes(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def write_all(folder: Path) -> None:
    (folder / "ledger" / f"dt={DAY}").mkdir(parents=True)
    (folder / "ledger" / f"dt={DAY}" / "part.csv.gz").write_bytes(gzip.compress(ledger_csv(), mtime=0))
    balances_parquet(folder / "balances" / "20260304.parquet")
    (folder / "prices").mkdir()
    (folder / "prices" / "a.jsonl").write_text("\n".join(PRICES) + "\n")


def expected_rows() -> dict[str, list[dict[str, str | None]]]:
    as_of = f"{DAY} 23:59:59"
    return {
        "ledger_entries": [{**row, "amount": row["amount"]} for row in ledger_rows()],
        "wallet_balances": [
            {"wallet_id": "w0", "asset": "BTC", "balance": "1.5", "as_of": as_of, "block_height": "800000"},
            {"wallet_id": "w1", "asset": "BTC", "balance": "2.5", "as_of": as_of, "block_height": "800001"},
        ],
        "token_prices": [
            {
                "asset": "BTC",
                "price_usd": "67123.123456789012345678",
                "volume_usd": "1000",
                "as_of": as_of,
                "source": "x",
            },
            {"asset": "SHIB", "price_usd": "0.0000091", "volume_usd": None, "as_of": as_of, "source": "x"},
        ],
    }


class TestFilesInAFolder(ConformanceTests):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        folder = tmp_path / "drop"
        write_all(folder)
        kept = tmp_path / "kept"
        shutil.copytree(folder, kept)

        def heal() -> None:
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(kept, folder)

        def put(key: str, content: bytes) -> Callable[[], None]:
            return lambda: write_bytes(folder / key, content)

        prices, balances = "prices/a.jsonl", "balances/20260304.parquet"
        parquet = (folder / balances).read_bytes()
        nested = b'{"asset": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n"
        return Case(
            section={"kind": "files", "location": str(folder), "tables": TABLES, "limits": LIMITS},
            day=DAY,
            expected=expected_rows(),
            faults={
                "down": Fault(lambda: shutil.rmtree(folder), "isn't there"),
                "empty": Fault(put(prices, b""), "nothing came for token_prices"),
                "midway": Fault(put(prices, b'{"asset": "BTC"\n'), "isn't a JSON object"),
                "rubbish": Fault(put(balances, b"<html>Welcome!</html>"), "file is damaged"),
                "oversized": Fault(put(prices, b" " * 2_000_001), "larger than 2 MB"),
                "nested": Fault(put(prices, nested), "nested deeper"),
                "bomb": Fault(put(prices, gzip.compress(b" " * 1_900_000, mtime=0)), "decompresses to more than"),
                "missing": Fault(lambda: shutil.rmtree(folder / "ledger"), "counts as missing"),
                "cut": Fault(put(balances, parquet[: len(parquet) // 2]), "file is damaged"),
                "flipped": Fault(put(balances, parquet[:4] + b"\xff" * 60 + parquet[64:]), "can't be read"),
            },
            heal=heal,
            is_http=False,
        )


# One pull after the other


def source_of(tmp_path: Path, section: dict[str, Any]) -> Source:
    path = tmp_path / "sources.yaml"
    path.write_text(json.dumps({"sources": {"drop": {"kind": "files", **section}}}))
    (source,) = load_sources(path)
    return source


def clock(day: date) -> Clock:
    return Clock(now=lambda: datetime(day.year, day.month, day.day) + timedelta(days=1, minutes=1))


def pull(source: Source, landing: Path, day: date) -> Manifest:
    landing.mkdir(exist_ok=True)
    manifest = pull_day(source, landing, day, clock(day))
    assert manifest is not None
    return manifest


def entries_of(landing: Path, day: date) -> list[str]:
    path = landing / "ledger_entries" / f"date={day}" / "drop.parquet"
    return [row["entry_id"] for row in pq.ParquetFile(path).read().to_pylist()]


def put_ledger(folder: Path, day: date, *entries: str) -> None:
    path = folder / f"dt={day}" / "ledger.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(ledger_csv(day, [(entry, "t", "a", "BTC", "1", "trade", None, None) for entry in entries]))


def test_late_and_overwritten_files_land_with_the_day_on_which_they_are_pulled(tmp_path: Path) -> None:
    source = source_of(
        tmp_path, {"location": str(tmp_path), "tables": {"ledger_entries": {"pattern": "dt={date}/*.csv"}}}
    )
    landing, following = tmp_path / "landing", DAY + timedelta(days=1)
    put_ledger(tmp_path, DAY, "e1")
    put_ledger(tmp_path, following, "e9")
    pull(source, landing, DAY)
    assert entries_of(landing, DAY) == ["e1"], "the next day's file waits for its day"
    put_ledger(tmp_path, DAY - timedelta(days=3), "e0")
    put_ledger(tmp_path, DAY, "e1", "e2")
    pull(source, landing, following)
    assert entries_of(landing, following) == ["e0", "e1", "e2", "e9"]
    last = following + timedelta(days=1)
    with pytest.raises(PullError, match=r"no file dt=.*of 2026-03-06 lies in .* counts as missing"):
        pull(source, landing, last)
    put_ledger(tmp_path, last)
    (tmp_path / f"dt={last}" / "ledger.csv").write_text(LEDGER)
    with pytest.raises(PullError, match="nothing came for ledger_entries"):
        pull(source, landing, last)


def test_a_day_without_rows_is_a_file_without_rows_if_that_is_said(tmp_path: Path) -> None:
    tables = {"ledger_entries": {"pattern": "*.csv", "may_be_empty": True}}
    source = source_of(tmp_path, {"location": str(tmp_path), "tables": tables})
    (tmp_path / "a.csv").write_text(LEDGER)
    assert [file.rows for file in pull(source, tmp_path / "landing", DAY).files] == [0]


def test_what_is_not_required_may_be_absent(tmp_path: Path) -> None:
    tables = {
        "ledger_entries": {"pattern": "{date}.csv"},
        "market_depth": {"pattern": "depth-{date}.csv", "required": False},
    }
    source = source_of(tmp_path, {"location": str(tmp_path), "tables": tables})
    (tmp_path / f"{DAY}.csv").write_bytes(ledger_csv())
    assert [file.table for file in pull(source, tmp_path / "landing", DAY).files] == ["ledger_entries"]
    probes = check_source(source, tmp_path / "landing", clock(DAY))
    assert [(probe.subject, probe.works) for probe in probes] == [("ledger_entries", True), ("market_depth", True)]
    assert "none is required" in probes[1].detail


def test_a_reference_table_lands_what_is_news(tmp_path: Path) -> None:
    source = source_of(tmp_path, {"location": str(tmp_path), "tables": {"entities": {"pattern": "entities.csv"}}})
    landing, rows = tmp_path / "landing", ["operator,operator,Op,,2026-01-01", "c1,customer,,,2026-03-01"]
    header = "entity_id,entity_type,name,country,recorded_at\n"
    (tmp_path / "entities.csv").write_text(header + rows[0] + "\n")
    assert [file.rows for file in pull(source, landing, DAY).files] == [1]
    assert pull(source, landing, DAY + timedelta(days=1)).files == ()
    (tmp_path / "entities.csv").write_text(header + "\n".join(rows) + "\n")
    assert [file.rows for file in pull(source, landing, DAY + timedelta(days=2)).files] == [1]
    (tmp_path / "entities.csv").unlink()
    with pytest.raises(PullError, match="counts as missing"):
        pull(source, landing, DAY + timedelta(days=3))


# A landing zone elsewhere


def write_landing(folder: Path, day: date) -> None:
    for name, content in {
        "ledger_entries": ledger_csv(day),
        "balance_snapshots": b"account_id,asset,balance,as_of\n",
        "wallet_balances": f"wallet_id,asset,balance,as_of,block_height\nw1,BTC,1,{day}T23:59:59Z,\n".encode(),
        "token_prices": f"asset,price_usd,volume_usd,as_of,source\nBTC,1,,{day}T23:59:59Z,x\n".encode(),
    }.items():
        path = folder / name / f"date={day}" / "part.csv"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)


def test_a_landing_zone_elsewhere_is_one_entry(tmp_path: Path) -> None:
    there, landing = tmp_path / "there", tmp_path / "landing"
    write_landing(there, DAY)
    (there / "entities").mkdir()
    (there / "entities" / "all.csv").write_text(
        "entity_id,entity_type,name,country,recorded_at\no,operator,,,2026-01-01\n"
    )
    (there / "ledger_entries" / f"date={DAY}" / "README.md").write_text("no data")
    (there / "_manifests").mkdir()
    source = source_of(tmp_path, {"location": str(there), "layout": "landing"})
    files = {file.table: file.rows for file in pull(source, landing, DAY).files}
    assert files == {
        "entities": 1,
        "ledger_entries": 3,
        "balance_snapshots": 0,
        "wallet_balances": 1,
        "token_prices": 1,
    }
    assert all(probe.works for probe in check_source(source, landing, clock(DAY)))
    shutil.rmtree(there / "balance_snapshots")
    write_landing(tmp_path / "more", DAY + timedelta(days=1))
    shutil.copytree(tmp_path / "more", there, dirs_exist_ok=True)
    shutil.rmtree(there / "balance_snapshots")
    with pytest.raises(PullError, match="no file balance_snapshots/date="):
        pull(source, landing, DAY + timedelta(days=1))


@pytest.mark.parametrize("key", ["2026-03-04/a.csv", "a.csv", "date=2026-03-04/deeper/a.csv"])
def test_a_file_for_which_a_landing_zone_has_no_place_is_refused(tmp_path: Path, key: str) -> None:
    write_landing(tmp_path / "there", DAY)
    path = tmp_path / "there" / "ledger_entries" / key
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(ledger_csv())
    source = source_of(tmp_path, {"location": str(tmp_path / "there"), "layout": "landing"})
    with pytest.raises(PullError, match="has no place for it"):
        pull(source, tmp_path / "landing", DAY)


# What is refused


def refusal(tmp_path: Path, name: str, content: bytes, columns: dict[str, Any] | None = None) -> str:
    (tmp_path / name).write_bytes(content)
    tables = {"ledger_entries": {"pattern": "bad.*", "columns": columns or {}}}
    source = source_of(tmp_path, {"location": str(tmp_path), "tables": tables, "limits": LIMITS})
    with pytest.raises(PullError) as refused:
        pull(source, tmp_path / "landing", DAY)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def row(amount: str, name: str = "e1") -> bytes:
    return ledger_csv(entries=[(name, "t", "a", "BTC", amount, "trade", None, None)])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (row("0.1234567890123456789"), "bad.csv, row 1, amount: more than 18 decimal places (0.1234567890123456789)"),
        (row("1e20"), "row 1, amount: more than 20 digits before the point (1e20)"),
        (row("one"), "row 1, amount: not a decimal number (<one>)"),
        (row(""), "row 1, amount: nothing, and it is required"),
        (row("1").replace(b"trade", b"gift"), "row 1, entry_type: unknown value (<gift>)"),
        (row("1").replace(b"T10:00:00Z", b" noon"), "row 1, effective_at: not a time in ISO 8601"),
        (row("1").replace(b"asset", b"coin"), "bad.csv, line 1: asset column is missing"),
        (row("1").replace(b"memo", b"asset"), "bad.csv, line 1: asset column stands 2 times"),
        (row("1") + b"e2,t\n", "bad.csv, line 3: 2 cells in a row of 10 columns"),
        (row("1", "\u00e9").decode().encode("latin-1"), "bad.csv, line 2: text isn't valid UTF-8"),
        (b"", "bad.csv, line 1: file has no header"),
    ],
)
def test_rows_that_the_contract_can_t_hold_name_their_place(tmp_path: Path, content: bytes, says: str) -> None:
    assert with_hashes(says) in refusal(tmp_path, "bad.csv", content)


def test_a_refusal_deep_in_a_file_names_its_row(tmp_path: Path) -> None:
    entries: list[tuple[str | None, ...]] = [
        (f"e{number}", "t", "a", "BTC", "1" if number != 9_000 else "x", "trade", None, None)
        for number in range(10_000)
    ]
    assert "row 9001, amount" in refusal(tmp_path, "bad.csv", ledger_csv(entries=entries))


def test_binary_floats_are_refused(tmp_path: Path) -> None:
    columns: dict[str, Any] = {name: ["x"] for name in LEDGER.strip().split(",")}
    columns |= {"amount": [0.1], "entry_type": ["trade"], "effective_at": ["2026-03-04"], "recorded_at": ["2026-03-04"]}
    pq.write_table(pa.table(columns), tmp_path / "made.parquet")
    content = (tmp_path / "made.parquet").read_bytes()
    assert "bad.parquet, row 1, amount: delivered as a binary float (DOUBLE)" in refusal(
        tmp_path, "bad.parquet", content
    )


def test_a_few_bytes_of_parquet_that_stand_for_millions_of_rows(tmp_path: Path) -> None:
    pq.write_table(pa.table({"entry_id": pa.nulls(30_000_000, pa.string())}), tmp_path / "made.parquet")
    content = (tmp_path / "made.parquet").read_bytes()
    assert len(content) < 100_000
    assert "larger than 2 MB" in refusal(tmp_path, "bad.parquet", content)
    pq.write_table(pa.table({"entry_id": pa.nulls(1_900_000, pa.string())}), tmp_path / "made.parquet")
    assert "decompresses to more" in refusal(tmp_path, "bad.parquet", (tmp_path / "made.parquet").read_bytes())


def test_formats_that_are_none(tmp_path: Path) -> None:
    assert "neither parquet, csv nor jsonl" in refusal(tmp_path, "bad.xlsx", b"PK")


def test_columns_may_be_renamed_shared_and_constant(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"Id": "e1", "tx": 7, "amount": 1.0e-18, "at": "2026-03-04T00:00:00+02:00", "x": 1}\n'
    )
    columns = {
        "entry_id": "Id",
        "transaction_id": "tx",
        "account_id": {"constant": 12},
        "asset": {"constant": "BTC"},
        "entry_type": {"constant": "trade"},
        "effective_at": "at",
        "recorded_at": "at",
        "reference": {"constant": None},
        "memo": {"constant": "it's {date}."},
    }
    configuration = FilesConfiguration.model_validate(
        {
            "kind": "files",
            "location": str(tmp_path),
            "tables": {"ledger_entries": {"pattern": "*.jsonl", "columns": columns}},
        }
    )
    heard: list[str] = []
    connector = FilesConnector("drop", configuration, Services(tmp_path, report=heard.append))
    from orchestration.connectors.base import Order

    (batch, _) = [
        answer.rows.read_all().to_pylist() if isinstance(answer, Batch) else answer
        for answer in connector.pull(Order(DAY))
    ]
    assert batch == [
        {
            "entry_id": "e1",
            "transaction_id": "7",
            "account_id": "12",
            "asset": "BTC",
            "amount": Decimal("1e-18"),
            "entry_type": "trade",
            "effective_at": datetime(2026, 3, 3, 22),
            "recorded_at": datetime(2026, 3, 3, 22),
            "reference": None,
            "memo": "it's .",
        }
    ]
    assert any("columns left out: x" in text for text in heard)


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"location": "/x"}, "tables is missing"),
        ({"location": "ftp://x", "layout": "landing"}, "a folder or s3://"),
        ({"location": "s3://", "layout": "landing"}, "names no bucket"),
        ({"location": "s3://b", "layout": "landing", "access_key_variable": "A"}, "go together"),
        ({"location": "/x", "layout": "landing", "region": "eu"}, "are of s3:// locations"),
        ({"location": "/x", "tables": {"ledger": {"pattern": "*"}}}, "has no table ledger"),
        ({"location": "/x", "tables": {"tokens": {}}}, "a pattern is given here"),
        ({"location": "/x", "layout": "landing", "tables": {"tokens": {"pattern": "*"}}}, "a pattern is given here"),
        (
            {"location": "/x", "tables": {"tokens": {"pattern": "*", "columns": {"coin": "c"}}}},
            "tokens has no column coin",
        ),
        ({"location": "/x", "tables": {"tokens": {"pattern": "/a"}}}, "no pattern of files"),
        (
            {"location": "/x", "tables": {"tokens": {"pattern": "*", "columns": {"asset": {"constant": 0.5}}}}},
            "columns.asset",
        ),
    ],
)
def test_configurations_that_are_refused(tmp_path: Path, section: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        source_of(tmp_path, section)
    assert says in str(refused.value)


def test_a_file_that_can_t_be_read_is_told_by_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(ledger_csv())
    source = source_of(tmp_path, {"location": str(tmp_path), "tables": {"ledger_entries": {"pattern": "*.csv"}}})

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, os.strerror(13))

    monkeypatch.setattr(Path, "open", refuse)
    (probe,) = check_source(source, tmp_path, clock(DAY))
    assert not probe.works
    assert "Permission denied" in probe.detail
