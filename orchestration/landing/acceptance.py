"""The end of a load: its new rows become part of ``raw`` in one transaction, or none of it does.

What belongs here: accepting and discarding what ``load_table`` read. What doesn't: the decision (the integrity
findings, and the step that reads them).
"""

from __future__ import annotations

import duckdb

from orchestration.contract import TABLES, Table
from orchestration.errors import RingfenceError
from orchestration.landing.keys import identity_hash, same_identity
from orchestration.landing.schemas import ACCEPTED_COLUMN, accepted_up_to, reset_incoming, show_accepted
from orchestration.sql import quoted
from orchestration.warehouse.built import forget_built


def accept(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, int]:
    """Accept the run's rows whose identity ``raw`` doesn't hold yet, and mark its loads accepted, in one transaction.

    Returns the number of rows added by table. A row delivered again for an earlier day is from then on that day's.
    Calling it again does nothing. Raises RingfenceError if ``incoming`` isn't what this run read.
    """
    connection.execute("begin transaction")
    try:
        added = {}
        for table in TABLES:
            if _require_own_rows(connection, table, run_id):
                added[table.name] = _keep_what_is_new(connection, table)
            else:
                reset_incoming(connection, table)  # what a dead run may have left
        connection.execute(
            "update audit.load set outcome = case when sha256 = '' then 'gone' else 'accepted' end"
            " where run_id = ? and outcome = 'pending'",
            [run_id],
        )
        show_accepted(connection)
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise
    return {name: rows for name, rows in added.items() if rows}


def discard(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Drop what the run read, and mark its loads discarded; ``raw`` stays as it is."""
    connection.execute("update audit.load set outcome = 'discarded' where run_id = ? and outcome = 'pending'", [run_id])
    for table in TABLES:
        reset_incoming(connection, table)


def _require_own_rows(connection: duckdb.DuckDBPyConnection, table: Table, run_id: str) -> bool:
    """Whether the run has loads of the table to accept; what they counted must be what is in ``incoming``."""
    files, expected = connection.execute(
        "select count(*), coalesce(sum(rows), 0) from audit.load"
        " where run_id = ? and table_name = ? and outcome = 'pending'",
        [run_id, table.name],
    ).fetchall()[0]
    if files == 0:
        return False
    found = connection.execute(f"select count(*) from incoming.{table.name}").fetchall()[0][0]
    if found != expected:
        raise RingfenceError(
            f"incoming.{table.name} holds {found} rows but run {run_id} read {expected}: another run came between;"
            " run again"
        )
    return True


def _keep_what_is_new(connection: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Drop what isn't taken of the rows that arrived; return how many are left."""
    has_repeated, has_bad = connection.execute(
        "select exists(select 1 from incoming.repeated where table_name = $1),"
        " exists(select 1 from incoming.bad_row where table_name = $1)",
        [table.name],
    ).fetchall()[0]
    if has_bad:
        _drop_bad_rows(connection, table)
    moved = has_repeated and _find_moved_to_earlier_day(connection, table)
    if has_repeated:
        _drop_repeated(connection, table)
    added = connection.execute(f"select count(*) from incoming.{table.name}").fetchall()[0][0]
    if moved:
        _move_to_earlier_day(connection, table)
    return int(added)


def _drop_bad_rows(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Even where policy lets a schema issue pass, a row that isn't what the contract says is never taken."""
    connection.execute(
        f"delete from delivered.{table.name} where {ACCEPTED_COLUMN[0]} > {accepted_up_to(connection)}"
        " and (source_file, source_row) in"
        f" (select (source_file, source_row) from incoming.bad_row where table_name = {quoted(table.name)})"
    )


def _drop_repeated(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Keep the first row of an identity that is new, and none of one that ``raw`` holds.

    Only rows whose identity hash is known to stand more than once are compared one by one.
    """
    among = f"(select identity_hash from incoming.repeated where table_name = {quoted(table.name)})"
    connection.execute(
        f"""
        delete from delivered.{table.name}
        where rowid in (
            select row_number
            from (
                select
                    arrived.rowid as row_number,
                    row_number() over (
                        partition by {", ".join(f"arrived.{name}" for name in table.identity)}
                        order by arrived.partition_date, arrived.source_file, arrived.source_row
                    ) as occurrence,
                    exists (
                        select 1 from raw.{table.name} as kept where {same_identity(table, "kept", "arrived")}
                    ) as is_kept_already
                from delivered.{table.name} as arrived
                where
                    arrived.{ACCEPTED_COLUMN[0]} > {accepted_up_to(connection)}
                    and {identity_hash(table, "arrived")} in {among}
            )
            where is_kept_already or occurrence > 1
        )
        """
    )


def _find_moved_to_earlier_day(connection: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Write accepted rows that arrived for an earlier day, with their first place, to ``landing_moved``."""
    if not table.dated:
        return False
    is_late = connection.execute(
        f"select (select min(partition_date) from incoming.{table.name})"
        f" < (select max(partition_date) from raw.{table.name})"
    ).fetchall()[0][0]
    if not is_late:
        return False
    identity = ", ".join(table.identity)
    connection.execute(
        f"""
        create or replace temp table landing_moved as
        select kept.rowid as row_number, earlier.place
        from delivered.{table.name} as kept
        inner join (
            select {identity}, min(row(partition_date, source_file, source_row)) as place
            from incoming.{table.name}
            group by {identity}
        ) as earlier on {same_identity(table, "kept", "earlier")}
        where
            kept.{ACCEPTED_COLUMN[0]} <= {accepted_up_to(connection)}
            and earlier.place[1] < kept.partition_date
        """
    )
    return bool(connection.execute("select exists(select 1 from landing_moved)").fetchall()[0][0])


def _move_to_earlier_day(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    connection.execute(
        f"""
        update delivered.{table.name} as kept
        set partition_date = moved.place[1], source_file = moved.place[2], source_row = moved.place[3],
            {ACCEPTED_COLUMN[0]} = (select max(load_number) from audit.load)
        from landing_moved as moved
        where kept.rowid = moved.row_number
        """
    )
    forget_built(connection)  # They were known earlier than the marts were built from.
