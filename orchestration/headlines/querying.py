"""Headlines as SQL, made by MetricFlow and run by whoever asks.

What belongs here: putting a question to MetricFlow. What doesn't: its command ``mf``, which asks the package index for
news of itself at each start, opens the database without confinement and writes into the dbt project.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.headlines.definitions import GRAINS, TIME, Headline, known, published_manifest
from orchestration.safe_text import one_line
from orchestration.sql import identifier


def headline_sql(
    names: Sequence[str], by: Sequence[str] = (), first: date | None = None, last: date | None = None
) -> str:
    """SQL on the published file: these headlines, a row for each combination of ``by``, in its order.

    ``by`` holds grains of time (day, month, ...) and what ``Headline.by`` lists. Raises ConfigurationError if a name is
    unknown, the headlines can't be grouped so, the days are in no order, or MetricFlow isn't installed.
    """
    asked = known(names)
    _check(asked, by)
    if first and last and first > last:
        raise ConfigurationError(f"--from {first} is after --to {last}; give the earlier day first")
    group_by = [f"{TIME}__{part}" if part in GRAINS else part for part in by]
    engine, request_type, invalid = _metricflow()
    try:
        explained = engine.explain(
            request_type.create(
                metric_names=[headline.name for headline in asked],
                group_by_names=group_by,
                time_constraint_start=datetime.combine(first, time.min) if first else None,
                time_constraint_end=datetime.combine(last, time.min) if last else None,
            )
        )
    except invalid as error:
        raise ConfigurationError(f"these headlines can't be had so: {one_line(str(error))[:300]}") from error
    return _with_days(explained.sql_statement.without_descriptions.sql, asked, by)


def _with_days(sql: str, asked: Sequence[Headline], by: Sequence[str]) -> str:
    """The same with times as the first day of each, under the names that were asked for."""
    columns = [
        f"cast({TIME}__{part} as date) as {identifier(part)}" if part in GRAINS else identifier(part) for part in by
    ]
    columns += [headline.name for headline in asked]
    order = f"\norder by {', '.join(str(number + 1) for number in range(len(by)))}" if by else ""
    return f"select {', '.join(columns)}\nfrom (\n{sql}\n){order}"


def _check(asked: Sequence[Headline], by: Sequence[str]) -> None:
    """Raise ConfigurationError, saying what there is, unless all of them can be grouped so."""
    slowest = max(GRAINS.index(headline.grain) for headline in asked)
    shared = set[str].intersection(*(set(headline.by) for headline in asked))
    possible = [*GRAINS[slowest:], *(part for part in asked[0].by if part in shared)]
    if strange := [part for part in by if part not in possible]:
        names = ", ".join(headline.name for headline in asked)
        raise ConfigurationError(
            f"{names} can't be grouped by {', '.join(strange)}; --by takes any of {', '.join(possible)}"
        )


def _metricflow() -> tuple[Any, Any, type[Exception]]:
    """An engine that makes SQL for DuckDB and has no database, the type of its requests, and what it refuses with."""
    try:
        from metricflow.engine.metricflow_engine import MetricFlowEngine, MetricFlowQueryRequest
        from metricflow.protocols.sql_client import SqlEngine
        from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer
        from metricflow_semantics.errors.error_classes import InformativeUserError
        from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
        from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"headlines need MetricFlow, but {error.name} isn't installed: make headlines, or pip install"
            " 'ringfence[headlines]'"
        ) from error

    class Dialect:
        sql_engine_type = SqlEngine.DUCKDB
        sql_plan_renderer = DuckDbSqlPlanRenderer()

    manifest = parse_manifest_from_dbt_generated_manifest(json.dumps(published_manifest()))
    engine = MetricFlowEngine(semantic_manifest_lookup=SemanticManifestLookup(manifest), sql_client=Dialect())
    return engine, MetricFlowQueryRequest, InformativeUserError
