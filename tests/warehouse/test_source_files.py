"""The accepted rows as Parquet: which tables, which types, and what stands in for the plan."""

from __future__ import annotations

import shutil
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from orchestration.cli import app
from orchestration.errors import ConfigurationError
from orchestration.landing.dbt_files import model_sources
from orchestration.settings import WarehousePaths
from orchestration.warehouse.source_files import ExportError, export_sources
from tests.support.warehouse import create_build_file

SMALLEST = "12345678901234567890.000000000000000001"


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build file with one entry, under a plan that continues an earlier build."""
    path = tmp_path_factory.mktemp("made") / "build.duckdb"
    entry = {
        "entry_id": "e", "transaction_id": "t", "account_id": "a", "asset": "USD", "amount": SMALLEST,
        "entry_type": "trade", "effective_at": "2022-01-01T12:00:00.000001",
    }  # fmt: skip
    create_build_file(path, {"ledger_entries": [entry]}, first_date="2022-01-01", last_date="2022-01-02")
    with duckdb.connect(str(path)) as connection:
        connection.execute("update policy.build_plan set is_whole = false, built_load_number = 3")
        connection.execute("insert into policy.built_asset_day select '2022-01-01', 'USD', 1, 1")
    return path


@pytest.fixture
def build_file(made_once: Path, tmp_path: Path) -> Path:
    """A warehouse's build file of the test's own."""
    path = WarehousePaths(tmp_path / "warehouse").build_file
    path.parent.mkdir(parents=True)
    return Path(shutil.copy(made_once, path))


def rows(folder: Path, table: str, what: str = "*") -> list[tuple[object, ...]]:
    schema, name = table.split(".")
    return duckdb.sql(f"select {what} from read_parquet('{folder}/{schema}/{name}/*.parquet')").fetchall()


def test_every_source_of_the_models_is_written(build_file: Path, tmp_path: Path) -> None:
    tables = export_sources(build_file, str(tmp_path / "out"))
    assert [(table.schema, table.name) for table in tables] == model_sources()
    assert {table.name: table.rows for table in tables}["ledger_entries"] == 1


def test_amounts_and_times_keep_their_last_place(build_file: Path, tmp_path: Path) -> None:
    export_sources(build_file, str(tmp_path))
    what = "amount, typeof(amount), cast(effective_at as varchar), typeof(effective_at)"
    assert rows(tmp_path, "raw.ledger_entries", what) == [
        (Decimal(SMALLEST), "DECIMAL(38,18)", "2022-01-01 12:00:00.000001", "TIMESTAMP")
    ]


def test_what_is_built_elsewhere_is_built_whole(build_file: Path, tmp_path: Path) -> None:
    export_sources(build_file, str(tmp_path))
    assert rows(tmp_path, "policy.build_plan", "is_whole, built_load_number") == [(True, None)]
    assert rows(tmp_path, "policy.built_asset_day") == []


def test_the_plan_that_is_handed_over_has_the_plan_s_columns(build_file: Path, tmp_path: Path) -> None:
    export_sources(build_file, str(tmp_path))
    described = "describe select * from"
    written = duckdb.sql(f"{described} read_parquet('{tmp_path}/policy/build_plan/*.parquet')").fetchall()
    with duckdb.connect(str(build_file), read_only=True) as connection:
        kept = connection.sql(f"{described} policy.build_plan").fetchall()
    assert [row[:2] for row in written] == [row[:2] for row in kept]


def test_a_second_export_replaces_the_first(build_file: Path, tmp_path: Path) -> None:
    for _ in range(2):
        export_sources(build_file, str(tmp_path))
    assert len(rows(tmp_path, "raw.ledger_entries")) == 1


def test_wide_integers_are_written_as_decimals_and_other_types_are_refused(build_file: Path, tmp_path: Path) -> None:
    with duckdb.connect(str(build_file)) as connection:
        connection.execute("alter table raw.tokens add column wide hugeint")
    export_sources(build_file, str(tmp_path))
    assert rows(tmp_path, "raw.tokens", "typeof(any_value(wide))") == [("DECIMAL(38,0)",)]
    with duckdb.connect(str(build_file)) as connection:
        connection.execute("alter table raw.tokens add column approximate double")
    with pytest.raises(ExportError, match=r"'approximate' of raw\.tokens has type DOUBLE"):
        export_sources(build_file, str(tmp_path))


def test_a_place_that_can_t_be_written_to_is_named(build_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere://x"):
        export_sources(build_file, "nowhere://x")
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportError, match="can't be written to"):
        export_sources(build_file, str(tmp_path / "file"))


def test_the_command_says_what_it_wrote(build_file: Path, tmp_path: Path) -> None:
    warehouse = str(build_file.parents[1])
    result = CliRunner().invoke(app, ["export-sources", "--warehouse", warehouse, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    assert f"of {len(model_sources())} tables" in result.output


def test_without_a_warehouse_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="run the job"):
        export_sources(tmp_path / "none.duckdb", str(tmp_path / "out"))
    assert list(tmp_path.iterdir()) == []
