"""A publication becomes one version of the lake, exactly, whole or not at all, whoever else reads or writes.

Published by the pipeline's DuckDB, written and read in the lake's environment: ``make test-lake``.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pytest

from orchestration.settings import WarehousePaths
from tests.lake.environment import Lake, publish_warehouse

FIRST_DAYS = """
    create table marts.fct_solvency_daily (as_of_date date not null, gap_usd decimal(38, 18), status varchar);
    comment on table marts.fct_solvency_daily is 'Grain: one row per day; it''s exact';
    comment on column marts.fct_solvency_daily.gap_usd is 'USD';
    insert into marts.fct_solvency_daily values
        ('2024-01-01', 12345678901234567890.000000000000000001, 'passed'),
        ('2024-01-02', -99999999999999999999.999999999999999999, null);
    create table marts.dim_asset as select 'BTC' as asset;
"""
NEXT_DAY = """
    insert into marts.fct_solvency_daily values ('2024-01-03', 0.000000000000000001, '');
    update marts.fct_solvency_daily set gap_usd = 5 where as_of_date = '2024-01-01';
"""


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def warehouse(tmp_path: Path) -> WarehousePaths:
    return publish_warehouse(tmp_path / "warehouse", "run1", FIRST_DAYS)


def described(paths: WarehousePaths, sql: str) -> list[list[str]]:
    with duckdb.connect(str(paths.published_file), read_only=True) as connection:
        rows = connection.execute(f"select columns(*)::varchar from ({sql})").fetchall()
        return [["" if value is None else str(value) for value in row] for row in rows]


def test_every_type_arrives_as_it_was_published(lake: Lake, tmp_path: Path) -> None:
    paths = publish_warehouse(
        tmp_path / "warehouse",
        "run1",
        FIRST_DAYS
        + """
        create table marts.of_all_types as select
            unnest([123456789012345678901234567.12345678901, null])::decimal(38, 11) as wide,
            0.000000000001::decimal(13, 12) as share, 18446744073709551615::ubigint as unsigned, -5::integer as whole,
            timestamp '2024-01-01 23:59:59.999999' as moment, timestamptz '2024-01-01 00:00:00.5+00' as zoned,
            date '1969-12-31' as day, ['a', null, ''] as texts, map {'k': 'v', 'n': null} as facts,
            [9223372036854775807]::bigint[] as numbers, true as flag, 'ä''"' as text, 0.1::float as binary;
        """,
    )
    lake.publish(paths)
    listed = lake.does("query", "--csv", "select as_of_date, gap_usd from lake.marts.fct_solvency_daily order by 1")
    assert listed.splitlines()[:2] == ["as_of_date,gap_usd", "2024-01-01,12345678901234567890.000000000000000001"]
    for table, order in (("of_all_types", "wide"), ("fct_solvency_daily", "as_of_date")):
        expected = described(paths, f"from marts.{table} order by {order}")
        assert lake.rows(f"from lake.marts.{table} order by {order}") == expected
        columns = (
            "select column_name, data_type, is_nullable, comment from duckdb_columns()"
            f" where table_name = '{table}' and schema_name = 'marts' order by column_index"
        )
        assert lake.rows(columns) == described(paths, columns)
    comment = "select comment from duckdb_tables() where table_name = 'fct_solvency_daily'"
    assert lake.rows(comment) == [["Grain: one row per day; it's exact"]]


def test_only_changed_days_are_written_and_earlier_versions_stay(lake: Lake, warehouse: WarehousePaths) -> None:
    assert lake.publish(warehouse).startswith("version 1: run run1 of 2024-01-01 (passed); 3 tables, 4 rows written")
    files = lake.files()
    assert "there already, nothing written" in lake.publish(warehouse)
    assert lake.files() == files

    publish_warehouse(warehouse.root, "run2", NEXT_DAY)
    # Of the mart a day that is new and one restated, of the runs the new one; the other tables stay as they are.
    assert lake.publish(warehouse).startswith("version 2: run run2 of 2024-01-02 (passed); 2 tables, 3 rows written")
    assert set(files) < set(lake.files())
    days = "select as_of_date, gap_usd from lake.marts.fct_solvency_daily at (version => {}) order by 1"
    assert lake.rows(days.format(1)) == [
        ["2024-01-01", "12345678901234567890.000000000000000001"],
        ["2024-01-02", "-99999999999999999999.999999999999999999"],
    ]
    assert lake.rows(days.format(2)) == [
        ["2024-01-01", "5.000000000000000000"],
        ["2024-01-02", "-99999999999999999999.999999999999999999"],
        ["2024-01-03", "0.000000000000000001"],
    ]
    listed = lake.does("publications")
    assert "run1" in listed
    assert "run2" in listed
    assert lake.rows("from lake.publication.latest at (version => 1)") == [["run1", "2024-01-01", "passed"]]


def test_a_table_may_change_its_columns_come_or_go(lake: Lake, warehouse: WarehousePaths) -> None:
    lake.publish(warehouse)
    publish_warehouse(
        warehouse.root,
        "run2",
        "drop table marts.dim_asset; create table marts.dim_wallet as select 'w' as wallet_id;"
        " alter table marts.fct_solvency_daily add column note varchar",
    )
    lake.publish(warehouse)
    assert lake.rows("select note, count(*) from lake.marts.fct_solvency_daily group by 1") == [["", "2"]]
    assert lake.rows("from lake.marts.dim_wallet") == [["w"]]
    assert "dim_asset" in lake.fails("query", "from lake.marts.dim_asset")
    assert lake.rows("from lake.marts.dim_asset at (version => 1)") == [["BTC"]]


def test_a_file_that_doesn_t_know_the_latest_run_is_refused(
    lake: Lake, warehouse: WarehousePaths, tmp_path: Path
) -> None:
    lake.publish(warehouse)
    other = publish_warehouse(tmp_path / "other", "another", FIRST_DAYS)
    assert "doesn't know run run1 of 2024-01-01" in lake.fails("publish", "--warehouse", str(other.root))
    assert lake.rows("select run_id from lake.audit.run") == [["run1"]]
    lake.publish(other, "--replace")
    assert lake.rows("select run_id from lake.audit.run") == [["another"]]


def test_two_writers_of_one_publication_leave_it_once(lake: Lake, warehouse: WarehousePaths) -> None:
    lake.publish(warehouse)
    publish_warehouse(warehouse.root, "run2", NEXT_DAY)
    writers = [lake.starting("publish", "--warehouse", str(warehouse.root)) for _ in range(2)]
    outputs = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], outputs
    assert sorted("there already" in output for output, _ in outputs) == [False, True]
    assert lake.rows("select count(*), count(distinct as_of_date) from lake.marts.fct_solvency_daily") == [["3", "3"]]
    assert lake.rows("select count(*) from lake.audit.run") == [["2"]]


READER = """
import time
from orchestration.lake.catalogue import lake_connection, parse_catalogue

def seen(connection):
    rows = connection.execute("select count(*) from lake.marts.fct_solvency_daily").fetchall()
    time.sleep(0.02)
    return rows + connection.execute("select run_id from lake.publication.latest").fetchall()

states, started = [], time.monotonic()
with lake_connection(parse_catalogue(CATALOGUE), read_only=True) as connection:
    print("reading", flush=True)
    connection.execute("begin")
    first = seen(connection)
    while len(states) < 2 and time.monotonic() - started < 60:
        with connection.cursor() as other:
            other.execute("begin")
            state = seen(other)
        if state not in states:
            states.append(state)
    # A reader's transaction sees one version, however long it lasts.
    assert seen(connection) == first == states[0], (first, states)
print(states)
"""


def test_readers_see_a_publication_whole_or_not_at_all(lake: Lake, warehouse: WarehousePaths) -> None:
    lake.publish(warehouse)
    publish_warehouse(warehouse.root, "run2", NEXT_DAY)
    readers = [lake.runs_code(READER) for _ in range(2)]
    for reader in readers:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
    lake.publish(warehouse)
    for reader in readers:
        output, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors
        assert output == "[[(2,), ('run1',)], [(3,), ('run2',)]]\n"


@pytest.mark.parametrize("moments", [(0.25, 0.35, 0.45), (0.55, 0.65, 0.75)])
def test_after_a_kill_the_next_call_just_works(
    lake: Lake, warehouse: WarehousePaths, moments: tuple[float, ...]
) -> None:
    for moment in moments:
        writer = lake.starting("publish", "--warehouse", str(warehouse.root), "--data", str(lake.data))
        time.sleep(moment)
        writer.kill()
        writer.communicate()
    lake.publish(warehouse)
    assert lake.rows("select count(*), min(as_of_date) from lake.marts.fct_solvency_daily") == [["2", "2024-01-01"]]
    assert lake.rows("select run_id from lake.audit.run") == [["run1"]]


LOSING = """
from pathlib import Path
from orchestration.lake.catalogue import lake_connection, parse_catalogue
from orchestration.lake.publication import publish
from orchestration.settings import WarehousePaths

class Losing:
    def __init__(self, connection):
        self.connection = connection

    def execute(self, sql, *parameters):
        return self.connection.execute(sql.replace(" order by \\"as_of_date\\"", " limit 1"), *parameters)

with lake_connection(parse_catalogue(CATALOGUE)) as connection:
    publish(Losing(connection), WarehousePaths(Path(WAREHOUSE)))
"""


def test_a_lost_row_is_noticed_before_anything_is_committed(lake: Lake, warehouse: WarehousePaths) -> None:
    lake.publish(warehouse)
    publish_warehouse(warehouse.root, "run2", NEXT_DAY)
    writer = lake.runs_code(f"WAREHOUSE = {str(warehouse.root)!r}\n{LOSING}")
    _, errors = writer.communicate(timeout=60)
    assert "what was written differs from what was published; the lake stays as it was" in errors
    assert lake.rows("select run_id from lake.audit.run") == [["run1"]]
    assert lake.rows("from lake.publication.latest") == [["run1", "2024-01-01", "passed"]]


TIDYING = """
from orchestration.lake.catalogue import lake_connection, parse_catalogue
from orchestration.lake.tidying import tidy

with lake_connection(parse_catalogue(CATALOGUE)) as connection:
    print(tidy(connection, keep_days=KEEP_DAYS, grace_days=0))
"""


def test_tidying_merges_files_and_forgets_only_what_it_is_told_to(lake: Lake, warehouse: WarehousePaths) -> None:
    lake.publish(warehouse)
    for number in (2, 3, 4):
        publish_warehouse(
            warehouse.root, f"run{number}", f"insert into marts.fct_solvency_daily values ('2024-02-0{number}', 1, '')"
        )
        lake.publish(warehouse)
    left_over = lake.data / "marts" / "dim_asset" / "ducklake-left-over.parquet"
    left_over.write_bytes(lake.files()[0].read_bytes())
    before = len(lake.files())

    assert "0 versions forgotten" in lake.does("tidy")
    assert left_over.exists(), "a file this young may be that of a writer at work"
    counts = (
        "select (select count(*) from lake.marts.fct_solvency_daily at (version => {})), count(*) from lake.audit.run"
    )
    assert [lake.rows(counts.format(version))[0] for version in (1, 4)] == [["2", "4"], ["5", "4"]]

    for keep_days, versions in (("None", "versions_expired=0"), ("0", "versions_expired=")):
        output, errors = lake.runs_code(f"KEEP_DAYS = {keep_days}\n{TIDYING}").communicate(timeout=60)
        assert versions in output, errors
        assert lake.rows(counts.replace(" at (version => {})", "")) == [["5", "4"]]
        assert (lake.rows("select count(*) from lake.snapshots()") == [["1"]]) == (keep_days == "0")
    assert not left_over.exists()
    assert len(lake.files()) < before
    assert "there already" in lake.publish(warehouse)


def test_what_can_t_be_done_says_what_to_do(lake: Lake, warehouse: WarehousePaths, tmp_path: Path) -> None:
    published = ("publish", "--warehouse", str(warehouse.root))
    assert "there is no lake under catalogue" in lake.fails("publications")
    assert "there is no lake under catalogue" in lake.fails(*published)
    assert "holds files already" in lake.fails(*published, "--data", str(warehouse.root))
    nothing = ("publish", "--warehouse", str(tmp_path / "nothing"))
    assert "publish one with 'ringfence run" in lake.fails(*nothing, "--data", str(lake.data))
    lake.publish(warehouse)
    assert "leave --data off" in lake.fails(*published, "--data", str(tmp_path / "elsewhere"))
    assert "read-only" in lake.fails("query", "delete from lake.marts.dim_asset")
    assert "No snapshot found at version 9" in lake.fails("query", "from lake.marts.dim_asset at (version => 9)")
    assert "at least 1" in lake.fails("tidy", "--keep-days", "0")

    strange = Lake(tmp_path / "strange")
    strange.folder.mkdir()
    Path(strange.catalogue.removeprefix("sqlite:")).write_text("this is no database, whatever it is called")
    assert "is no SQLite file" in strange.fails("publications")
