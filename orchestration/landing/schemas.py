"""The tables that ingestion writes: ``raw`` (accepted rows) and ``incoming`` (this run's rows, and what is wrong).

What belongs here: their DDL. What doesn't: ``audit`` (orchestration.audit), dbt's schemas.
"""

from __future__ import annotations

import duckdb

from orchestration.audit import TABLES as AUDIT_TABLES
from orchestration.audit import create_audit_schema
from orchestration.contract import TABLES, Table, raw_columns

ACCEPTED_COLUMN = (
    "accepted_load_number",
    "BIGINT",
    "highest load_number of audit.load when the row was accepted, or was last moved to an earlier day",
)
"""Column of ``raw`` alone: which run a row came in with. Its known time can't tell: a day may be delivered late."""

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
    """Name and DuckDB type of every column of the table in schema ``raw`` or ``incoming``."""
    return (*raw_columns(table), ACCEPTED_COLUMN[:2]) if schema == "raw" else raw_columns(table)


def _columns(columns: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name} {type_}" for name, type_ in columns)


def reset_incoming(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Empty everything in schema ``incoming`` that is about this table."""
    connection.execute(f"create or replace table incoming.{table.name} ({_columns(raw_columns(table))})")
    for name in INCOMING_TABLES:
        connection.execute(f"delete from incoming.{name} where table_name = ?", [table.name])


def create_schemas(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the schemas and tables that ingestion and the integrity models use, unless they all exist."""
    wanted = {f"{schema}.{table.name}" for table in TABLES for schema in ("raw", "incoming")}
    wanted |= {f"incoming.{name}" for name in INCOMING_TABLES} | {f"audit.{table.name}" for table in AUDIT_TABLES}
    wanted |= {f"raw.{table.name}.{ACCEPTED_COLUMN[0]}" for table in TABLES}
    wanted |= {f"audit.{table.name}.{name}" for table in AUDIT_TABLES for name in table.column_names}
    existing = connection.execute(
        "select schema_name || '.' || table_name from duckdb_tables() where database_name = current_database()"
        " union all select schema_name || '.' || table_name || '.' || column_name from duckdb_columns()"
        " where database_name = current_database() and schema_name in ('raw', 'audit')"
    ).fetchall()
    if wanted <= {name for (name,) in existing}:
        return
    create_audit_schema(connection)
    connection.execute("create schema if not exists raw")
    connection.execute("create schema if not exists incoming")
    for table in TABLES:
        for schema in ("raw", "incoming"):
            stored = _columns(stored_columns(table, schema))
            connection.execute(f"create table if not exists {schema}.{table.name} ({stored})")
        # Rows of an older build file came in with a run before any that can be asked about.
        added = f"{ACCEPTED_COLUMN[0]} {ACCEPTED_COLUMN[1]} default 0"
        connection.execute(f"alter table raw.{table.name} add column if not exists {added}")
    for name, (_, columns) in INCOMING_TABLES.items():
        definition = _columns(tuple((column, type_) for column, type_, _ in columns))
        connection.execute(f"create table if not exists incoming.{name} ({definition})")
