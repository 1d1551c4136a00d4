"""What may enter: suites over ``incoming``, derived from the landing contract, and over the integrity findings.

The loader and the integrity models refuse bad deliveries and say why; these suites make sure that nothing got past
them. A rule that one of the checks stands for carries that check's severity, and isn't asked if policy disables it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.catalogue import check_suite
from expectations.rules import SHAPE, Rule, TableSuite
from orchestration.checks import Kind, Severity
from orchestration.contract import TABLES, ColumnKind, Table, raw_columns
from orchestration.sql import quoted

_GUARDED_BY = "schema_conforms"


def _failing_rows(table: Table, name: str, query: str, what: str, severity: str) -> Rule:
    expectation = gxe.UnexpectedRowsExpectation(
        unexpected_rows_query=query, description=f"{table.name}: {what}.", severity=FailureSeverity(severity)
    )
    return Rule(name, f"incoming.{table.name}", SHAPE, expectation)


def _counted(problems: Sequence[tuple[str, str, str]]) -> str:
    """A query over ``{batch}`` that counts the rows with each problem, in one pass, and returns those that occur.

    A problem is a column, what is wrong with it, and the SQL condition that finds it; amounts are compared as they are
    stored, exactly.
    """
    counts = ", ".join(
        f"struct_pack(column_name := '{column}', problem := '{problem}',"
        f" subjects := count(*) filter (where {condition}))"
        for column, problem, condition in problems
    )
    return (
        "select column_name, problem, subjects from (select unnest(counts, recursive := true) from"
        f" (select [{counts}] as counts from {{batch}}) as counted) as counted_problems where subjects > 0"
    )


def _missing(columns: Iterable[str]) -> list[tuple[str, str, str]]:
    return [(name, "missing", f"{name} is null") for name in columns]


def _problems(table: Table) -> list[tuple[str, str, str]]:
    """What the contract forbids in single values."""
    problems = _missing(column.name for column in table.columns if column.required)
    for column in table.columns:
        if column.kind is ColumnKind.ENUM:
            known = ", ".join(quoted(value) for value in column.values)
            problems.append((column.name, "unknown", f"{column.name} not in ({known})"))
        if column.kind is ColumnKind.PERCENT:
            problems.append((column.name, "out of bounds", f"{column.name} not between 0 and 100"))
        if column.positive:
            problems.append((column.name, "out of bounds", f"{column.name} <= 0"))
    return problems


def _table_suite(table: Table, severity: str | None) -> TableSuite:
    subject = f"incoming.{table.name}"
    columns = gxe.ExpectTableColumnsToMatchSet(
        column_set=[name for name, _ in raw_columns(table)], exact_match=True, severity=FailureSeverity.CRITICAL
    )
    origin = _missing(["source_file", "source_row"] + (["partition_date"] if table.dated else []))
    rules = [
        Rule("columns_match", subject, SHAPE, columns),
        _failing_rows(table, "origin_known", _counted(origin), "every row says where it is from", Severity.CRITICAL),
    ]
    if severity is not None:
        what = "values are there, known and within bounds"
        rules.append(_failing_rows(table, "values_conform", _counted(_problems(table)), what, severity))
    return TableSuite(f"entry {table.name}", "incoming", table.name, tuple(rules))


def entry_suites(severities: Mapping[str, str | None]) -> list[TableSuite]:
    """Suites for the entry gate. ``severities`` gives each check's severity in force, None if policy disables it."""
    suites = [_table_suite(table, severities[_GUARDED_BY]) for table in TABLES]
    return [*suites, check_suite("entry checks", [Kind.INTEGRITY], severities)]
