"""What earlier runs said outlives the build file."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import duckdb
import pytest

from orchestration.errors import ConfigurationError
from orchestration.landing import create_schemas
from orchestration.pipeline.record import require_all_history, take_over_record
from orchestration.pipeline.run import ExitStatus, close_run, mark_accepted, open_run
from orchestration.policy import load_policy

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 5)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file with the record of one accepted run over five days, one load of it and one that was refused."""
    path = tmp_path / "published.duckdb"
    with duckdb.connect(str(path)) as connection:
        create_schemas(connection)
        open_run(
            connection, load_policy(), run_id="earlier", first_date=FIRST, last_date=LAST, landing_first_date=FIRST
        )
        mark_accepted(connection, "earlier")
        close_run(connection, "earlier", ExitStatus.PASSED, "")
        for number, outcome in enumerate(("accepted", "discarded"), 1):
            connection.execute(
                "insert into audit.load (run_id, table_name, source_file, sha256, rows, bytes, modified_ns, outcome,"
                " load_number) values ('earlier', 'accounts', ?, 'x', 1, 1, 1, ?, ?)",
                [f"{outcome}.csv", outcome, number],
            )
    return path


def new_build_file(folder: Path) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(folder / "ringfence_build.duckdb"))
    create_schemas(connection)
    return connection


def test_a_new_build_file_takes_over_the_record_but_no_load(published: Path, tmp_path: Path) -> None:
    with new_build_file(tmp_path) as connection:
        take_over_record(connection, published)
        take_over_record(connection, published)
        assert connection.execute("select run_id, status from audit.run").fetchall() == [("earlier", "passed")]
        loads = connection.execute("select source_file, outcome from audit.load order by load_number").fetchall()
        assert loads == [("accepted.csv", "superseded"), ("discarded.csv", "discarded")]
        assert connection.execute("select count(*) > 50 from audit.policy").fetchall() == [(True,)]


def test_a_record_of_its_own_is_kept(published: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    shutil.copy(published, own / "ringfence_build.duckdb")
    with new_build_file(own) as connection:
        connection.execute("update audit.run set run_id = 'own'")
        take_over_record(connection, published)
        assert connection.execute("select run_id from audit.run").fetchall() == [("own",)]


@pytest.mark.parametrize(
    ("last_date", "landing_first_date", "refusal"),
    [
        (date(2026, 1, 4), FIRST, "run --date 2026-01-05 first"),
        (LAST, date(2026, 1, 2), "begins on 2026-01-02, but runs before have taken in days from 2026-01-01"),
        (LAST, None, "begins on no day at all"),
        (LAST, FIRST, None),
        (date(2026, 1, 6), date(2025, 12, 31), None),
    ],
)
def test_a_new_build_file_must_take_in_all_that_was_accepted(
    last_date: date, landing_first_date: date | None, refusal: str | None, published: Path, tmp_path: Path
) -> None:
    with new_build_file(tmp_path) as connection:
        require_all_history(connection, last_date, landing_first_date)
        take_over_record(connection, published)
        if refusal is None:
            require_all_history(connection, last_date, landing_first_date)
        else:
            with pytest.raises(ConfigurationError, match=refusal):
                require_all_history(connection, last_date, landing_first_date)


def test_a_build_file_in_use_may_run_an_old_day(published: Path) -> None:
    with duckdb.connect(str(published)) as connection:
        require_all_history(connection, FIRST, date(2026, 1, 3))
