"""One publication of the warehouse becomes one version of the lake: all tables in one transaction, or nothing.

What belongs here: which publication it is, whether it may follow what the lake holds, and its transaction. What
doesn't: how a table is compared and written.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import duckdb

from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.lake.mirror import Change, bring_up_to_date
from orchestration.reading.published import first_line, require_published
from orchestration.settings import WarehousePaths
from orchestration.sql import quoted

SCHEMAS = ("marts", "audit")
LATEST = "lake.publication.latest"
"""One row, replaced by every publication: so two writers at once collide, whatever else they write."""

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Run:
    """The run that published a file: its last one."""

    run_id: str
    last_date: str
    status: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a publication. ``changes`` is empty if the lake held it already."""

    run: Run
    version: int
    changes: tuple[Change, ...]


def publish(connection: duckdb.DuckDBPyConnection, paths: WarehousePaths, *, replaces: bool = False) -> Outcome:
    """Bring what the warehouse published into ``lake``.

    Raises ConfigurationError if nothing was published, or if it doesn't follow on what the lake holds and doesn't
    replace it by intent; LakeError if what was written isn't what was published.
    """
    _attach_source(connection, paths)
    try:
        run = _last_run(connection, "source.audit.run")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return _published(connection, run, paths, replaces)
            except duckdb.TransactionException as error:
                # Somebody else committed in the meantime: what is there now decides what is left to write.
                if attempt == _ATTEMPTS:
                    raise RingfenceError(
                        f"others kept writing to the lake ({first_line(error)}); it stays as they left it, try again"
                    ) from error
        raise AssertionError
    finally:
        connection.execute("detach source")


def _attach_source(connection: duckdb.DuckDBPyConnection, paths: WarehousePaths) -> None:
    require_published(paths)
    try:
        connection.execute(f"attach {quoted(str(paths.published_file))} as source (read_only)")
    except duckdb.Error as error:
        raise ConfigurationError(f"{paths.published_file} can't be opened: {first_line(error)}") from error


def _last_run(connection: duckdb.DuckDBPyConnection, table: str) -> Run:
    rows = connection.execute(
        f"select run_id, cast(last_date as varchar), status from {table} order by started_at desc, run_id limit 1"
    ).fetchall()
    if not rows:
        raise ConfigurationError("the published file knows of no run; publish one with 'ringfence run'")
    return Run(*rows[0])


def _published(connection: duckdb.DuckDBPyConnection, run: Run, paths: WarehousePaths, replaces: bool) -> Outcome:
    connection.execute("begin transaction")
    try:
        is_first = _prepare_latest(connection)
        if not is_first and not replaces:
            _refuse_unless_it_follows(connection, paths)
        changes = bring_up_to_date(connection, SCHEMAS)
        if changes:
            _sign(connection, run, changes)
            connection.execute("commit")
        else:
            connection.execute("rollback")
    except BaseException:
        _roll_back(connection)
        raise
    version = connection.execute("select id from lake.current_snapshot()").fetchall()[0][0]
    return Outcome(run, int(version), tuple(changes))


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        connection.execute("rollback")
    except duckdb.TransactionException:  # a commit that failed has ended its transaction
        return


def _prepare_latest(connection: duckdb.DuckDBPyConnection) -> bool:
    """Make the table that names the latest publication; whether there was none."""
    known = connection.execute(
        "select 1 from duckdb_tables() where database_name = 'lake' and schema_name = 'publication'"
    ).fetchall()
    if known:
        return False
    connection.execute("create schema lake.publication")
    connection.execute(f"create table {LATEST} (run_id varchar not null, last_date date not null, status varchar)")
    return True


def _refuse_unless_it_follows(connection: duckdb.DuckDBPyConnection, paths: WarehousePaths) -> None:
    """A file that doesn't know the lake's latest run is older, or of another warehouse."""
    strangers = connection.execute(
        f"select run_id, last_date from {LATEST} where run_id not in (select run_id from source.audit.run)"
    ).fetchall()
    for run_id, last_date in strangers:
        raise ConfigurationError(
            f"{paths.published_file} doesn't know run {run_id} of {last_date}, the lake's latest: it is an older file,"
            " or of another warehouse; nothing was written. If it is to take the lake over, say --replace"
        )


def _sign(connection: duckdb.DuckDBPyConnection, run: Run, changes: list[Change]) -> None:
    connection.execute(f"delete from {LATEST}")
    connection.execute(f"insert into {LATEST} values (?, ?, ?)", [run.run_id, run.last_date, run.status])
    written = {"tables_written": len(changes), "rows_written": sum(change.rows for change in changes)}
    facts = json.dumps({**asdict(run), **written})
    message = f"{run.last_date}: {run.status}"
    connection.execute(f"call lake.set_commit_message('ringfence', {quoted(message)}, extra_info => {quoted(facts)})")
