"""The glossary, and what pages for readers name: every table, check and column in them exists."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from orchestration import audit
from orchestration.checks import CHECK_DISABLED, CHECKS
from orchestration.contract import TABLES
from orchestration.reading.explanation import read_explanation
from orchestration.warehouse.dbt import manifest_as_json
from tests.guide.exchange import AUDITORS, GUIDE

GLOSSARY = GUIDE / "GLOSSARY.md"
ENTRY = re.compile(r"^\*\*(.+?)\*\*: (.+?)(?=\n\n|\Z)", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*)`")
VOCABULARY = {
    *("operator", "affiliate", "customer", "relation", "liability", "receivable", "reserve", "eligible", "in kind"),
    *("own token", "effective time", "known time", "finding", "integrity", "reconciliation", "breach", "encumbered"),
    *("gap_all_claims", "haircut", "window dressing", "roll-forward", "partition", "privilege", "suspense account"),
}
"""Words of DOMAIN.md, and those that tables and checks are made of."""


@cache
def names() -> frozenset[str]:
    """What a page may name: tables and columns of marts, audit and landing zone; checks."""
    marts = [node for node in manifest_as_json()["nodes"].values() if node["schema"] == "marts"]
    found = {node["name"] for node in marts} | {f"marts.{node['name']}" for node in marts}
    found |= {column for node in marts for column in node["columns"]}
    found |= {check.name for check in (*CHECKS, CHECK_DISABLED)}
    found |= {table.name for table in TABLES} | {column.name for table in TABLES for column in table.columns}
    for table in audit.TABLES:
        found.add(f"audit.{table.name}")
        found |= {column.name for column in table.columns}
    return frozenset(found)


def entries() -> list[tuple[str, str]]:
    return ENTRY.findall(GLOSSARY.read_text(encoding="utf-8"))


def test_entries_are_in_order_and_each_says_where() -> None:
    words = [word for word, _ in entries()]
    assert words == sorted(words, key=str.lower)
    assert len(words) == len(set(words)) == GLOSSARY.read_text(encoding="utf-8").count("**: ")
    for word, text in entries():
        assert set(NAME.findall(text)) & names(), word
        assert text.count(". ") <= 3, f"{word} takes more than a sentence or two"


def test_the_vocabulary_is_whole() -> None:
    assert VOCABULARY - {word for word, _ in entries()} == set()


@pytest.mark.parametrize("page", [GLOSSARY, AUDITORS], ids=lambda page: page.name)
def test_what_a_page_names_exists(page: Path) -> None:
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert set(NAME.findall(prose)) - names() - {"marts", "config.meta.rules"} == set()


def test_every_rule_that_a_check_answers_to_says_where_it_stands() -> None:
    rules = [rule for check in CHECKS for rule in read_explanation(check).rules]
    assert rules
    for rule in rules:
        assert re.fullmatch(r"CASS \d+\.\d+\.\d+ R|MiCA Article \d+\(\d\)( and \(\d\))?|IAS \d+\.\d+", rule.at), rule.at
        number = re.findall(r"\d+", rule.at)[0]
        assert rule.at.split()[0] in rule.document, rule
        assert number in rule.document, rule
        assert len(rule.computed.split()) >= 5, rule
