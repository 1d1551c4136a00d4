"""Everything that is written keeps the landing contract: tables, columns, types, values, keys, references, days."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from orchestration import contract
from orchestration.simulate import simulate
from tests.simulate.landings import books, files, landing

CASES = [("healthy", 35, 120, 3), ("collapse", 62, 60, 5)]


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = simulate("collapse", tmp_path / "one", days=60, accounts=30, seed=4)
    second = simulate("collapse", tmp_path / "two", days=60, accounts=30, seed=4)
    assert files(first.folder) == files(second.folder)


def test_another_seed_gives_another_exchange(tmp_path: Path) -> None:
    ledgers = [
        files(simulate("healthy", tmp_path / str(seed), days=2, accounts=30, seed=seed).folder / "ledger_entries")
        for seed in (1, 2)
    ]
    assert ledgers[0] != ledgers[1]


@pytest.mark.parametrize("case", CASES)
def test_every_table_and_day_is_delivered(case: tuple[str, int, int, int]) -> None:
    summary = landing(*case)
    expected = {
        f"date={summary.first_date + timedelta(days=day)}"
        for day in range((summary.last_date - summary.first_date).days + 1)
    }
    assert len(expected) == case[1]
    for table in contract.TABLES:
        folder = summary.folder / table.name
        if table.dated:
            assert {path.name for path in folder.iterdir()} == expected
        assert summary.rows[table.name] > 0
    assert summary.entries == summary.rows["ledger_entries"]


@pytest.mark.parametrize("case", CASES)
def test_types_values_and_required_columns(case: tuple[str, int, int, int]) -> None:
    views = books(*case)
    for table in contract.TABLES:
        described = {row[0]: row[1] for row in views.rows(f"describe {table.name}")}
        assert described == {column.name: column.duckdb_type for column in table.columns}
        for column in table.columns:
            if column.required:
                assert views.rows(f"select count(*) from {table.name} where {column.name} is null") == [(0,)]
            if column.values:
                present = {row[0] for row in views.rows(f"select distinct {column.name} from {table.name}")}
                assert present - {None} <= set(column.values)


@pytest.mark.parametrize("case", CASES)
def test_keys_and_references(case: tuple[str, int, int, int]) -> None:
    views = books(*case)
    for table in contract.TABLES:
        identity = ", ".join(table.identity)
        repeated = f"select count(*) from (from {table.name} select {identity} group by all having count(*) > 1)"
        assert views.rows(repeated) == [(0,)], table.name
        for reference in table.references:
            orphans = (
                f"select count(*) from {table.name} where {reference.column} is not null and {reference.column} not in "
                f"(select {reference.target_column} from {reference.target_table})"
            )
            assert views.rows(orphans) == [(0,)], (table.name, reference)


@pytest.mark.parametrize("case", CASES)
def test_an_account_is_known_before_anything_happens_on_it(case: tuple[str, int, int, int]) -> None:
    early = """
        select count(*) from ledger_entries inner join accounts using (account_id)
        where effective_at < accounts.recorded_at or ledger_entries.recorded_at < accounts.recorded_at
    """
    assert books(*case).rows(early) == [(0,)]


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_recorded_after_its_day_of_delivery_ends(case: tuple[str, int, int, int]) -> None:
    folder = landing(*case).folder
    late = f"""
        select count(*) from read_parquet('{folder}/ledger_entries/*/*.parquet', hive_partitioning = true)
        where recorded_at >= date + interval 1 day or effective_at >= date + interval 1 day
            or recorded_at < effective_at
    """
    assert books(*case).rows(late) == [(0,)]


def test_some_rows_come_twice_and_some_come_late() -> None:
    summary = landing("healthy", 35, 120, 3)
    pattern = f"{summary.folder}/ledger_entries/*/*.parquet"
    views = books("healthy", 35, 120, 3)
    delivered = f"from read_parquet('{pattern}', hive_partitioning = true)"
    assert views.rows(f"select count(*) > count(distinct entry_id) {delivered}") == [(True,)]
    first = f"select entry_id, min(date) as date, any_value(effective_at) as effective_at {delivered} group by 1"
    assert views.rows(f"select count(*) > 0 from ({first}) where effective_at::date < date") == [(True,)]
