"""The end of a load: its new rows become part of ``raw`` in one transaction, or none of it does.

What belongs here: accepting and discarding what ``load_table`` read. What doesn't: the decision (the integrity
findings, and the step that reads them).
"""

from __future__ import annotations

import duckdb

from orchestration.contract import TABLES, Table, raw_columns
from orchestration.errors import RingfenceError
from orchestration.landing.keys import identity_hash, same_identity
from orchestration.landing.schemas import ACCEPTED_COLUMN, reset_incoming
from orchestration.sql import quoted
from orchestration.warehouse.built import forget_built

_LATEST_LOAD = "(select max(load_number) from audit.load)"


def accept(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, int]:
    """Append the run's rows whose identity ``raw`` doesn't hold yet, and mark its loads accepted, in one transaction.

    Returns the number of rows added by table. A row delivered again for an earlier day is from then on that day's.
    Calling it again does nothing. Raises RingfenceError if ``incoming`` isn't what this run read.
    """
    connection.execute("begin transaction")
    try:
        added = {}
        for table in TABLES:
            if _require_own_rows(connection, table, run_id):
                _move_to_earlier_day(connection, table)
                added[table.name] = _append(connection, table)
        connection.execute(
            "update audit.load set outcome = case when sha256 = '' then 'gone' else 'accepted' end"
            " where run_id = ? and outcome = 'pending'",
            [run_id],
        )
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


def _move_to_earlier_day(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    if not table.dated:
        return
    is_late = connection.execute(
        f"select (select min(partition_date) from incoming.{table.name})"
        f" < (select max(partition_date) from raw.{table.name})"
        f" and exists(select 1 from incoming.repeated where table_name = {quoted(table.name)})"
    ).fetchall()[0][0]
    if not is_late:
        return
    identity = ", ".join(table.identity)
    first = "row(partition_date, source_file, source_row)"
    moved = connection.execute(
        f"""
        update raw.{table.name} as kept
        set partition_date = earlier.place[1], source_file = earlier.place[2], source_row = earlier.place[3],
            {ACCEPTED_COLUMN[0]} = {_LATEST_LOAD}
        from (
            select {identity}, min({first}) as place
            from incoming.{table.name}
            group by {identity}
        ) as earlier
        where {same_identity(table, "kept", "earlier")} and earlier.place[1] < kept.partition_date
        """
    ).fetchall()[0][0]
    if moved:  # They were known earlier than the marts were built from.
        forget_built(connection)


def _append(connection: duckdb.DuckDBPyConnection, table: Table) -> int:
    """Append what is new. Only rows whose identity hash is known to stand more than once are compared one by one."""
    names = ", ".join(name for name, _ in raw_columns(table))
    has_repeated, has_bad = connection.execute(
        "select exists(select 1 from incoming.repeated where table_name = $1),"
        " exists(select 1 from incoming.bad_row where table_name = $1)",
        [table.name],
    ).fetchall()[0]
    # Even where policy lets a schema issue pass, a row that isn't what the contract says is never taken.
    taken = f"incoming.{table.name} as arrived" + (
        f" anti join (select source_file, source_row from incoming.bad_row where table_name = {quoted(table.name)})"
        " as bad on arrived.source_file = bad.source_file and arrived.source_row = bad.source_row"
        if has_bad
        else ""
    )
    selects = f"select {names} from {taken}"
    if has_repeated:
        among = f"(select identity_hash from incoming.repeated where table_name = {quoted(table.name)})"
        hashed, identity = identity_hash(table, "arrived"), ", ".join(table.identity)
        selects = (
            f"{selects} where {hashed} not in {among} union all select {names} from {taken}"
            f" where {hashed} in {among}"
            f" and not exists (select 1 from raw.{table.name} as kept where {same_identity(table, 'kept', 'arrived')})"
            f" qualify row_number() over (partition by {identity} order by partition_date, source_file, source_row) = 1"
        )
    inserted = connection.execute(
        f"insert into raw.{table.name} ({names}, {ACCEPTED_COLUMN[0]}) select {names}, {_LATEST_LOAD} from ({selects})"
    ).fetchall()
    return int(inserted[0][0])
