"""Dagster's history of events, kept so that writing to it costs little.

What belongs here: the event log storage that ``dagster.yaml`` of a warehouse names. What doesn't: anything that
Ringfence itself relies on; ``audit`` is the record of runs.

Dagster's own storage makes an engine for every event, which forgets each statement it has compiled and looks up the
tables anew: with some 1,200 events a run that was a quarter of the time of a small run (57 against 42 seconds).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool
from typing_extensions import override

BUSY_TIMEOUT_SECONDS = 60


class EventHistory(ConsolidatedSqliteEventLogStorage):
    """All runs' events in one SQLite file, through one engine for the life of the process."""

    @cached_property
    def _engine(self) -> Engine:
        # Connections aren't kept: a forked process must not share them.
        return create_engine(self._conn_string, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @cached_property
    def _tables_there(self) -> set[str]:
        return set()

    @contextmanager
    @override
    def _connect(self) -> Iterator[Connection]:
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @override
    def has_table(self, table_name: str) -> bool:
        """Whether the file has the table; one that is there stays."""
        if table_name not in self._tables_there:
            with self._engine.connect() as connection:
                if not self._engine.dialect.has_table(connection, table_name):
                    return False
            self._tables_there.add(table_name)
        return True

    @override
    def _has_asset_key_index_cols_on_connection(self, conn: Any) -> bool:
        name = "asset_keys with the columns of its index"
        if name not in self._tables_there:
            if not super()._has_asset_key_index_cols_on_connection(conn):
                return False
            self._tables_there.add(name)
        return True
