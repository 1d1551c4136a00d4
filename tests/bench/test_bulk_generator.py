"""The bulk generator's exchange is sound whatever its size, and the same for the same seed."""

from __future__ import annotations

from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from orchestration.bench.exchange import judge, scratch_settings
from orchestration.bench.speed.bulk_market import FIRST_DATE
from orchestration.bench.speed.generator import Size, generate
from orchestration.contract import TABLES

MORE_ACCOUNTS_THAN_ENTRIES = Size(2_000, 5_000, 2, seed=1)
QUIET_END = Size(4_000, 20, 3, seed=3, has_quiet_end=True)


@pytest.mark.parametrize("size", [MORE_ACCOUNTS_THAN_ENTRIES, QUIET_END], ids=str)
def test_no_check_finds_anything(tmp_path: Path, size: Size) -> None:
    generate(size, tmp_path / "landing")
    judgement = judge(scratch_settings(tmp_path / "landing", tmp_path / "warehouse"), FIRST_DATE, size.last_date)
    assert (judgement.is_refused, judgement.findings) == (False, frozenset())


def test_entries_are_as_many_as_asked_for_and_the_quiet_end_has_none(tmp_path: Path) -> None:
    written = generate(QUIET_END, tmp_path / "landing")
    assert QUIET_END.entries - 6 * QUIET_END.days <= written.rows["ledger_entries"] <= QUIET_END.entries + 6
    last = written.folder / "ledger_entries" / f"date={QUIET_END.last_date}" / "part-0.parquet"
    assert duckdb.sql(f"select count(*) from '{last}'").fetchall() == [(0,)]


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    def digests(folder: Path) -> dict[str, str]:
        files = sorted(folder.rglob("*.parquet"))
        return {str(file.relative_to(folder)): sha256(file.read_bytes()).hexdigest() for file in files}

    first = digests(generate(QUIET_END, tmp_path / "first", threads=1).folder)
    assert first == digests(generate(QUIET_END, tmp_path / "second", threads=2).folder)


def test_files_have_the_contract_s_columns_and_exact_amounts(tmp_path: Path) -> None:
    folder = generate(QUIET_END, tmp_path / "landing").folder
    for table in TABLES:
        if (folder / table.name).exists():
            files = f"'{folder / table.name}/**/*.parquet'"
            described = duckdb.sql(
                f"describe select * from read_parquet({files}, hive_partitioning = false)"
            ).fetchall()
            assert [row[:2] for row in described] == [(column.name, column.duckdb_type) for column in table.columns]
    smallest = duckdb.sql(
        f"select min(abs(amount)) from '{folder}/ledger_entries/*/*.parquet' where asset = 'ETH'"
    ).fetchall()[0][0]
    assert smallest % Decimal("0.00000001") != 0


def test_nothing_is_recorded_after_its_day_s_end(tmp_path: Path) -> None:
    folder = generate(Size(60_000, 1_000, 1, seed=4), tmp_path / "landing").folder
    for table in ("ledger_entries", "wallet_transfers"):
        last = duckdb.sql(f"select max(recorded_at) from '{folder}/{table}/*/*.parquet'").fetchall()[0][0]
        assert last.date() == FIRST_DATE
        assert last.hour == 23
