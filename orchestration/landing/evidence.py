"""The landing rows behind findings, kept in schema ``audit`` because ``raw`` isn't published.

What belongs here: copying rows that standing findings name in their evidence (``audit.source_row``), and those that the
evidence models found behind them (``audit.finding_source`` too) or behind what was restated
(``audit.restatement_source``). What doesn't: the findings, and which rows are behind them (the models).
"""

from __future__ import annotations

import duckdb

from orchestration.audit import table_named
from orchestration.contract import TABLES, Table
from orchestration.landing.keys import row_key
from orchestration.sql import quoted

_LITERAL = "'((?:[^']|'')*)'"


def _name_wanted_keys(connection: duckdb.DuckDBPyConnection) -> None:
    """List what evidence queries on ``audit.source_row`` ask for: every text literal in them, by table and column."""
    connection.execute(
        f"""
        create or replace temp table landing_wanted as
        select distinct
            regexp_extract(evidence, 'source_table = ''([a-z_]+)''', 1) as source_table,
            contains(evidence, '$.transaction_id') as is_transaction,
            replace(unnest(regexp_extract_all(evidence, {quoted(_LITERAL)}, 1)), '''''', '''') as wanted
        from audit.finding
        where contains(evidence, 'audit.source_row')
        """
    )


def _content(table: Table, alias: str) -> str:
    """SQL for a row as JSON text; amounts as text, since a JSON number is a double to most readers."""
    pairs = ", ".join(f"{quoted(name)}, cast({alias}.{name} as varchar)" for name in table.column_names)
    return f"cast(json_object({pairs}) as varchar)"


def _named_rows(table: Table, schema: str) -> str:
    key = row_key(table, "source")
    wanted = f"select wanted from landing_wanted where source_table = {quoted(table.name)}"
    condition = f"{key} in ({wanted})"
    if "transaction_id" in table.column_names:
        condition += f" or source.transaction_id in ({wanted} and is_transaction)"
    content, joined = _content(table, "source"), ""
    if schema == "incoming":
        # A row that didn't conform is shown as it was delivered, not as it could be read.
        content, condition = f"coalesce(delivered.content, {content})", f"{condition} or delivered.content is not null"
        joined = (
            " left join (select source_file, source_row, min(content) as content from incoming.schema_issue"
            f" where table_name = {quoted(table.name)} and source_row is not null group by all) as delivered"
            " on source.source_file = delivered.source_file and source.source_row = delivered.source_row"
        )
    return (
        f"select {quoted(table.name)} as source_table, {key} as row_key, source.partition_date, source.source_file,"
        f" source.source_row, {content} as content from {schema}.{table.name} as source{joined} where {condition}"
    )


def collect_source_rows(connection: duckdb.DuckDBPyConnection) -> int:
    """Copy the rows that standing findings name, delivered or accepted, into ``audit.source_row``; return how many.

    Rows are only ever added: the evidence of a finding stays after the delivery was discarded. A row that didn't
    conform is kept as it was delivered, under its file and row.
    """
    _name_wanted_keys(connection)
    tables = connection.execute(
        "select source_table from landing_wanted union select table_name from incoming.schema_issue"
    ).fetchall()
    named = {name for (name,) in tables}
    selects = [_named_rows(table, schema) for table in TABLES if table.name in named for schema in ("raw", "incoming")]
    if not selects:
        return 0
    inserted = connection.execute(
        f"insert into audit.source_row (source_table, row_key, partition_date, source_file, source_row, content)"
        f" select * from ({' union '.join(selects)}) except select source_table, row_key, partition_date, source_file,"
        " source_row, content from audit.source_row order by all"
    ).fetchall()
    return int(inserted[0][0])


_ROWS_BEHIND = "evidence.evidence__row"
_ROWS_RESTATING = "evidence.evidence__restatement_row"


def _accepted_rows(table: Table) -> str:
    key, content = row_key(table, "source"), _content(table, "source")
    return (
        f"select {quoted(table.name)} as source_table, {key} as row_key, source.partition_date,"
        f" source.source_file, source.source_row, {content} as content from raw.{table.name} as source"
        f" semi join (select * from landing_behind where source_table = {quoted(table.name)}) as behind"
        " on source.source_file = behind.source_file and source.source_row = behind.source_row"
    )


def _keep_contents(connection: duckdb.DuckDBPyConnection) -> bool:
    """Read the rows listed in ``landing_behind`` into ``landing_shown``, and keep their contents; false if none are."""
    named = {name for (name,) in connection.execute("select distinct source_table from landing_behind").fetchall()}
    selects = [_accepted_rows(table) for table in TABLES if table.name in named]
    if not selects:
        return False
    connection.execute(f"create or replace temp table landing_shown as {' union all '.join(selects)}")
    connection.execute(
        "insert into audit.source_row (source_table, row_key, partition_date, source_file, source_row, content)"
        " select * from (from landing_shown except select source_table, row_key, partition_date, source_file,"
        " source_row, content from audit.source_row) order by all"
    )
    return True


def _forget_behind(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("landing_behind", "landing_shown"):
        connection.execute(f"drop table if exists temp.{name}")


def collect_finding_sources(connection: duckdb.DuckDBPyConnection) -> int:
    """Make ``audit.finding_source`` what the evidence models found behind the findings that stand; return its rows.

    Contents go to ``audit.source_row``, to which rows are only ever added. Call it in a transaction, after the findings
    were recorded: rows behind a finding of a check that policy switched off are left out with it.
    """
    connection.execute(
        f"""
        create or replace temp table landing_behind as
        select behind.*
        from {_ROWS_BEHIND} as behind
        semi join audit.finding as finding
            on behind.as_of_date = finding.as_of_date
            and behind.check_name = finding.check_name
            and behind.subject_type = finding.subject_type
            and behind.subject_id = finding.subject_id
            and behind.asset is not distinct from finding.asset
        """
    )
    connection.execute("delete from audit.finding_source")
    if not _keep_contents(connection):
        return 0
    columns = ", ".join(table_named("finding_source").column_names)
    inserted = connection.execute(
        f"""
        insert into audit.finding_source ({columns})
        select behind.* exclude (source_table, position, source_file, source_row, size, rows_in_all),
            behind.source_table, behind.position, shown.row_key, behind.source_file, behind.source_row,
            behind.size, behind.rows_in_all
        from landing_behind as behind
        inner join landing_shown as shown
            on behind.source_table = shown.source_table
            and behind.source_file = shown.source_file
            and behind.source_row = shown.source_row
        order by all
        """
    ).fetchall()
    _forget_behind(connection)
    return int(inserted[0][0])


def collect_restatement_sources(connection: duckdb.DuckDBPyConnection, run_id: str) -> int:
    """Append what the evidence model found behind this run's restatements to ``audit.restatement_source``.

    Contents go to ``audit.source_row``. Returns how many rows were appended; calling it again replaces them. Call it in
    a transaction.
    """
    connection.execute("delete from audit.restatement_source where run_id = ?", [run_id])
    connection.execute(f"create or replace temp table landing_behind as select * from {_ROWS_RESTATING}")
    inserted = connection.execute(
        """
        insert into audit.restatement_source (
            run_id, as_of_date, restated_table, subject, source_table, position, row_key, source_file, source_row,
            size, rows_in_all
        )
        select
            ?, as_of_date, restated_table, subject, source_table, position, row_key, source_file, source_row, size,
            rows_in_all
        from landing_behind
        order by as_of_date, restated_table, subject, source_table, position
        """,
        [run_id],
    ).fetchall()
    _keep_contents(connection)
    _forget_behind(connection)
    return int(inserted[0][0])
