"""Diagrams of the tables show all of them, with the keys and references that are tested elsewhere."""

from __future__ import annotations

import re

import pytest

from orchestration import audit
from orchestration.documentation.diagram import written
from orchestration.documentation.entities import OTHERS, QUESTIONS, Entity, entities, subjects
from orchestration.errors import RingfenceError
from orchestration.settings import DBT_PROJECT, REPOSITORY
from orchestration.warehouse.dbt import manifest_as_json

TABLES = entities(manifest_as_json())
SHOWN = subjects(TABLES)
PAGE = next(iter(written().values()))
DIMENSIONS = {"account_id": "dim_account", "asset": "dim_asset", "entity_id": "dim_entity", "wallet_id": "dim_wallet"}
NAMES_NOTHING = {("fct_reported_balance", "asset")}
"""Columns named like a dimension's key that aren't held to it: what management wrote, null for a total."""


def test_the_page_is_in_step() -> None:
    for path, text in written().items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m orchestration.documentation.diagram`"


def test_every_table_is_shown_once_and_under_a_subject() -> None:
    shown = [table.name for _, tables in SHOWN for table in tables]
    marts = {path.stem for path in (DBT_PROJECT / "models" / "marts").rglob("*.sql")}
    assert sorted(shown) == sorted(marts | {table.name for table in audit.TABLES})
    assert OTHERS not in dict(SHOWN), "give it a place in orchestration.documentation.entities.SUBJECTS"
    questions = {path.stem for path in (DBT_PROJECT / "models" / "marts" / "questions").glob("*.sql")}
    assert {table.name for table in dict(SHOWN)[QUESTIONS]} == questions


@pytest.mark.parametrize(
    "table", [each for each in TABLES.values() if not each.is_question], ids=lambda each: each.name
)
def test_a_table_has_a_key_and_names_rows_by_theirs(table: Entity) -> None:
    assert table.key
    assert set(table.key) <= set(table.types)
    for reference in table.references:
        assert set(reference.columns) <= set(table.types)
        assert reference.target == TABLES[reference.table].key


def test_columns_named_like_a_dimension_s_key_are_held_to_it() -> None:
    named = {(table.name, *reference.columns) for table in TABLES.values() for reference in table.references}
    loose = {
        (table.name, column)
        for table in TABLES.values()
        for column in table.types
        if table.schema == "marts" and not table.is_question and DIMENSIONS.get(column, table.name) != table.name
    }
    assert loose - named == NAMES_NOTHING


def test_diagrams_show_keys_and_lines() -> None:
    assert "    fct_negative_balance_daily {\n        date as_of_date PK\n        varchar account_id PK, FK\n" in PAGE
    assert '    dim_account ||--o{ fct_negative_balance_daily : "account_id"' in PAGE
    assert '    dim_entity |o--o{ dim_asset : "issuer_entity_id"' in PAGE
    assert '    published_figure |o--o{ published_figure : "previous_entry_number"' in PAGE
    boxes = [set(re.findall(r"^    (\w+) \{", part, re.MULTILINE)) for part in PAGE.split("```mermaid")[1:]]
    assert all(2 <= len(names) <= 10 for names in boxes)


def test_a_list_that_can_t_be_read_is_said() -> None:
    key = "test.ringfence.marts_refer_to_dimensions"
    manifest = manifest_as_json()
    changed = manifest | {"nodes": manifest["nodes"] | {key: manifest["nodes"][key] | {"raw_code": "select 1"}}}
    with pytest.raises(RingfenceError, match="begins with no list named references"):
        entities(changed)


def test_exposures_list_the_marts_that_their_code_reads() -> None:
    exposures = manifest_as_json()["exposures"].values()
    assert exposures
    for exposure in exposures:
        folder = REPOSITORY / "orchestration" / exposure["config"]["meta"]["folder"]
        text = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
        listed = {node.removeprefix("model.ringfence.") for node in exposure["depends_on"]["nodes"]}
        read = {name for name in re.findall(r"\bmarts\.([a-z_]+)", text) if name in TABLES}
        assert read == listed, f"models/exposures.yml, {exposure['name']}"
