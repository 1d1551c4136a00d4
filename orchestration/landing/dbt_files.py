"""What the dbt project has to know of the landing contract, written from the contract.

What belongs here: the sources' YAML and the macro that lists tables for models which treat all tables alike. What
doesn't: models. A test fails if the files differ from what this module writes; run it as a module to write them.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from orchestration.audit import table_named
from orchestration.contract import METADATA_COLUMNS, TABLES, Table
from orchestration.landing.keys import row_key
from orchestration.landing.schemas import ACCEPTED_COLUMN, INCOMING_TABLES
from orchestration.settings import DBT_PROJECT

_GENERATED = "generated from orchestration/contract.py by `python -m orchestration.landing.dbt_files`; don't edit"
_POLICY_TABLES: dict[str, tuple[str, dict[str, str]]] = {
    "setting": (
        "Scalar settings. Grain: one row per setting.",
        {"name": "section.name", "value": "as written in the policy file, percentages from 0 to 100"},
    ),
    "list_item": (
        "Items of list and map settings. Grain: one row per setting and item.",
        {"name": "section.name", "item": "the item, or the map's key", "value": "the map's value; null in a list"},
    ),
    "check_setting": (
        "What policy says about each check. Grain: one row per check.",
        {
            "check_name": "check of the catalogue",
            "kind": "integrity, reconciliation or breach",
            "severity": "critical or warning",
            "is_enabled": "whether its findings count",
        },
    ),
    "run_context": (
        "What this run is about. Grain: one row.",
        {
            "run_id": "the run",
            "first_date": "first day the run was asked for",
            "last_date": "last day the run was asked for",
            "knowledge_at": "rows known at or after this moment don't exist, UTC",
            "landing_first_date": "smallest partition date of the landing zone",
            "calendar_last_date": "last day of the marts",
            "previous_knowledge_at": "knowledge_at of the last accepted run; null if there is none",
        },
    ),
    "build_plan": (
        "What this run has to build of the models that are kept from run to run. Grain: one row.",
        {
            "is_whole": "whether everything is built anew; the built_ columns are null then",
            "reason": "why it is, or that what was built before is continued",
            "built_load_number": "largest accepted_load_number of the rows that were built from",
            "built_knowledge_at": "knowledge time that was built for, UTC",
            "built_last_date": "last day of the marts that were built",
        },
    ),
    "built_asset_day": (
        "What assets were worth when the kept models were last built. Grain: one row per asset and day; none in a "
        "whole build.",
        {
            "as_of_date": "the day, UTC",
            "asset": "the asset",
            "price_usd": "USD per unit; null if unpriced",
            "collateral_unit_usd": "USD per unit as collateral; null if unpriced",
        },
    ),
}


_AUDIT_TABLES = ("run", "load", "published_figure", "restatement_source")
"""What earlier runs said and read, which restatements are worked out from."""


def _text(value: str) -> str:
    """A YAML scalar; JSON strings are YAML."""
    return json.dumps(value, ensure_ascii=False)


def _table_yaml(name: str, description: str, columns: dict[str, tuple[str, str]]) -> list[str]:
    lines = [f"      - name: {name}", f"        description: {_text(description)}", "        columns:"]
    for column, (type_, column_description) in columns.items():
        lines.append(f"          - name: {column}")
        lines.append(f"            description: {_text(column_description)}")
        if type_:
            lines.append(f"            data_type: {type_.lower()}")
    return lines


def _contract_columns(table: Table) -> dict[str, tuple[str, str]]:
    columns = {column.name: (column.duckdb_type, column.description) for column in table.columns}
    return columns | {name: (type_, description) for name, type_, description in METADATA_COLUMNS}


def _source_yaml(name: str, schema: str, description: str, tables: list[str]) -> str:
    head = [
        f"# {_GENERATED[0].upper()}{_GENERATED[1:]}.",
        "version: 2",
        "",
        "sources:",
        f"  - name: {name}",
        f"    schema: {schema}",
        f"    description: {_text(description)}",
        "    tables:",
    ]
    return "\n".join([*head, *tables]) + "\n"


def sources() -> dict[str, str]:
    """The sources' YAML by file name."""
    contract = [
        line for table in TABLES for line in _table_yaml(table.name, table.description, _contract_columns(table))
    ]
    accepted_column = {ACCEPTED_COLUMN[0]: ACCEPTED_COLUMN[1:]}
    raw = [
        line
        for table in TABLES
        for line in _table_yaml(table.name, table.description, _contract_columns(table) | accepted_column)
    ]
    audit = [
        line
        for table in map(table_named, _AUDIT_TABLES)
        for line in _table_yaml(
            table.name,
            table.description,
            {column.name: (column.type_name, column.description) for column in table.columns},
        )
    ]
    incoming = [
        line
        for name, (description, columns) in INCOMING_TABLES.items()
        for line in _table_yaml(name, description, {column: (type_, text) for column, type_, text in columns})
    ]
    policy = [
        line
        for name, (description, columns) in _POLICY_TABLES.items()
        for line in _table_yaml(name, description, {column: ("", text) for column, text in columns.items()})
    ]
    accepted = "Accepted rows of the landing zone, append-only, one per identity of the contract."
    arrived = "Rows of the partitions that this run found new or changed, before they are accepted, and what is wrong."
    in_force = "Policy in force and the run's context, written by the run before the models."
    return {
        "landing.yml": _source_yaml("landing", "raw", accepted, raw),
        "incoming.yml": _source_yaml("incoming", "incoming", arrived, [*contract, *incoming]),
        "audit.yml": _source_yaml("audit", "audit", "What runs said and read, append-only.", audit),
        "policy.yml": _source_yaml("policy", "policy", in_force, policy),
    }


def model_sources() -> list[tuple[str, str]]:
    """Schema and name of every source table of the models that are built from accepted rows."""
    return [
        *(("raw", table.name) for table in TABLES),
        *(("audit", name) for name in _AUDIT_TABLES),
        *(("policy", name) for name in _POLICY_TABLES),
    ]


def _known_column(table: Table) -> str | None:
    return next((name for name in ("recorded_at", "published_at") if name in table.column_names), None)


def _table_facts(table: Table) -> dict[str, Any]:
    decimals = [column.name for column in table.columns if column.duckdb_type.startswith("DECIMAL")]
    return {
        "name": table.name,
        "is_dated": table.dated,
        "is_required_daily": table.required_daily,
        "columns": list(table.column_names),
        "decimals": decimals,
        "identity": list(table.identity),
        "nullable_identity": [name for name in table.identity if not table.column(name).required],
        "row_key": row_key(table, "{alias}"),
        "known_column": _known_column(table),
        "has_asset": "asset" in table.column_names,
        "references": [
            {"column": reference.column, "table": reference.target_table, "target": reference.target_column}
            for reference in table.references
        ],
    }


def _jinja(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_jinja(key)}: {_jinja(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_jinja(item) for item in value) + "]"
    return {None: "none", True: "true", False: "false"}[value] if value in (None, True, False) else json.dumps(value)


def contract_macro() -> str:
    """The macro that hands the contract to models."""
    rows = ",\n".join(f"    {_jinja(_table_facts(table))}" for table in TABLES)
    return (
        "{% macro landing_tables() -%}\n"
        f"    {{#- The landing contract's tables; {_GENERATED}. -#}}\n"
        f"    {{%- set tables = [\n{rows}\n    ] -%}}\n"
        "    {{ return(tables) }}\n"
        "{%- endmacro %}\n"
    )


def files() -> dict[Path, str]:
    """Every generated file and its text."""
    folder = DBT_PROJECT / "models" / "sources"
    return {
        **{folder / name: text for name, text in sources().items()},
        DBT_PROJECT / "macros" / "landing_contract.sql": contract_macro(),
    }


def write() -> None:
    """Write the generated files."""
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
