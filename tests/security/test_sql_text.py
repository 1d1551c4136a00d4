"""Nothing from outside gets into SQL as text: what isn't quoted, bound or ours by its origin has been looked at.

A new expression in SQL that isn't harmless by its form (``sql_text``) fails here until it is quoted, or looked at and
put on the list. What has gone must go from the list too.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.settings import REPOSITORY
from tests.security.sql_text import unbound

REVIEWED: dict[str, set[str]] = {
    "expectations/catalogue.py": {
        "_check_rule: name",
    },
    "expectations/entry.py": {
        "_counted: column",
        "_counted: condition",
        "_counted: counts",
        "_counted: problem",
    },
    "expectations/leaving.py": {
        "_columns_query: promised",
        "_columns_query: table",
        "_key_query: ' or '.join((f'{name} is null' for name in key))",
        "_key_query: columns",
    },
    "orchestration/alerts/observing.py": {
        "_empty: table",
    },
    "orchestration/alerts/told.py": {
        "_query: seen.day",
    },
    "orchestration/audit.py": {
        "_add_new_columns: column.name",
        "_add_new_columns: column.type_name",
        "_add_new_columns: table.name",
        "_describe: column.name",
        "_describe: table.name",
    },
    "orchestration/connectors/postgresql/queries.py": {
        "between: ', '.join([self._time.sql, *keys])",
        "between: self._columns",
        "between: self.relation.raw(self.mapping.columns[name])",
        "between: self.relation.source(self._within(since, until))",
        "counted: rows",
        "counted: time.day",
        "counted: time.sql",
        "described: columns",
        "described: self.source()",
        "first_day: self._time.day",
        "first_day: self._time.sql",
        "first_day: self.relation.source(condition)",
        "source: condition",
        "source: rows",
        "source: where",
        "whole: self._columns",
        "whole: self.relation.source()",
        "without_a_day: self.relation.source(f'{self._time.sql} is null')",
    },
    "orchestration/connectors/register.py": {
        "_load: columns",
        "_load: source.relation",
        "_load: values",
        "_strict: cast.delivered",
        "_strict: cast.problem",
        "_strict: cast.value",
        "_strict: shown",
    },
    "orchestration/connectors/rows.py": {
        "_strict: cast.problem",
        "_strict: nothing",
        "_strict: place",
        "_strict: problem",
        "marked: sql",
        "strict_query: columns",
        "strict_query: read",
        "strict_query: relation",
        "strict_query: values",
        "write_rows: query",
    },
    "orchestration/headlines/querying.py": {
        "_with_days: ', '.join(columns)",
        "_with_days: part",
        "_with_days: sql",
    },
    "orchestration/lake/catalogue.py": {
        "_attach: options",
    },
    "orchestration/lake/mirror.py": {
        "bring_up_to_date: place",
        "bring_up_to_date: table.definition",
    },
    "orchestration/lake/publication.py": {
        "_last_run: table",
    },
    # The page's own question, or a finding's evidence, asked over a connection that reads the published file alone.
    "orchestration/explore/questions.py": {
        "ask: question.sql",
    },
    "orchestration/lake/tidying.py": {
        "_count: call",
    },
    "orchestration/landing/acceptance.py": {
        "_drop_bad_rows: accepted_up_to(connection)",
        "_drop_repeated: accepted_up_to(connection)",
        "_find_moved_to_earlier_day: accepted_up_to(connection)",
    },
    "orchestration/landing/casts.py": {
        "_from_typed: meant",
        "_from_typed: source",
        "cast_for: source",
    },
    "orchestration/landing/evidence.py": {
        "_content: alias",
        "_content: pairs",
        "_named_rows: schema",
    },
    "orchestration/landing/keys.py": {
        "key_text: column",
    },
    "orchestration/landing/loading.py": {
        "_cast_relation: read",
        "_cast_relation: relation",
        "_cast_relation: source.relation",
        "_cast_relation: values",
        "find_issues: _cast_relation(table, source)",
        "find_issues: _issue_expressions(table, source)",
        "find_issues: content",
        "insert_source: _cast_relation(table, source)",
        "insert_source: _place(table, source, landing)",
        "insert_source: bad",
        "insert_source: guard if is_strict else ''",
        "insert_source: values",
    },
    "orchestration/landing/rows.py": {
        "insert_rows: names",
        "insert_rows: number",
        "insert_rows: table",
        "insert_rows: type_",
        "insert_rows: values",
    },
    "orchestration/landing/schemas.py": {
        "create_schemas: definition",
        "create_schemas: name",
        "reset_incoming: limit",
        "show_accepted: limit",
    },
    "orchestration/landing/sources.py": {
        "_parquet_layouts: _path_list(files)",
        "_parquet_source: _path_list(files)",
        "_parquet_source: read",
        "csv_source: paths",
        "csv_source: texts",
        "stage_lines: paths or _path_list(files)",
    },
    "orchestration/operations/dagster_records.py": {
        "_events_of: order",
        "_events_of: selection",
    },
    "orchestration/operations/doctor/deliveries.py": {
        "landing: first.expected",
    },
    "orchestration/operations/doctor/warehouse.py": {
        "_read_whole: place",
    },
    "orchestration/pipeline/build_plan.py": {
        "_what_changed: condition",
    },
    "orchestration/pipeline/findings.py": {
        "_same: name",
        "_selects: check.name",
        "critical_findings: table",
    },
    "orchestration/publish/snapshot.py": {
        "_content: place",
        "_copy: alias",
        "_copy_tables: database",
    },
    "orchestration/reading/summary.py": {
        "_next_steps: paths.root",
    },
    "orchestration/reading/trace.py": {
        "sources_behind: finding['evidence']",
    },
    "orchestration/rebuild.py": {
        "_first_difference: differing",
        "content_sha256: place",
    },
    "orchestration/warehouse/compiled.py": {
        "_compiled: types",
        "_forgets: columns",
        "_forgets: limit['column']",
        "_forgets: limit['key']",
        "_forgets: scope.name",
        "_forgets: scope.schema",
        "_forgets: touched.name",
        "_forgets: touched.schema",
        "build_models: model.continued_sql",
        "build_models: model.forgets",
        "build_models: model.place",
        "build_models: schema",
    },
    "orchestration/warehouse/constants.py": {
        "write_constants: columns",
        "write_constants: name",
        "write_constants: table",
        "write_constants: type_",
    },
    "orchestration/warehouse/source_files.py": {
        "_rows_sql: items",
    },
}
"""What was looked at, by module and function: SQL built by code that is looked at itself; columns, types and tables of
the contract, the catalogue, the policy's schema and dbt's manifest; MetricFlow's SQL of headlines that are defined;
numbers; and what the operator's own configuration of a source says in SQL (``connectors/postgresql``)."""


def modules() -> list[Path]:
    """All modules but the benchmarks, which work on exchanges that they have made up."""
    found = [*(REPOSITORY / "orchestration").rglob("*.py"), *(REPOSITORY / "expectations").rglob("*.py")]
    return sorted(path for path in found if "bench" not in path.relative_to(REPOSITORY).parts)


def test_what_goes_into_sql_is_harmless_or_has_been_looked_at() -> None:
    found = {path.relative_to(REPOSITORY).as_posix(): unbound(path) for path in modules()}
    assert {module: expressions for module, expressions in found.items() if expressions} == REVIEWED


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def f(name: str): run(f'select * from {name}')", {"f: name"}),
        ("def f(file): run(f\"select * from read_csv('{file.path}')\")", {"f: file.path"}),
        ("def f(name: str):\n    table = name\n    run(f'delete from {table}')", {"f: table"}),
        ("def f(day: str): run(f\"select 1 where as_of_date = '{day}'\")", {"f: day"}),
        ("def f(x: str): run(f'select {other(x)} from t.a')", {"f: other(x)"}),
        ("def f(x: list): run(f\"select 1 from t.a where b in ({', '.join(x)})\")", {"f: ', '.join(x)"}),
        ("def f(name: str): run(f'select * from {identifier(name)}')", set()),
        ("def f(name: str):\n    place = identifier(name)\n    run(f'select * from {place}')", set()),
        ("def f(number: int, day: date): run(f\"select {number} from t.a where d = '{day}'\")", set()),
        ("def f(table: Table): run(f'select * from raw.{table.name}')", set()),
        ("def f(): run(f'select * from {TABLE}')", set()),
        ("def f(name: str): raise ValueError(f'select one of {name}')", set()),
        ("def f(name: str): print(f'hello {name}')", set()),
    ],
)
def test_what_is_taken_for_harmless(tmp_path: Path, code: str, found: set[str]) -> None:
    (tmp_path / "module.py").write_text(code, encoding="utf-8")
    assert unbound(tmp_path / "module.py") == found
