"""The lake's parts that need no extension: naming a catalogue, and making tables of one database those of another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import ConfigurationError
from orchestration.lake.__main__ import main
from orchestration.lake.catalogue import connection_with_extensions, parse_catalogue, parse_data
from orchestration.lake.mirror import Change, bring_up_to_date, tables

SCHEMAS = ("marts", "audit")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as opened:
        opened.execute("attach ':memory:' as source; attach ':memory:' as lake")
        opened.execute("create schema source.marts; create schema source.audit")
        yield opened


def brought(connection: duckdb.DuckDBPyConnection) -> list[Change]:
    connection.execute("begin transaction")
    changes = bring_up_to_date(connection, SCHEMAS)
    connection.execute("commit")
    return changes


def test_rows_without_a_day_and_repeated_rows_count(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table source.marts.flow as select null::date as day, 1::decimal(38, 18) as amount")
    assert brought(connection) == [Change('"marts"."flow"', 1)]
    assert brought(connection) == []
    connection.execute("insert into source.marts.flow values (null, 1)")
    assert brought(connection) == [Change('"marts"."flow"', 2)]
    connection.execute("delete from source.marts.flow")
    assert brought(connection) == [Change('"marts"."flow"', 0)]
    assert connection.execute("from lake.marts.flow").fetchall() == []


def test_a_day_that_is_gone_goes_and_others_stay(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "create table source.marts.flow as select date '2024-01-01' + i::integer as day from range(3) r(i)"
    )
    assert brought(connection) == [Change('"marts"."flow"', 3)]
    connection.execute("delete from source.marts.flow where day = '2024-01-02'")
    assert brought(connection) == [Change('"marts"."flow"', 0)]
    assert connection.execute("select count(*) from lake.marts.flow").fetchall() == [(2,)]


def test_a_table_that_became_nullable_or_wider_is_made_anew(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table source.marts.price (asset varchar not null, price decimal(20, 2))")
    connection.execute("insert into source.marts.price values ('BTC', 1)")
    brought(connection)
    for change in ("alter asset drop not null", "alter price type decimal(38, 18)"):
        connection.execute(f"alter table source.marts.price {change}")
        assert brought(connection) == [Change('"marts"."price"', 1)]
        assert tables(connection, "lake", SCHEMAS) == tables(connection, "source", SCHEMAS)


def test_what_a_view_gives_is_kept_as_a_table(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create view source.audit.notice as select 'text' as notice")
    assert brought(connection) == [Change('"audit"."notice"', 1)]
    assert connection.execute("from lake.audit.notice").fetchall() == [("text",)]


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("lake.sqlite", "must be sqlite:FILE"),
        ("sqlite:", "must be sqlite:FILE"),
        ("duckdb:lake.duckdb", "admits one process at a time"),
        ("postgres:dbname=lake password=secret", "PGPASSWORD"),
        ("postgres:postgresql://me:secret@host/lake", "PGPASSWORD"),
    ],
)
def test_a_catalogue_that_can_t_be_shared_is_refused(text: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError, match=remedy) as raised:
        parse_catalogue(text)
    assert "secret" not in str(raised.value)


def test_places_don_t_depend_on_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_catalogue("sqlite:lake.sqlite").name == f"ducklake:sqlite:{tmp_path}/lake.sqlite"
    assert parse_catalogue("postgres:dbname=lake host=db").name == "ducklake:postgres:dbname=lake host=db"
    assert parse_data("files") == f"{tmp_path}/files"
    assert parse_data("s3://bucket/lake") == "s3://bucket/lake"


def test_an_extension_that_isn_t_there_is_named_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"extension nothing of DuckDB .* 'make lake' sets one up"):
        connection_with_extensions(("nothing",)).__enter__()
    assert main(["publications", "--catalogue", "duckdb:x"]) == 2
    assert capsys.readouterr().err.startswith("ringfence lake: catalogue duckdb:x: a DuckDB file admits one process")
