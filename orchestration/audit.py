"""Tables of schema ``audit``: what ran, what was loaded, what was checked, found and published.

What belongs here: the tables' definitions (names, types, descriptions) and the creation of the schema. What doesn't:
filling them; each step of the pipeline writes its own rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from orchestration.sql import quoted


@dataclass(frozen=True, slots=True)
class AuditColumn:
    """One column: its DuckDB type (with constraint) and its description, which is kept in the database too."""

    name: str
    definition: str
    description: str

    @property
    def type_name(self) -> str:
        """The type without its constraint."""
        return self.definition.removesuffix(" not null").removesuffix(" primary key")


@dataclass(frozen=True, slots=True)
class AuditTable:
    """One table of schema ``audit``; ``constraint`` is a table constraint or empty.

    ``key`` tells its rows apart, null being a value like others. ``references`` are columns of it that name a row of
    another table of the schema by these columns of that one; null names none.
    """

    name: str
    description: str
    columns: tuple[AuditColumn, ...]
    key: tuple[str, ...]
    constraint: str = ""
    references: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns in order."""
        return tuple(column.name for column in self.columns)


def _table(
    name: str, description: str, columns: str, key: str, *, references: str = "", is_key_enforced: bool = False
) -> AuditTable:
    """Read ``columns`` as lines of ``name | type | description``, ``references`` as lines of ``name -> table name``."""
    lines = [line.split("|", maxsplit=2) for line in columns.strip().splitlines()]
    parsed = tuple(AuditColumn(*(part.strip() for part in line)) for line in lines)
    names = tuple(key.split())
    constraint = f"primary key ({', '.join(names)})" if is_key_enforced else ""
    named = []
    for line in references.strip().splitlines():
        ours, _, theirs = line.partition("->")
        table, *columns_named = theirs.split()
        named.append((tuple(ours.split()), table, tuple(columns_named)))
    return AuditTable(name, description, parsed, names, constraint, tuple(named))


_RUN = "run_id -> run run_id"
_FINDING_KEY = "as_of_date check_name subject_type subject_id asset"
_FINDING_COLUMNS = """
    run_id | varchar not null | run that raised it, or last changed it; it stays while the finding stands
    as_of_date | date not null | day (UTC) on which the subject fails the check
    check_name | varchar not null | check of the catalogue, or check_disabled
    kind | varchar not null | integrity, reconciliation, breach or policy
    severity | varchar not null | critical fails the run, warning alerts only
    subject_type | varchar not null | what subject_id identifies: account, wallet, entity, transaction, ...
    subject_id | varchar not null | bare identifier of the subject
    asset | varchar | asset concerned; null if the finding is not about one
    observed | varchar | what is, as text with exact amounts
    expected | varchar | what should be, as text with exact amounts
    impact_usd | decimal(38,8) | money at stake; USD, zero or more; null if unpriced
    message | varchar not null | one sentence for a person on call
    evidence | varchar | query on marts or audit that returns the rows behind the finding
    first_seen_on | date not null | first day of the unbroken run of days with this check, subject and asset
    known_since | timestamp | when it could first have been known, UTC
"""

TABLES: tuple[AuditTable, ...] = (
    _table(
        "run",
        "What ran, and how it ended. Grain: one row per run of the pipeline. Additive: nothing. Wall-clock times are"
        " kept here only; no figure depends on them.",
        """
        run_id | varchar primary key | identifier of the run; Dagster's own
        started_at | timestamp not null | wall clock, UTC, put after all of the runs before if the clock was put back
        finished_at | timestamp | wall clock, UTC; null while running, or if the run was killed
        published_at | timestamp | wall clock, UTC, when its figures were handed over to be published; null if none were
        status | varchar not null | running, passed, failed_checks, failed_integrity, error or killed
        exit_status | integer | exit status of the command line, a code: 0, 3, 4 or 1; null while running or if killed
        first_date | date not null | first day that the run was asked for
        last_date | date not null | last day that the run was asked for
        knowledge_at | timestamp not null | rows known at or after this moment don't exist for the run, UTC
        previous_knowledge_at | timestamp | knowledge_at of the accepted run before; null for the first
        landing_first_date | date | earliest partition of the landing zone
        policy_hash | varchar not null | sha256 of the policy in force; its settings are in audit.policy
        is_accepted | boolean not null | whether the run's rows passed the entry gate and became part of raw
        message | varchar | what came out, in a sentence
        """,
        "run_id",
    ),
    _table(
        "load",
        "What was read from the landing zone. Grain: one row per run and file that the run read, because its partition"
        " was new or had changed. Additive: rows and bytes over files, those of the last accepted load of each.",
        """
        run_id | varchar not null | run that read the file
        table_name | varchar not null | table of the landing contract
        partition_date | date | day of the batch; null for reference tables
        source_file | varchar not null | path relative to the landing zone
        sha256 | varchar not null | digest of the file's bytes
        rows | bigint not null | rows read from the file, header not counted; a count, zero or more
        bytes | bigint not null | size of the file; bytes, zero or more
        modified_ns | bigint not null | time of the file's last change, a cheap sign of change; \
nanoseconds since 1970, signed
        outcome | varchar not null | pending until the entry gate, then accepted or discarded; gone: an accepted file \
left the landing zone and took no row along; abandoned: the run was killed; \
superseded: accepted into an older build file
        load_number | bigint not null | order of the loads, counted from 1; \
the last accepted or gone one of a file counts
        """,
        "run_id source_file",
        references=_RUN,
        is_key_enforced=True,
    ),
    _table(
        "notice",
        "What was left out. Grain: one row per run and thing that the run left out, or set aside, without calling the"
        " delivery wrong. Additive: nothing; no amounts.",
        """
        run_id | varchar not null | run that did so
        table_name | varchar | table of the landing contract; null if it lay outside every table's folder
        notice | varchar not null | what and why: an unknown column, folder or kind of file; a damaged build file
        """,
        "run_id table_name notice",
        references=_RUN,
    ),
    _table(
        "check_result",
        "What was checked, and how it came out. Grain: one row per run, stage, check and object checked. Additive:"
        " nothing; checks look at the same rows.",
        """
        run_id | varchar not null | run that evaluated the check
        stage | varchar not null | entry (before rows are accepted) or exit (before marts are published)
        check_name | varchar not null | check of the catalogue, or expectation on a table's shape
        subject | varchar not null | table the check looked at, schema.table
        kind | varchar not null | integrity, reconciliation, breach, policy or shape
        severity | varchar not null | critical or warning
        success | boolean not null | whether nothing failed
        is_error | boolean not null | whether the check itself failed to run; such a check never counts as passed
        rows_checked | bigint | rows the check looked at; a count, zero or more; null if it counts none
        unexpected | bigint | failing rows or subjects; a count, zero or more; null if it counts none
        observed | varchar | what was found, as text with exact amounts
        """,
        "run_id stage check_name subject",
        references=_RUN,
    ),
    _table(
        "finding",
        "Findings that stand, as known at the latest run. Grain: one row per check, subject, asset and day. Additive:"
        " nothing; several checks may find the same money, and a finding stands on each of its days.",
        _FINDING_COLUMNS,
        _FINDING_KEY,
        references=_RUN,
    ),
    _table(
        "finding_log",
        "Append-only history of findings. Grain: one row per run and finding raised, changed or withdrawn. Additive:"
        " nothing.",
        "logged_by_run_id | varchar not null | run that wrote the row\n"
        "action | varchar not null | raised, changed or withdrawn\n" + _FINDING_COLUMNS.strip(),
        f"logged_by_run_id {_FINDING_KEY}",
        references="logged_by_run_id -> run run_id\nrun_id -> run run_id",
    ),
    _table(
        "source_row",
        "Landing rows behind findings and restatements, as they arrived. Grain: one row per table, key and place in a"
        " file. Additive: nothing.",
        """
        source_table | varchar not null | table of the landing contract
        row_key | varchar not null | key of the row; parts of a composite key are joined by |
        partition_date | date | day of the batch; null for reference tables
        source_file | varchar not null | path relative to the landing zone
        source_row | bigint not null | row in that file, counted from 1, a header not counted
        content | varchar | the row as JSON, amounts as exact text
        """,
        "source_table row_key source_file source_row",
    ),
    _table(
        "finding_source",
        "Accepted rows behind the findings that stand, the largest first. Grain: one row per finding and landing row"
        " shown for it; their content is in audit.source_row, their files in audit.load. Integrity findings name"
        " their rows in their evidence instead. Additive: nothing; one row may stand behind several findings.",
        """
        as_of_date | date not null | day of the finding
        check_name | varchar not null | check of the finding
        subject_type | varchar not null | what subject_id identifies
        subject_id | varchar not null | subject of the finding
        asset | varchar | asset of the finding; null if it is not about one
        source_table | varchar not null | table of the landing contract
        position | bigint not null | place among the rows of that table behind the finding, counted from 1, the largest
        row_key | varchar not null | key of the row; parts of a composite key are joined by |
        source_file | varchar not null | file the row was accepted from, relative to the landing zone
        source_row | bigint not null | row in that file, counted from 1, a header not counted
        size | decimal(38,18) | what the order goes by; units moved or held, or USD of a volume or limit; \
zero or more; null if rows have no size
        rows_in_all | bigint not null | rows of that table behind the finding, those not kept included; \
a count, above zero
        """,
        f"{_FINDING_KEY} source_table position",
        references=f"{_FINDING_KEY} -> finding {_FINDING_KEY}",
    ),
    _table(
        "published_figure",
        "What was said, append-only. Grain: one row per run, day, table, figure and subject whose value is another than"
        " the one last published. Additive: nothing. int_restatement__figure_change says which figures are kept.",
        """
        entry_number | bigint not null | position in this record, counted from 1; \
of two statements the higher was made later
        run_id | varchar not null | run that published the figure
        knowledge_at | timestamp not null | knowledge time of that run, UTC
        as_of_date | date not null | day that the figure is about
        source_table | varchar not null | table of schema marts that the figure stands in
        figure | varchar not null | column of that table
        subject | varchar not null | rest of the table's key, such as the in-kind group; exchange if there is none
        amount | decimal(38,18) | value published, in the unit of the figure (see its column), signed; \
null if it was unknown, or is no longer there
        published_at | timestamp | wall clock, UTC, when that run handed its figures over to be published
        previous_entry_number | bigint | the statement that this one replaces, counted from 1; \
null if nothing was said before
        is_restatement | boolean | whether the day, or the whole month, had been published before
        """,
        "entry_number",
        references="run_id -> run run_id\nprevious_entry_number -> published_figure entry_number",
    ),
    _table(
        "restatement_source",
        "Accepted rows behind restatements, the largest first, ten of each landing table. Append-only. Grain: one row"
        " per restating run, day, table, subject and landing row; it stands for every figure of that subject that moved"
        " (marts.fct_restatement). Contents are in audit.source_row, files in audit.load. Additive: nothing.",
        """
        run_id | varchar not null | run that published the restatement
        as_of_date | date not null | day restated; first day of the month for monthly figures
        restated_table | varchar not null | table of schema marts that was restated
        subject | varchar not null | subject restated, as in published_figure
        source_table | varchar not null | table of the landing contract
        position | bigint not null | place among the rows of that table, counted from 1, the largest
        row_key | varchar not null | key of the row; parts of a composite key are joined by |
        source_file | varchar not null | file the row was accepted from, relative to the landing zone
        source_row | bigint not null | row in that file, counted from 1, a header not counted
        size | decimal(38,18) | what the order goes by; units moved or held, zero or more; null if rows have no size
        rows_in_all | bigint not null | rows of that table behind the restatement, those not kept included; \
a count, above zero
        """,
        "run_id as_of_date restated_table subject source_table position",
        references=_RUN,
    ),
    _table(
        "policy",
        "What was in force. Grain: one row per run and setting of the policy; an item of a list or map is a row of its"
        " own. Additive: nothing; values are text.",
        """
        run_id | varchar not null | run that the policy was in force for
        policy_hash | varchar not null | sha256 of the whole policy
        name | varchar not null | setting as section.name, or checks.check_name
        item | varchar | item of a list or map; enabled or severity of a check; null for a single value
        value | varchar | value as exact text; null for an item of a list
        is_default | boolean | whether the default policy says the same
        """,
        "run_id name item",
        references=_RUN,
    ),
)


def table_named(name: str) -> AuditTable:
    """Return the audit table of that name; raise KeyError if there is none."""
    for table in TABLES:
        if table.name == name:
            return table
    raise KeyError(f"audit has no table {name}")


def _add_new_columns(connection: duckdb.DuckDBPyConnection, table: AuditTable) -> None:
    """Give the table of an older warehouse the columns that came later; they are null in the rows it holds."""
    rows = connection.execute(f"select column_name from (describe audit.{table.name})").fetchall()
    existing = {name for (name,) in rows}
    for column in table.columns:
        if column.name not in existing:
            connection.execute(f"alter table audit.{table.name} add column {column.name} {column.type_name}")


def create_audit_schema(connection: duckdb.DuckDBPyConnection, *, is_described: bool = True) -> None:
    """Create schema ``audit`` with those tables that don't exist yet, and describe all of them in the database."""
    connection.execute("create schema if not exists audit")
    for table in TABLES:
        parts = [f"{column.name} {column.definition}" for column in table.columns]
        parts += [table.constraint] if table.constraint else []
        connection.execute(f"create table if not exists audit.{table.name} ({', '.join(parts)})")
        _add_new_columns(connection, table)
        if is_described:
            _describe(connection, table)


def _describe(connection: duckdb.DuckDBPyConnection, table: AuditTable) -> None:
    connection.execute(f"comment on table audit.{table.name} is {quoted(table.description)}")
    for column in table.columns:
        connection.execute(f"comment on column audit.{table.name}.{column.name} is {quoted(column.description)}")
