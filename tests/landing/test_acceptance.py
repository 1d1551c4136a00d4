"""A load is accepted whole, once, or not at all, wherever the process was killed."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import pytest

from orchestration.contract import table
from orchestration.errors import RingfenceError
from orchestration.landing import accept, acceptance, create_schemas, discard, loading
from tests.landing.zone import LAST_DAY, Zone, account, entry, load, load_all, load_and_accept, query


def loads(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Run and outcome of every load, in order."""
    return connection.execute("select run_id, outcome from audit.load order by load_number").fetchall()


def entries(connection: duckdb.DuckDBPyConnection, schema: str = "raw") -> list[str]:
    """The entry ids in a schema."""
    rows = connection.execute(f"select entry_id from {schema}.ledger_entries order by all").fetchall()
    return [entry_id for (entry_id,) in rows]


def test_every_load_is_recorded(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    file = zone.rows("ledger_entries", [entry("1"), entry("2")])
    assert load_and_accept(connection, zone, "run-1") == {"ledger_entries": 2}
    recorded = query(connection, "select * exclude (sha256, modified_ns, load_number, partition_date) from audit.load")
    assert recorded == [
        {
            "run_id": "run-1",
            "table_name": "ledger_entries",
            "source_file": file,
            "rows": 2,
            "bytes": (zone.path / file).stat().st_size,
            "outcome": "accepted",
        }
    ]
    digests = query(connection, "select length(sha256) as digits from audit.load")
    assert digests == [{"digits": 64}]


def test_accepting_twice_adds_nothing(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.rows("ledger_entries", [entry("1")])
    load_and_accept(connection, zone, "run-1")
    assert accept(connection, "run-1") == {}
    assert entries(connection) == ["1"]


def test_a_run_killed_between_load_and_accept(zone: Zone, tmp_path: Path) -> None:
    path = str(tmp_path / "build.duckdb")
    zone.rows("ledger_entries", [entry("1")])
    with duckdb.connect(path) as connection:
        create_schemas(connection)
        load_all(connection, zone, "killed", LAST_DAY)
    with duckdb.connect(path) as connection:
        assert load_and_accept(connection, zone, "next") == {"ledger_entries": 1}
        assert loads(connection) == [("killed", "abandoned"), ("next", "accepted")]


def test_what_a_dead_run_read_is_never_accepted_by_another_that_reads_less(
    connection: duckdb.DuckDBPyConnection, zone: Zone
) -> None:
    zone.rows("ledger_entries", [entry("1")])
    load(connection, zone, "ledger_entries", "killed")
    zone.rows("accounts", [account("a")])
    load(connection, zone, "accounts", "next")
    assert accept(connection, "next") == {"accounts": 1}
    assert entries(connection) == entries(connection, "delivered") == []


def test_a_build_file_that_kept_accepted_rows_apart_is_taken_over(
    connection: duckdb.DuckDBPyConnection, zone: Zone
) -> None:
    zone.rows("ledger_entries", [entry("1")])
    load_and_accept(connection, zone, "run-1")
    connection.execute("create table kept as select * exclude (accepted_load_number) from raw.ledger_entries")
    for schema in ("raw", "incoming"):
        connection.execute(f"drop view {schema}.ledger_entries")
        connection.execute(f"create table {schema}.ledger_entries as select * from kept where '{schema}' = 'raw'")
    connection.execute("drop table delivered.ledger_entries")
    create_schemas(connection)
    assert entries(connection) == ["1"]
    zone.rows("ledger_entries", [entry("2")], "2026-01-06")
    assert load_and_accept(connection, zone, "run-2") == {"ledger_entries": 1}
    assert entries(connection) == ["1", "2"]


def test_a_load_repeated_by_a_retry_counts_once(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.rows("ledger_entries", [entry("1")])
    load(connection, zone, "ledger_entries")
    load(connection, zone, "ledger_entries")
    assert accept(connection, "run-1") == {"ledger_entries": 1}
    assert loads(connection) == [("run-1", "accepted")]


def test_a_failure_in_the_middle_of_accepting_leaves_nothing(
    connection: duckdb.DuckDBPyConnection, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.rows("accounts", [account("a")])
    zone.rows("ledger_entries", [entry("1")])
    load_all(connection, zone, "run-1")
    keep = acceptance._keep_what_is_new

    def fail_late(connection_: duckdb.DuckDBPyConnection, table_: object) -> int:
        if table_ is table("ledger_entries"):
            raise KeyboardInterrupt
        return keep(connection_, table("accounts")) if table_ is table("accounts") else 0

    monkeypatch.setattr(acceptance, "_keep_what_is_new", fail_late)
    with pytest.raises(KeyboardInterrupt):
        accept(connection, "run-1")
    assert query(connection, "select count(*) as rows from raw.accounts") == [{"rows": 0}]
    assert {outcome for _, outcome in loads(connection)} == {"pending"}
    monkeypatch.undo()
    assert accept(connection, "run-1") == {"accounts": 1, "ledger_entries": 1}


def test_another_runs_rows_are_not_accepted(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.rows("ledger_entries", [entry("1")])
    load(connection, zone, "ledger_entries", "run-1")
    connection.execute("insert into delivered.ledger_entries select * from delivered.ledger_entries")
    with pytest.raises(RingfenceError, match="another run came between"):
        accept(connection, "run-1")
    assert entries(connection) == []


def test_discarding_drops_the_rows_and_reads_them_again_next_time(
    connection: duckdb.DuckDBPyConnection, zone: Zone
) -> None:
    zone.rows("ledger_entries", [entry("1")])
    load(connection, zone, "ledger_entries", "run-1")
    discard(connection, "run-1")
    assert entries(connection, "incoming") == entries(connection) == []
    assert load(connection, zone, "ledger_entries", "run-2").rows == 1


def test_only_what_changed_is_read_again(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    for day in ("2026-01-04", "2026-01-05"):
        zone.rows("ledger_entries", [entry(day, day=day)], day)
    load_and_accept(connection, zone, "run-1")
    assert load(connection, zone, "ledger_entries", "run-2").files == 0
    status = query(connection, "select distinct status from incoming.file")
    assert status == [{"status": "unchanged"}]
    path = zone.path / zone.rows("ledger_entries", [entry("2026-01-05"), entry("new")], "2026-01-05")
    assert load(connection, zone, "ledger_entries", "run-3").files == 1
    assert accept(connection, "run-3") == {"ledger_entries": 1}
    os.utime(path, ns=(1, 1))
    assert load(connection, zone, "ledger_entries", "run-4").files == 0, "a touched file has the same content"
    text = path.read_text()
    path.write_text(text.replace("trade", "repay", 1))
    assert load(connection, zone, "ledger_entries", "run-5").files == 1, "same size, other content"


def test_days_after_the_runs_last_are_left_alone(connection: duckdb.DuckDBPyConnection, zone: Zone) -> None:
    zone.rows("ledger_entries", [entry("1")])
    zone.rows("ledger_entries", [entry("2", day="2026-01-10")], "2026-01-10")
    load_and_accept(connection, zone, "run-1")
    assert entries(connection) == ["1"]
    load_and_accept(connection, zone, "run-2", LAST_DAY.replace(day=10))
    assert entries(connection) == ["1", "2"]
    late = zone.path / "ledger_entries" / "date=2026-01-10" / "a.csv"
    late.unlink()
    assert load(connection, zone, "ledger_entries", "run-3").gone_files == 0, "a run for an earlier day doesn't look"


def test_a_file_that_changes_while_it_is_read_is_refused(
    connection: duckdb.DuckDBPyConnection, zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = zone.rows("ledger_entries", [entry("1")])
    insert = loading.insert_source

    def insert_and_change(*arguments: object, **options: object) -> None:
        insert(*arguments, **options)  # type: ignore[arg-type]
        zone.rows("ledger_entries", [entry("1"), entry("2")])

    monkeypatch.setattr(loading, "insert_source", insert_and_change)
    assert load(connection, zone, "ledger_entries").issues == 1
    problem = query(connection, "select source_file, problem from incoming.schema_issue")
    assert problem == [{"source_file": file, "problem": "file changed while it was being read; run again"}]
