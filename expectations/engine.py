"""Running suites over the build file with Great Expectations' SQL engine, and writing Data Docs.

What belongs here: the connection settings under which GX is exact and reliable on DuckDB, and running a checkpoint over
all suites. What doesn't: any rule, and what a result means (``outcomes``).

GX fetches results after it has given the connection back; with autocommit, without a rollback on return and read-only
the lazy result survives that. The engine must be disposed of, or the file stays locked for the next step.
"""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
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
from expectations.handing_over import HandOver
from expectations.outcomes import described, number_of, outcome_of, outcome_without_result
from expectations.rules import RuleOutcome, TableSuite
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


def evaluate(build_file: Path, suites: Sequence[TableSuite], *, stage: str, run_file: Path | None = None) -> Evaluation:
    """Evaluate every rule, and hand what fails over to ``run_file``, the record of the run, before anything else.

    No other connection of any process may hold the file open for writing, and none is left open. Amounts in results
    are text: nothing passes through a binary float.
    """
    outcomes: dict[str, list[RuleOutcome]] = {}
    with quiet_logging(), _datasource(build_file) as (context, source):
        validations = {}
        for suite in suites:
            try:
                validations[suite.name] = _validation(context, source, suite)
            except TestConnectionError as error:
                outcomes[suite.name] = [outcome_without_result(stage, rule, error) for rule in suite.rules]
        hand_over = HandOver(name="hand over", stage=stage, run_file=str(run_file) if run_file else None)
        hand_over.hand_over_unreadable(one for of_suite in outcomes.values() for one in of_suite)
        if validations:
            lists_values = any(
                isinstance(rule.expectation, ColumnMapExpectation) for suite in suites for rule in suite.rules
            )
            outcomes |= _validated(list(validations.values()), hand_over, lists_values=lists_values)
    return Evaluation(stage, {suite.name: outcomes[suite.name] for suite in suites}, context)


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


def _validation(context: Any, source: Any, suite: TableSuite) -> Any:
    table = source.add_table_asset(
        name=f"{suite.schema}.{suite.table}", table_name=suite.table, schema_name=suite.schema
    )
    batch = table.add_batch_definition_whole_table("whole table")
    expectations = gx.ExpectationSuite(name=suite.name)
    for number, rule in enumerate(suite.rules):
        rule.expectation.meta = {**(rule.expectation.meta or {}), **described(rule, number)}
        expectations.add_expectation(rule.expectation)
    suite_in_context = context.suites.add(expectations)
    return context.validation_definitions.add(
        gx.ValidationDefinition(name=suite.name, data=batch, suite=suite_in_context)
    )


def _validated(
    validations: list[gx.ValidationDefinition], hand_over: HandOver, *, lists_values: bool
) -> dict[str, list[RuleOutcome]]:
    """Run the validations as one checkpoint; the outcomes by suite."""
    # The checkpoint isn't added to the context, which would read every suite back from its store.
    checkpoint = gx.Checkpoint(
        name=hand_over.stage,
        validation_definitions=validations,
        actions=[hand_over],
        # Only the complete format shows failing rows, and it would list every failing value of a column rule too.
        result_format="SUMMARY" if lists_values else "COMPLETE",
    )
    results = checkpoint.run().run_results.values()
    return {
        one.suite_name: [outcome_of(hand_over.stage, result) for result in sorted(one.results, key=number_of)]
        for one in results
    }


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
