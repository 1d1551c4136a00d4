"""What the models that are kept from run to run were last built from: table ``policy.built``, one row or none.

What belongs here: reading, recording and forgetting it. What doesn't: what follows from it (``pipeline.build_plan``).
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from datetime import date, datetime

import duckdb

_CREATE = (
    "create schema if not exists policy; create table if not exists policy.built (load_number bigint,"
    " knowledge_at timestamp, last_date date, landing_first_date date, policy_hash varchar, project_digest varchar)"
)


@dataclass(frozen=True, slots=True)
class Built:
    """Rows up to ``load_number``, as known at ``knowledge_at``, were built for the days up to ``last_date``."""

    load_number: int
    knowledge_at: datetime
    last_date: date
    landing_first_date: date
    policy_hash: str
    project_digest: str


def read_built(connection: duckdb.DuckDBPyConnection) -> Built | None:
    """What was built, None if nothing was or a build didn't come to its end."""
    connection.execute(_CREATE)
    rows = connection.execute("from policy.built").fetchall()
    return Built(*rows[0]) if rows else None


def record_built(connection: duckdb.DuckDBPyConnection, built: Built) -> None:
    """Record a build that is done. Call it in a transaction."""
    forget_built(connection)
    connection.execute("insert into policy.built values (?, ?, ?, ?, ?, ?)", astuple(built))


def forget_built(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the next build a whole one."""
    connection.execute(_CREATE)
    connection.execute("delete from policy.built")
