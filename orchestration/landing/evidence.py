"""The landing rows behind findings, kept in ``audit.source_row`` where the findings' evidence queries look for them.

What belongs here: copying rows that standing findings name. What doesn't: the findings and their queries (the models).
"""

from __future__ import annotations

import duckdb

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
