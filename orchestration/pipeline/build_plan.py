"""What a run has to build of the models that are kept from run to run: ``policy.build_plan``.

What belongs here: whether what was built before can be continued. What doesn't: the record of it (``warehouse.built``),
and which rows follow (``int_plan__*`` of the dbt project).

A build continues the one before if only rows were added since. Whatever else changed (the policy, the models, who is
related to whom) changes history, and then everything is built anew; so it is after a build that was killed.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from orchestration.pipeline.run import RunContext
from orchestration.warehouse.build_file import transaction
from orchestration.warehouse.built import Built, forget_built, read_built, record_built
from orchestration.warehouse.constants import write_constants
from orchestration.warehouse.dbt import project_digest

_ASSET_DAY = "intermediate.int_tokens__asset_daily"
_PLAN_COLUMNS = {
    "is_whole": "boolean",
    "reason": "varchar",
    "built_load_number": "bigint",
    "built_knowledge_at": "timestamp",
    "built_last_date": "date",
}


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """Whether everything is built anew, and why."""

    is_whole: bool
    reason: str


def plan_whole(connection: duckdb.DuckDBPyConnection, reason: str) -> BuildPlan:
    """Plan to build everything anew."""
    _write_plan(connection, True, reason, None)
    connection.execute(
        "create or replace table policy.built_asset_day (as_of_date date, asset varchar, price_usd decimal(38, 18),"
        " collateral_unit_usd decimal(38, 18))"
    )
    return BuildPlan(is_whole=True, reason=reason)


def open_plan(connection: duckdb.DuckDBPyConnection, context: RunContext) -> BuildPlan:
    """Decide what the build that begins now has to do, and forget what was built: only ``close_plan`` knows it again.

    A build that is killed between the two is thereby followed by a whole one.
    """
    with transaction(connection):
        built = read_built(connection)
        forget_built(connection)
        if built is None:
            return plan_whole(connection, "nothing was built before, or not to its end")
        changed = _what_changed(connection, context, built)
        if changed is not None:
            return plan_whole(connection, changed)
        reason = f"continues the marts as known at {built.knowledge_at}"
        _write_plan(connection, False, reason, built)
        connection.execute(
            "create or replace table policy.built_asset_day as"
            f" select as_of_date, asset, price_usd, collateral_unit_usd from {_ASSET_DAY}"
        )
    return BuildPlan(is_whole=False, reason=reason)


def close_plan(connection: duckdb.DuckDBPyConnection, context: RunContext) -> None:
    """Record that the build that was planned is done."""
    load_number = connection.execute("select coalesce(max(load_number), 0) from audit.load").fetchall()[0][0]
    built = Built(
        load_number=load_number,
        knowledge_at=context.knowledge_at,
        last_date=context.calendar_last_date,
        landing_first_date=context.landing_first_date,
        policy_hash=_policy_hash(connection, context),
        project_digest=project_digest(),
    )
    with transaction(connection):
        record_built(connection, built)


def _write_plan(connection: duckdb.DuckDBPyConnection, is_whole: bool, reason: str, built: Built | None) -> None:
    known = (built.load_number, built.knowledge_at, built.last_date) if built else (None, None, None)
    write_constants(connection, "build_plan", _PLAN_COLUMNS, [is_whole, reason, *known])


def _policy_hash(connection: duckdb.DuckDBPyConnection, context: RunContext) -> str:
    rows = connection.execute("select policy_hash from audit.run where run_id = ?", [context.run_id]).fetchall()
    return str(rows[0][0])


def _what_changed(connection: duckdb.DuckDBPyConnection, context: RunContext, built: Built) -> str | None:
    """What changed besides rows that were added; None if nothing did."""
    if built.project_digest != project_digest():
        return "the models changed"
    if built.policy_hash != _policy_hash(connection, context):
        return "the policy changed"
    if built.landing_first_date != context.landing_first_date:
        return "the landing zone begins on another day"
    for reason, condition in _CHANGES_OF_HISTORY.items():
        parameters = {
            "load_number": built.load_number,
            "knowledge_at": built.knowledge_at,
            "now": context.knowledge_at,
        }
        named = {name: value for name, value in parameters.items() if f"${name}" in condition}
        if connection.execute(f"select exists({condition})", named).fetchall()[0][0]:
            return reason
    return None


_IS_NEW = (
    "added.recorded_at < $now and (added.accepted_load_number > $load_number or added.recorded_at >= $knowledge_at)"
)

# Who is related to whom holds for all of history, so that a change moves balances of every day.
_CHANGES_OF_HISTORY = {
    "links between entities changed": f"from raw.entity_links as added where {_IS_NEW}",
    "an operator was registered": f"from raw.entities as added where added.entity_type = 'operator' and {_IS_NEW}",
    "an entity was registered anew": f"""
        from raw.entities as added
        inner join raw.entities as earlier
            on added.entity_id = earlier.entity_id and added.entity_type <> earlier.entity_type
        where {_IS_NEW}
    """,
    "a custodial subsidiary was registered": f"""
        from raw.entities as added
        inner join policy.list_item as subsidiary
            on added.entity_id = subsidiary.item and subsidiary.name = 'operator.custodial_subsidiaries'
        where {_IS_NEW}
    """,
    "an account was registered anew": f"""
        from raw.accounts as added
        inner join raw.accounts as earlier
            on added.account_id = earlier.account_id
            and row(added.entity_id, added.account_class) <> row(earlier.entity_id, earlier.account_class)
        where {_IS_NEW}
    """,
    # Then a row may come before what it refers to, or before the day it counts on, and count only later.
    "policy lets unsound deliveries pass": """
        from policy.check_setting
        where kind = 'integrity' and not (is_enabled and severity = 'critical')
    """,
}
