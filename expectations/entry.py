"""What may enter: suites over ``incoming``, derived from the landing contract, and over the integrity findings.

The loader and the integrity models refuse bad deliveries and say why; these suites make sure that nothing got past
them. A rule that one of the checks stands for carries that check's severity, and isn't asked if policy disables it.
"""

from __future__ import annotations

from collections.abc import Mapping

import great_expectations.expectations as gxe
from great_expectations.expectations.metadata_types import FailureSeverity

from expectations.catalogue import check_suite
from expectations.rules import SHAPE, Rule, TableSuite
from orchestration.checks import Kind, Severity
from orchestration.contract import TABLES, ColumnKind, Table, raw_columns

_GUARDED_BY = "schema_conforms"


def _not_null(table: Table, column: str, severity: str) -> Rule:
    subject = f"incoming.{table.name}"
    return Rule(
        "values_present",
        subject,
        SHAPE,
        gxe.ExpectColumnValuesToNotBeNull(column=column, severity=FailureSeverity(severity)),
    )


def _values(table: Table, severity: str) -> list[Rule]:
    """Rules on the values of single columns; amounts are compared in SQL, where they are exact."""
    subject, rules = f"incoming.{table.name}", []
    for column in table.columns:
        if column.required:
            rules.append(_not_null(table, column.name, severity))
        if column.kind is ColumnKind.ENUM:
            in_set = gxe.ExpectColumnValuesToBeInSet(
                column=column.name, value_set=list(column.values), severity=FailureSeverity(severity)
            )
            rules.append(Rule("values_known", subject, SHAPE, in_set))
    outside = [f"{c.name} not between 0 and 100" for c in table.columns if c.kind is ColumnKind.PERCENT]
    outside += [f"{c.name} <= 0" for c in table.columns if c.positive]
    if outside:
        query = f"select source_file, source_row from {{batch}} where {' or '.join(outside)}"
        in_range = gxe.UnexpectedRowsExpectation(
            unexpected_rows_query=query,
            description="Percentages and prices are within bounds.",
            severity=FailureSeverity(severity),
        )
        rules.append(Rule("values_within_bounds", subject, SHAPE, in_range))
    return rules


def _table_suite(table: Table, severity: str | None) -> TableSuite:
    subject = f"incoming.{table.name}"
    columns = gxe.ExpectTableColumnsToMatchSet(
        column_set=[name for name, _ in raw_columns(table)], exact_match=True, severity=FailureSeverity.CRITICAL
    )
    origin = ["source_file", "source_row"] + (["partition_date"] if table.dated else [])
    rules = [Rule("columns_match", subject, SHAPE, columns)]
    rules += [_not_null(table, name, Severity.CRITICAL.value) for name in origin]
    if severity is not None:
        rules += _values(table, severity)
    return TableSuite(f"entry {table.name}", "incoming", table.name, tuple(rules))


def entry_suites(severities: Mapping[str, str | None]) -> list[TableSuite]:
    """Suites for the entry gate. ``severities`` gives each check's severity in force, None if policy disables it."""
    suites = [_table_suite(table, severities[_GUARDED_BY]) for table in TABLES]
    return [*suites, check_suite("entry checks", [Kind.INTEGRITY], severities)]
