"""Running suites over the build file with Great Expectations' SQL engine, and writing Data Docs.

What belongs here: the connection settings under which GX is exact and reliable on DuckDB, and the translation of its
results. What doesn't: any rule.

GX fetches results after it has given the connection back; with autocommit, without a rollback on return and read-only
the lazy result survives that. The engine must be disposed of, or the file stays locked for the next step.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
from great_expectations.datasource.fluent.interfaces import TestConnectionError
from great_expectations.expectations.expectation import ColumnMapExpectation

from expectations.data_docs import make_self_contained, write_gate_index, write_index
from expectations.rules import Rule, RuleOutcome, TableSuite
from orchestration.keyed_hashes import process_hashing, without_values
from orchestration.safe_text import one_line
from orchestration.warehouse.build_file import configuration


def _silence_teardown() -> None:
    """Drop what native code still writes once Python has ended.

    With Great Expectations loaded some of DuckDB's types outlive the interpreter, and its bindings then print pages
    about it below a command's last line. Python's own messages have all been written by now.
    """
    sys.stderr.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


atexit.register(_silence_teardown)


def _sqlalchemy_options() -> dict[str, Any]:
    return {
        "isolation_level": "AUTOCOMMIT",
        "skip_autocommit_rollback": True,
        "pool_reset_on_return": None,
        "connect_args": {"read_only": True, "config": configuration()},
    }


def ephemeral_context() -> Any:
    """A context in memory, without progress bars and without a site, which would leave a folder behind."""
    without_sites = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False))
    context = gx.get_context(mode="ephemeral", project_config=without_sites)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}  # type: ignore[assignment]
    return context


@contextmanager
def _datasource(build_file: Path) -> Iterator[tuple[Any, Any]]:
    context = ephemeral_context()
    source = context.data_sources.add_sql(
        name="build_file",
        connection_string=f"duckdb:///{build_file}",
        create_temp_table=False,
        kwargs=_sqlalchemy_options(),
    )
    try:
        yield context, source
    finally:
        source.get_engine().dispose()
        engine = source.get_execution_engine()
        engine.close()
        engine.engine.dispose()


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What became of some suites' rules, suite by suite in their order."""

    stage: str
    outcomes: Mapping[str, Sequence[RuleOutcome]]
    context: Any

    @property
    def all_outcomes(self) -> list[RuleOutcome]:
        """The outcomes in the suites' order."""
        return [outcome for of_suite in self.outcomes.values() for outcome in of_suite]

    def write_data_docs(self, folder: Path) -> None:
        """Write the results as static pages below ``folder``; needs no database any more."""
        with quiet_logging():
            _write_data_docs(self.context, folder / self.stage, self.outcomes)


def evaluate(build_file: Path, suites: Sequence[TableSuite], *, stage: str) -> Evaluation:
    """Evaluate every rule.

    No other connection of any process may hold the file open for writing, and none is left open. Amounts in results
    are text: nothing passes through a binary float.
    """
    with quiet_logging(), _datasource(build_file) as (context, source):
        outcomes = {suite.name: list(_run_suite(context, source, suite, stage)) for suite in suites}
    return Evaluation(stage, outcomes, context)


@contextmanager
def quiet_logging() -> Iterator[None]:
    """Failing rules are results here, not news for the log."""
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _run_suite(context: Any, source: Any, suite: TableSuite, stage: str) -> Iterable[RuleOutcome]:
    try:
        table = source.add_table_asset(
            name=f"{suite.schema}.{suite.table}", table_name=suite.table, schema_name=suite.schema
        )
    except TestConnectionError as error:
        return [_outcome_without_result(stage, rule, error) for rule in suite.rules]
    batch = table.add_batch_definition_whole_table("whole table")
    expectations = gx.ExpectationSuite(name=suite.name)
    for number, rule in enumerate(suite.rules):
        rule.expectation.meta = {**(rule.expectation.meta or {}), "rule": number}
        expectations.add_expectation(rule.expectation)
    suite_in_context = context.suites.add(expectations)
    validation = context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=suite_in_context)
    )
    # Only the complete format shows failing rows, and it would list every failing value of a column rule too.
    lists_values = any(isinstance(rule.expectation, ColumnMapExpectation) for rule in suite.rules)
    result = validation.run(result_format="SUMMARY" if lists_values else "COMPLETE")
    by_rule = {item.expectation_config.meta["rule"]: item for item in result.results}
    return [_outcome(stage, rule, by_rule[number]) for number, rule in enumerate(suite.rules)]


def _raised(result: Any) -> str | None:
    """The message of an expectation that raised, in whichever of its two forms GX reports it."""
    info = result.exception_info or {}
    entries = [info] if "raised_exception" in info else [value for value in info.values() if isinstance(value, dict)]
    for entry in entries:
        if entry.get("raised_exception"):
            return _without_values(str(entry.get("exception_message")))
    return None


def _without_values(text: str) -> str:
    """An engine's message, which ends in pages, logs and alerts."""
    return one_line(without_values(text, process_hashing()))[:500]


def _outcome(stage: str, rule: Rule, result: Any) -> RuleOutcome:
    raised = _raised(result)
    figures = result.result if isinstance(result.result, dict) else {}
    is_error = raised is not None or not isinstance(result.success, bool)
    return RuleOutcome(
        stage=stage,
        check_name=rule.name,
        subject=rule.subject,
        kind=rule.kind,
        severity=str(rule.expectation.severity.value),
        success=bool(result.success) and not is_error,
        is_error=is_error,
        rows_checked=figures.get("element_count"),
        unexpected=_unexpected(figures),
        observed=raised if raised is not None else _observed(figures),
    )


def _outcome_without_result(stage: str, rule: Rule, error: Exception) -> RuleOutcome:
    """The outcome of a rule whose table can't be read."""
    return RuleOutcome(
        stage=stage,
        check_name=rule.name,
        subject=rule.subject,
        kind=rule.kind,
        severity=str(rule.expectation.severity.value),
        success=False,
        is_error=True,
        rows_checked=None,
        unexpected=None,
        observed=_without_values(str(error)),
    )


def _unexpected(figures: dict[str, Any]) -> int | None:
    if figures.get("unexpected_count") is not None:
        return int(figures["unexpected_count"])
    rows = figures.get("details", {}).get("unexpected_rows")
    if rows is None:
        counted = figures.get("observed_value")
        return counted if isinstance(counted, int) else None
    # A catalogue rule's rows are days, each with the number of subjects that fail on it.
    return sum(int(row.get("subjects", 1)) for row in rows)


def _observed(figures: dict[str, Any]) -> str | None:
    rows = figures.get("details", {}).get("unexpected_rows")
    if not rows:
        mismatched = figures.get("details", {}).get("mismatched")
        return str(mismatched) if mismatched else None
    shown = "; ".join(", ".join(f"{name} {value}" for name, value in row.items()) for row in rows[:5])
    return shown + (f"; and {len(rows) - 5} more" if len(rows) > 5 else "")


def _write_data_docs(context: Any, folder: Path, outcomes: Mapping[str, Sequence[RuleOutcome]]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    context.add_data_docs_site(
        site_name="ringfence",
        site_config={
            "class_name": "SiteBuilder",
            "show_how_to_buttons": False,
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        },
    )
    context.build_data_docs(site_names=["ringfence"])
    make_self_contained(folder)
    write_gate_index(folder, outcomes)
    write_index(folder.parent)
