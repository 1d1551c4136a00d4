"""The tables that ingestion writes: ``delivered`` with its views ``raw`` and ``incoming``, and what is wrong with rows.

What belongs here: their DDL. What doesn't: ``audit`` (orchestration.audit), dbt's schemas.

A row is stored once, in ``delivered``, under the number of the load that it came with. ``incoming`` shows the rows of
loads above the last accepted one, ``raw`` those up to it: accepting a delivery moves that limit and copies no row.
"""

from __future__ import annotations

import duckdb

from orchestration.audit import TABLES as AUDIT_TABLES
from orchestration.audit import create_audit_schema
from orchestration.contract import TABLES, Table, raw_columns

ACCEPTED_COLUMN = (
    "accepted_load_number",
    "BIGINT",
    "load_number of audit.load that the row came with, the first of its table in that run, or with which it was last"
    " moved to an earlier day",
)
"""Column of ``delivered`` and ``raw``: which run a row came with. Its known time can't tell: a day may come late."""

INCOMING_TABLES: dict[str, tuple[str, tuple[tuple[str, str, str], ...]]] = {
    "file": (
        "Every file of the landing zone up to the run's last date, and accepted files that are gone from it.",
        (
            ("table_name", "varchar", "table of the contract"),
            ("partition_date", "date", "day delivered for; null for reference tables"),
            ("source_file", "varchar", "file, relative to the landing zone"),
            (
                "status",
                "varchar",
                "read (all rows are in incoming), partial (some rows aren't), unchanged (not read again), gone",
            ),
            ("row_count", "bigint", "rows in incoming"),
        ),
    ),
    "schema_issue": (
        "What in the files of this run doesn't conform to the contract, the first 1,000 of each file.",
        (
            ("table_name", "varchar", "table of the contract"),
            ("partition_date", "date", "day delivered for; null for reference tables"),
            ("source_file", "varchar", "file, relative to the landing zone"),
            ("line", "bigint", "line of a CSV or JSONL file, header included; row of a Parquet file; null: the file"),
            ("source_row", "bigint", "row in the file, header not counted; null: not about a row"),
            ("column_name", "varchar", "column, null if not about one"),
            ("value", "varchar", "the value as delivered, cut to 200 characters"),
            ("expected", "varchar", "what the contract wants"),
            ("problem", "varchar", "what is wrong, in words"),
            ("content", "varchar", "the delivered row as JSON text, null if there is none"),
        ),
    ),
    "bad_row": (
        "Every row of this run that has a schema issue. It is in incoming with its bad values null, or not at all.",
        (
            ("table_name", "varchar", "table of the contract"),
            ("source_file", "varchar", "file, relative to the landing zone"),
            ("source_row", "bigint", "row in the file, header not counted"),
        ),
    ),
    "repeated": (
        "Hashes of identities that stand more than once in this run's rows, or in the accepted rows too. A hash that "
        "isn't here belongs to rows whose identity is new; two identities may share one, so rows of a hash that is "
        "here must be compared by their identity.",
        (
            ("table_name", "varchar", "table of the contract"),
            ("identity_hash", "ubigint", "hash of the identity's columns, good within one run"),
        ),
    ),
}


def stored_columns(table: Table, schema: str) -> tuple[tuple[str, str], ...]:
    """Name and DuckDB type of every column of the table in schema ``delivered``, ``raw`` or ``incoming``."""
    return raw_columns(table) if schema == "incoming" else (*raw_columns(table), ACCEPTED_COLUMN[:2])


def _columns(columns: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {type_}" for name, type_ in columns)


def accepted_up_to(connection: duckdb.DuckDBPyConnection) -> int:
    """The last load number that was accepted; 0 if none was. Rows of later loads are this run's, or a dead run's."""
    return int(
        connection.execute(
            "select coalesce(max(load_number), 0) from audit.load where outcome in ('accepted', 'gone')"
        ).fetchall()[0][0]
    )


def reset_incoming(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Empty everything in schema ``incoming`` that is about this table."""
    limit = accepted_up_to(connection)
    connection.execute(f"delete from delivered.{table.name} where {ACCEPTED_COLUMN[0]} > {limit}")
    for name in INCOMING_TABLES:
        connection.execute(f"delete from incoming.{name} where table_name = ?", [table.name])


def show_accepted(connection: duckdb.DuckDBPyConnection) -> None:
    """Let ``raw`` show what is accepted by now, and ``incoming`` the rest.

    The limit stands in the views as a number, so that the database skips whole blocks of the rows on either side.
    """
    limit = accepted_up_to(connection)
    for table in TABLES:
        place, number = f"delivered.{table.name}", ACCEPTED_COLUMN[0]
        connection.execute(
            f"create or replace view raw.{table.name} as select * from {place} where {number} <= {limit}"
        )
        connection.execute(
            f"create or replace view incoming.{table.name} as"
            f" select * exclude ({number}) from {place} where {number} > {limit}"
        )


def create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schemas, tables and views that ingestion and the integrity models use, unless they all exist."""
    raw = {f"raw.{table.name}" for table in TABLES}
    wanted = raw | {f"{schema}.{table.name}" for table in TABLES for schema in ("delivered", "incoming")}
    wanted |= {f"incoming.{name}" for name in INCOMING_TABLES} | {f"audit.{table.name}" for table in AUDIT_TABLES}
    wanted |= {f"audit.{table.name}.{name}" for table in AUDIT_TABLES for name in table.column_names}
    existing = connection.execute(
        "select 'table', schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()"
        " union all select 'view', schema_name || '.' || view_name from duckdb_views()"
        " where database_name = current_database()"
        " union all select 'column', schema_name || '.' || table_name || '.' || column_name from duckdb_columns()"
        " where database_name = current_database() and schema_name = 'audit'"
    ).fetchall()
    existing_tables = {name for kind, name in existing if kind == "table"}
    if wanted <= {name for _, name in existing} and not existing_tables & raw:
        return
    create_audit_schema(connection)
    for schema in ("delivered", "raw", "incoming"):
        connection.execute(f"create schema if not exists {schema}")
    for table in TABLES:
        columns = _columns(stored_columns(table, "delivered"))
        connection.execute(f"create table if not exists delivered.{table.name} ({columns})")
        if f"raw.{table.name}" in existing_tables:
            _take_over(connection, table)
    for name, (_, described) in INCOMING_TABLES.items():
        definition = _columns(tuple((column, type_) for column, type_, _ in described))
        connection.execute(f"create table if not exists incoming.{name} ({definition})")
    show_accepted(connection)


def _take_over(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Move the accepted rows of a build file that kept them apart from those that had just arrived."""
    number, type_, _ = ACCEPTED_COLUMN
    connection.execute("begin transaction")
    # Rows from before this column came in with a run before any that can be asked about.
    connection.execute(f"alter table raw.{table.name} add column if not exists {number} {type_} default 0")
    connection.execute(f"insert into delivered.{table.name} by name select * from raw.{table.name}")
    connection.execute(f"drop table raw.{table.name}")
    connection.execute(f"drop table if exists incoming.{table.name}")
    connection.execute("commit")
