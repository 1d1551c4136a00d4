"""Published tables as Parquet: exact, the same bytes again, whole or not there, and nobody else's folder."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from orchestration import cli
from orchestration.errors import ConfigurationError
from orchestration.reading import export as exporting
from orchestration.reading.export import MANIFEST, Choice, ExportError, export_tables
from orchestration.reading.published import open_published
from tests.support.published import PublishedWarehouse

HUGE = "12345678901234567890.000000000000000001"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two days of marts and audit, a table by month, one without a date, and an amount that no float can hold."""
    folder = tmp_path_factory.mktemp("warehouse")
    published = PublishedWarehouse(folder)
    for day in (date(2026, 3, 4), date(2026, 3, 5)):
        published.publish(day=day)
    published.paths.published_file.chmod(0o600)
    with duckdb.connect(str(published.paths.published_file)) as connection:
        connection.execute(
            f"""
            create table marts.amount as
            from (values ('2026-03-04'::date, {HUGE}::decimal(38, 18), 7::hugeint), (null, 1, 2), ('2026-03-05', 2, 3),
                ('2026-03-04', -1, 1)) as rows (as_of_date, amount, rank)
            """
        )
        connection.execute(
            "create table marts.monthly as from (values ('2026-02-01'::date, 1), ('2026-03-01', 2)) as rows (month, n)"
        )
        connection.execute("create table marts.dim_entity as from (values ('b'), ('a')) as rows (entity_id)")
        connection.execute("create table marts.nothing (as_of_date date, n integer)")
        connection.execute("create view marts.amount_today as from marts.amount where as_of_date = '2026-03-05'")
    return folder


@pytest.fixture
def connection(warehouse: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    connection = open_published(warehouse)
    yield connection
    connection.close()


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_each_day_is_a_folder_and_every_reader_gets_the_exact_amounts(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    exported = export_tables(connection, tmp_path / "out", Choice(("amount", "dim_entity", "monthly", "nothing")))
    assert (exported.tables, exported.files, exported.rows) == (4, 6, 8)
    place = tmp_path / "out" / "marts"
    assert sorted(path.name for path in (place / "amount").iterdir()) == [
        "as_of_date=2026-03-04",
        "as_of_date=2026-03-05",
        f"as_of_date={exporting.NO_DATE}",
    ]
    day = pq.read_table(place / "amount" / "as_of_date=2026-03-04" / "rows.parquet", partitioning=None)
    assert day.to_pylist() == [{"amount": Decimal(-1), "rank": 1}, {"amount": Decimal(HUGE), "rank": 7}]
    assert day.schema.field("amount").type == pa.decimal128(38, 18)
    assert pq.read_table(place / "dim_entity" / "rows.parquet").to_pylist() == [{"entity_id": "a"}, {"entity_id": "b"}]

    expected = connection.sql("select * from marts.amount order by all").fetchall()
    by_duckdb = duckdb.sql(
        f"select as_of_date, amount, rank from read_parquet('{place}/amount/*/*.parquet') order by all"
    )
    assert by_duckdb.fetchall() == expected
    by_polars = pl.scan_parquet(place / "amount", try_parse_hive_dates=True).select("as_of_date", "amount", "rank")
    assert sorted(by_polars.collect().rows(), key=str) == sorted(expected, key=str)
    hive = ds.partitioning(pa.schema([("as_of_date", pa.date32())]), flavor="hive")
    by_arrow = ds.dataset(place / "amount", partitioning=hive).to_table(columns=["as_of_date", "amount", "rank"])
    assert sorted((tuple(row.values()) for row in by_arrow.to_pylist()), key=str) == sorted(expected, key=str)


def test_a_view_is_written_if_it_is_named(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    exported = export_tables(connection, tmp_path / "out", Choice(("marts.amount_today",)))
    assert (exported.tables, exported.rows) == (1, 1)


def test_the_manifest_says_which_publication_and_proves_every_file(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    export_tables(connection, tmp_path / "out", Choice(("marts", "audit.finding")))
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text(encoding="utf-8"))
    assert manifest["publication"]["run_id"] == "run-2"
    assert manifest["publication"]["last_date"] == "2026-03-05"
    assert manifest["choice"] == {"tables": ["marts", "audit.finding"], "from": None, "to": None}
    tables = {table["table"]: table for table in manifest["tables"]}
    assert tables["marts.amount"]["columns"]["amount"] == "decimal128(38, 18)"
    assert tables["marts.nothing"]["files"] == []
    assert "audit.run" not in tables
    assert "marts.amount_today" not in tables
    listed = {file["path"]: file for table in manifest["tables"] for file in table["files"]}
    found = files(tmp_path / "out")
    assert set(listed) == set(found) - {MANIFEST}
    for path, file in listed.items():
        assert file["sha256"] == hashlib.sha256(found[path]).hexdigest()
        assert file["bytes"] == len(found[path])
        assert file["rows"] == pq.read_metadata(tmp_path / "out" / path).num_rows
    for name, table in tables.items():
        assert sum(file["rows"] for file in table["files"]) == connection.sql(f"from {name}").shape[0]


def test_an_export_is_replaced_by_the_next_and_has_the_same_bytes(
    warehouse: Path, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_tables(connection, out, Choice(("marts",)))
    first = files(out)
    (out / "marts" / "stale.parquet").write_bytes(b"")
    export_tables(connection, out, Choice(("marts",)))
    assert files(out) == first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_days_are_chosen_and_a_month_that_has_one_of_them(
    warehouse: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["export", "--warehouse", str(warehouse), "--out", str(tmp_path / "out"), "--from", "2026-03-05"]
    assert cli._invoke([*arguments, "--to", "2026-03-05", "--tables", "amount, monthly,dim_entity"]) == 0
    assert capsys.readouterr().out == f"wrote 4 rows of 3 tables to {tmp_path / 'out'} (3 files)\n"
    assert sorted(files(tmp_path / "out" / "marts")) == [
        "amount/as_of_date=2026-03-05/rows.parquet",
        "dim_entity/rows.parquet",
        "monthly/month=2026-03-01/rows.parquet",
    ]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (Choice(("amoun",)), "no table or schema 'amoun' that could be exported; did you mean amount"),
        (Choice(("raw",)), "no table or schema 'raw' that could be exported; schemas marts and audit"),
        (Choice(first=date(2026, 3, 5), last=date(2026, 3, 4)), "--from 2026-03-05 is after --to 2026-03-04"),
    ],
)
def test_a_wrong_choice_is_refused(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, choice: Choice, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        export_tables(connection, tmp_path / "out", choice)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_anything_else_in_it_is_left_alone(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("years", encoding="utf-8")
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "theirs")
    for name in ("theirs", "link"):
        with pytest.raises(ConfigurationError, match="holds other files"):
            export_tables(connection, tmp_path / name, Choice())
    with pytest.raises(ConfigurationError, match="is no folder"):
        export_tables(connection, tmp_path / "file", Choice())
    with pytest.raises(ExportError, match="can't be written: No such file or directory; choose another --out"):
        export_tables(connection, tmp_path / "none" / "out", Choice())
    assert files(tmp_path / "theirs") == {"thesis.txt": b"years"}
    (tmp_path / "empty").mkdir()
    assert export_tables(connection, tmp_path / "empty", Choice(("dim_entity",))).rows == 2


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_breaks_off_leaves_the_export_before_and_nothing_half(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    out = tmp_path / "out"
    export_tables(connection, out, Choice(("dim_entity",)))
    before = files(out)
    write = exporting.write_batches
    calls = iter(range(3))

    def breaks(*arguments: object) -> int:
        if next(calls) == 2:
            raise error
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(exporting, "write_batches", breaks)
    with pytest.raises((ExportError, KeyboardInterrupt)):
        export_tables(connection, out, Choice(("marts",)))
    assert files(out) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_what_a_killed_export_left_is_put_right_by_the_next(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    export_tables(connection, out, Choice(("dim_entity",)))
    (tmp_path / ".out.exporting" / "marts").mkdir(parents=True)
    (tmp_path / ".out.exporting" / "half.parquet").write_bytes(b"PAR1")
    out.rename(tmp_path / ".out.replaced")
    with pytest.raises(ConfigurationError):
        export_tables(connection, out, Choice(first=date(2026, 3, 5), last=date(2026, 3, 4)))
    assert not out.exists()
    export_tables(connection, out, Choice(("monthly",)))
    assert sorted(files(out)) == [
        MANIFEST, "marts/monthly/month=2026-02-01/rows.parquet", "marts/monthly/month=2026-03-01/rows.parquet"
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_one_export_at_a_time_has_the_folder(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    other = tmp_path / ".out.exporting"
    other.mkdir()
    descriptor = os.open(other, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        with pytest.raises(ExportError, match="another export is writing"):
            export_tables(connection, tmp_path / "out", Choice())
    finally:
        os.close(descriptor)
    assert other.exists()
    assert export_tables(connection, tmp_path / "out", Choice(("dim_entity",))).rows == 2
