"""What the documentation page begins with: every table by subject, and where to look for what.

What belongs here: the text. What doesn't: descriptions of tables and their keys, which come from where they are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from orchestration.documentation.entities import Entity, entities, subjects
from orchestration.headlines.definitions import Headline

_INTRODUCTION = """\
# Could this exchange hand every customer back what it owes them, in kind, today?

Schemas `marts` and `audit` of `ringfence.duckdb` are for reading; database `ringfence_build` holds what they are made
from, for the pipeline alone. Start with [fct_solvency_daily](#!/model/model.ringfence.fct_solvency_daily). Tables say
their grain, what adds up and what doesn't; numbers their unit and sign. The button at the lower right of a table's page
shows its lineage, from the files delivered to the report, alerts and explorer that read it: narrow it with
`1+fct_solvency_daily+1` under `--select`. Times are UTC; amounts are exact decimals.
"""


def overview(manifest: Mapping[str, Any], headlines: Iterable[Headline]) -> str:
    """The text, in Markdown."""
    parts = [_INTRODUCTION]
    for title, tables in subjects(entities(manifest)):
        rows = [
            f"| [{table.name}]({_address(table)}) | {_answer(manifest, table)} |"
            f" {_listed(table.key)} | {_named(table)} |"
            for table in tables
        ]
        parts.append(
            "\n".join(
                [f"## {title}", "", "| table | what it says | key | names rows of |", "|---|---|---|---|", *rows, ""]
            )
        )
    parts.append("## Headlines\n\nEach is defined once; `ringfence headline NAME --by month` shows it.\n")
    rows = [
        f"| [{each.name}](#!/metric/metric.ringfence.{each.name}) | {each.description} |"
        f" {'as at the end' if each.is_stock else 'adds up'} |"
        for each in headlines
    ]
    parts.append("\n".join(["| headline | what it is | over time |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _address(table: Entity) -> str:
    if table.schema == "marts":
        return f"#!/model/model.ringfence.{table.name}"
    return f"#!/source/source.ringfence.audit.{table.name}"


def _answer(manifest: Mapping[str, Any], table: Entity) -> str:
    """What the description says before it comes to the grain."""
    part, key = ("nodes", "model.ringfence.") if table.schema == "marts" else ("sources", "source.ringfence.audit.")
    text = " ".join(manifest[part][key + table.name]["description"].split())
    return re.split(r" ?Grain: ", text, maxsplit=1)[0].replace("|", "\\|")


def _listed(columns: tuple[str, ...]) -> str:
    return ", ".join(columns)


def _named(table: Entity) -> str:
    return ", ".join(
        f"{reference.table} by {_listed(reference.columns)}"
        if reference.columns != reference.target or len(reference.columns) > 1
        else reference.table
        for reference in table.references
    )
