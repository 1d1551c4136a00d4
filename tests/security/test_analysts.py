"""Analysts read what was published, and nothing else on the machine or beyond it, however they ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration import cli
from orchestration.errors import ConfigurationError
from orchestration.reading.published import _CONFINED, open_published, published_connection
from orchestration.settings import REPOSITORY, WarehousePaths

SECRET = "hidden in a file"


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warehouse")
    (folder / "secret.csv").write_text(f"text\n{SECRET}\n", encoding="utf-8")
    for name in ("ringfence", "other"):
        with duckdb.connect(str(folder / f"{name}.duckdb")) as connection:
            connection.execute("create schema marts")
            connection.execute(f"create table marts.amount as select 1 as amount, '{SECRET}' as text")
    return folder


@pytest.fixture
def analyst(warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[duckdb.DuckDBPyConnection]:
    monkeypatch.chdir(warehouse)
    connection = open_published(warehouse)
    yield connection
    connection.close()


FORBIDDEN = (
    # files
    "from read_csv('secret.csv')",
    "from 'secret.csv'",
    "from read_text('/etc/passwd')",
    "from read_blob('/proc/self/environ')",
    "from read_json('secret.csv')",
    "from read_parquet('secret.csv')",
    "from parquet_metadata('secret.csv')",
    "from sniff_csv('secret.csv')",
    "from glob('*')",
    "from query('from read_csv(''secret.csv'')')",
    "attach 'other.duckdb' as other (read_only)",
    "attach ':memory:' as scratch",
    "import database 'dump'",
    # writing
    "copy marts.amount to 'written.csv'",
    "copy (select 1) to '/dev/stdout'",
    "export database 'dump'",
    "create table marts.more (amount integer)",
    "insert into marts.amount values (2, '')",
    "update marts.amount set amount = 2",
    "drop table marts.amount",
    "alter table marts.amount add column more integer",
    "create view marts.looking as select 1",
    "create macro looking() as 1",
    "comment on table marts.amount is 'changed'",
    # the network and foreign code
    "from read_csv('https://example.org/x.csv')",
    "from read_parquet('s3://bucket/x.parquet')",
    "install httpfs",
    "load httpfs",
    "load '/tmp/any.duckdb_extension'",
    "install quack from community",
    "force install httpfs from 'http://example.org'",
    "update extensions",
    "call dbgen(sf = 0.01)",
    "create secret looking (type s3, key_id 'a', secret 'b')",
    "create persistent secret looking (type s3)",
    # the process around it
    "select getenv('HOME')",
    "from of_python",
    # the way back
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset lock_configuration",
    "reset enable_external_access",
    "set global allowed_directories = ['/']",
    "set allowed_paths = ['/etc/passwd']",
    "set temp_directory = '/tmp'",
    "set extension_directory = '/tmp'",
    "set custom_extension_repository = 'http://example.org'",
    "set allow_unsigned_extensions = true",
    "set python_enable_replacements = true",
    "pragma enable_profiling",
    "pragma profiling_output = 'written.json'",
    "set log_query_path = 'written.log'",
    "call enable_logging(storage = 'file', storage_path = 'logs')",
    "set secret_directory = '/tmp'",
    "set memory_limit = '1TB'",
)


@pytest.mark.parametrize("sql", FORBIDDEN)
def test_what_is_forbidden(analyst: duckdb.DuckDBPyConnection, warehouse: Path, sql: str) -> None:
    of_python = duckdb.connect().sql("select 1")  # noqa: F841 (what a replacement scan would find)
    before = sorted(path.name for path in warehouse.iterdir())
    with pytest.raises(duckdb.Error) as refused:
        analyst.execute(sql).fetchall()
    assert SECRET not in str(refused.value)
    assert sorted(path.name for path in warehouse.iterdir()) == before
    assert analyst.execute("select amount from marts.amount").fetchall() == [(1,)]


def test_what_is_theirs(analyst: duckdb.DuckDBPyConnection) -> None:
    assert analyst.execute("select sum(amount) from marts.amount where text = ?", [SECRET]).fetchall() == [(1,)]
    analyst.execute("create temp table mine as from marts.amount")
    assert analyst.execute("select count(*) from mine").fetchall() == [(1,)]


def test_the_command_is_as_confined_and_says_so_in_a_line(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for sql in ("from read_text('/etc/passwd')", "set lock_configuration = false", "copy (select 1) to '/tmp/x'"):
        assert cli._invoke(["query", "--warehouse", str(warehouse), sql]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("ringfence: the query can't be run: ")
        assert captured.err.count("\n") == 1


def test_statements_don_t_come_in_pairs(warehouse: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli._invoke(["query", "--warehouse", str(warehouse), "select 1; from glob('*')"]) == 2
    assert "2 SQL statements" in capsys.readouterr().err


def test_several_at_once_are_all_confined(warehouse: Path) -> None:
    paths = WarehousePaths(warehouse)
    with published_connection(paths) as one, published_connection(paths) as other:
        for connection in (one, other):
            with pytest.raises(duckdb.Error, match="disabled"):
                connection.execute("from read_text('/etc/passwd')")
    with duckdb.connect(str(paths.published_file), read_only=True) as free:  # another instance, not locked for good
        assert free.execute("from glob('/etc/passw?')").fetchall() == [("/etc/passwd",)]


def test_a_folder_without_a_warehouse_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no warehouse in"):
        open_published(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_recipes_show_analysts_this_way() -> None:
    text = " ".join((REPOSITORY / "orchestration" / "reading" / "RECIPES.md").read_text(encoding="utf-8").split())
    assert "from orchestration.reading.published import open_published" in text
    statements = "set enable_external_access = false; set lock_configuration = true"
    assert f'duckdb -readonly -cmd "{statements}"' in text
    assert set(statements.split("; ")) <= set(_CONFINED)
