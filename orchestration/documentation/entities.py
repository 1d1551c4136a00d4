"""Tables of the published file with what identifies their rows and which other table's rows they name.

What belongs here: reading these facts where each is kept: keys of marts in dbt's tests of them, references of marts in
the test ``marts_refer_to_dimensions``, keys and references of schema ``audit`` beside its columns. What doesn't: any
fact but the order in which tables are shown.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration import audit
from orchestration.errors import RingfenceError
from orchestration.warehouse.keys import declared_keys

SUBJECTS: tuple[tuple[str, str], ...] = (
    (
        "Who and what there is",
        "dim_entity dim_entity_relation dim_entity_link dim_affiliation_end dim_account dim_asset",
    ),
    ("Solvency", "fct_solvency_daily fct_reserve_coverage_daily fct_liquidity_daily fct_price_daily"),
    ("What is owed", "fct_customer_liability_daily fct_engine_drift_daily fct_reported_balance"),
    ("Who owes", "fct_negative_balance_daily fct_negative_balance_period fct_account_equity_daily"),
    (
        "What is held",
        "dim_wallet fct_reserve_balance_daily fct_reserve_exclusion_daily fct_wallet_roll_forward fct_outside_flow"
        " fct_snapshot_flow_daily",
    ),
    (
        "Affiliates",
        "fct_affiliate_exposure_daily fct_affiliate_balance_daily fct_affiliate_suspicion_daily"
        " fct_account_privilege_daily fct_misdirected_deposit",
    ),
    ("Own tokens and revenue", "fct_own_token_daily fct_revenue_daily fct_token_adjusted_revenue_monthly"),
)
"""Marts by what they are about. Others come under ``OTHERS``, views on marts under ``QUESTIONS``."""

OTHERS, QUESTIONS = "More", "Ready-made answers"
AUDIT = (
    ("What ran, was read and was checked", "run load notice check_result policy"),
    ("What was found", "finding finding_log finding_source source_row"),
    ("What was said", "published_figure restatement_source fct_restatement"),
)
_REFERENCES = re.compile(r"{%\s*set references = (\[.*?\])\s*%}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reference:
    """Columns that name a row of another table, by these columns of that one."""

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entity:
    """A table or view. ``required`` are columns without nulls. A key may be empty, for a view that has one row."""

    schema: str
    name: str
    key: tuple[str, ...]
    references: tuple[Reference, ...]
    types: Mapping[str, str]
    required: frozenset[str]
    is_question: bool = False

    @property
    def place(self) -> str:
        """Its name in SQL."""
        return f"{self.schema}.{self.name}"


def entities(manifest: Mapping[str, Any]) -> dict[str, Entity]:
    """All tables of schemas marts and audit by name. Raises RingfenceError if the list of references can't be read."""
    nodes = manifest["nodes"].values()
    keys = {key.node: key.columns for key in declared_keys(manifest)}
    references = _references_of_marts(manifest)
    found = {}
    for node in nodes:
        if node["resource_type"] == "model" and node["schema"] == "marts":
            types = {name: str(column["data_type"]) for name, column in node["columns"].items()}
            named = list(references.get(node["name"], []))
            if "run_id" in types:
                named.append(Reference(("run_id",), "run", ("run_id",)))
            found[node["name"]] = Entity(
                "marts",
                node["name"],
                keys.get(node["unique_id"], ()),
                tuple(named),
                types,
                frozenset(name for name, column in node["columns"].items() if _is_required(column)),
                is_question="questions" in node["fqn"],
            )
    for table in audit.TABLES:
        types = {column.name: column.type_name for column in table.columns}
        named = [Reference(*reference) for reference in table.references]
        required = frozenset(column.name for column in table.columns if column.definition != column.type_name)
        found[table.name] = Entity("audit", table.name, table.key, tuple(named), types, required)
    return found


def subjects(tables: Mapping[str, Entity]) -> list[tuple[str, list[Entity]]]:
    """Marts by subject, then what is audited, then views on marts; each table once."""
    shown = [(title, [tables[name] for name in names.split()]) for title, names in SUBJECTS]
    placed = {name for _, names in (*SUBJECTS, *AUDIT) for name in names.split()}
    others = [table for name, table in sorted(tables.items()) if name not in placed]
    shown.append((OTHERS, [table for table in others if not table.is_question]))
    shown += [(title, [tables[name] for name in names.split()]) for title, names in AUDIT]
    shown.append((QUESTIONS, [table for table in others if table.is_question]))
    return [(title, found) for title, found in shown if found]


def _is_required(column: Mapping[str, Any]) -> bool:
    return any(constraint["type"] == "not_null" for constraint in column["constraints"])


def _references_of_marts(manifest: Mapping[str, Any]) -> dict[str, list[Reference]]:
    found = _REFERENCES.search(manifest["nodes"]["test.ringfence.marts_refer_to_dimensions"]["raw_code"])
    if found is None:
        raise RingfenceError("the test marts_refer_to_dimensions begins with no list named references")
    references: dict[str, list[Reference]] = {}
    for mart, column, dimension, key in ast.literal_eval(found[1]):
        references.setdefault(mart, []).append(Reference((column,), dimension, (key,)))
    return references
