"""The dbt project knows no engine: what only one of them understands stands in dispatched macros."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchestration.checks import CHECKS, Kind
from orchestration.settings import DBT_PROJECT

INTEGRITY_CHECKS = {check.name for check in CHECKS if check.kind is Kind.INTEGRITY}
"""Their models judge what arrives, on DuckDB alone."""

QUERIES = [
    path
    for folder in ("models", "tests")
    for path in sorted((DBT_PROJECT / folder).rglob("*.sql"))
    if path.stem not in INTEGRITY_CHECKS
]


def offenders(pattern: str) -> list[str]:
    """Queries in which a pattern occurs outside of comments and of what macros are asked for."""
    return [path.stem for path in QUERIES if re.search(pattern, _sql(path))]


def _sql(path: Path) -> str:
    text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"--[^\n]*", "", text)


@pytest.mark.parametrize(
    ("pattern", "instead"),
    [
        (r"\bas varchar\b", "string"),
        (r"\bhugeint\b", "wide_integer_type"),
        (r" // ", "whole_quotient or wide_quotient"),
        (r"(?<!_)\btrunc\(", "without_fraction or cut_to_places"),
        (r"\bsign\(", "direction"),
        (r"\barg_(min|max)", "min_by, max_by or qualify"),
        (r"\bstring_agg\(", "joined_text"),
        (
            r"\b(list|list_(slice|concat|append|contains|transform)|array_to_string|string_split)\(",
            "macros of engine/lists.sql and engine/text.sql",
        ),
        (r"\bunnest\(", "each_item or each_day"),
        (r"\b(range|generate_series)\(", "each_day"),
        (r"\bstruct_(pack|extract)\(", "record, and record['field']"),
        (r"\b(strftime|epoch_us|to_days)\(", "macros of engine/time.sql"),
        (r"\b(not )?materialized\b(?!=)", "read_in_place"),
        (r"\basof\b", "join_latest"),
        (r"\bregexp_\w+\(", "macros of engine/text.sql"),
    ],
)
def test_no_query_says_what_only_duckdb_understands(pattern: str, instead: str) -> None:
    assert offenders(pattern) == [], f"say it with {instead}"


def test_no_query_asks_which_engine_it_runs_on() -> None:
    assert offenders(r"\btarget\.(type|name)\b|\badapter\b") == []


def test_every_spark_version_of_a_macro_has_a_default() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (DBT_PROJECT / "macros").rglob("*.sql"))
    defined = set(re.findall(r"\{%-? macro (\w+)\(", text))
    ours = {name.removeprefix("spark__") for name in defined if name.startswith("spark__")}
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'\)", text))
    assert {name for name in ours & dispatched if f"default__{name}" not in defined} == set()
