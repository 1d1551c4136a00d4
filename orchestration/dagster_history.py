"""Dagster's history of events, kept so that writing to it costs little.

What belongs here: the event log storage that ``dagster.yaml`` of a warehouse names. What doesn't: anything that
Ringfence itself relies on; ``audit`` is the record of runs.

Dagster's own storage makes an engine for every event, which forgets each statement it has compiled and looks up the
tables anew, and commits up to three times an event: with some 700 events a run that was a third of a small run's time.
Here events that come in bursts (what a run plans, what a step of a hundred models made) share a transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import Any

from dagster import DagsterEventType, EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import NullPool
from typing_extensions import override

BUSY_TIMEOUT_SECONDS = 60

# Dagster always sends another event right behind one of these: at the latest that the step, or its run, goes on.
_SENT_IN_BURSTS = frozenset(
    {
        DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
        DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
        DagsterEventType.STEP_OUTPUT,
        DagsterEventType.ASSET_MATERIALIZATION,
        DagsterEventType.ASSET_CHECK_EVALUATION,
    }
)


class _Burst(threading.local):
    """The transaction that the events of this thread share, while one is open, and what closes it."""

    connection: Connection | None = None
    closing: ExitStack | None = None


class EventHistory(ConsolidatedSqliteEventLogStorage):
    """All runs' events in one SQLite file, through one engine for the life of the process."""

    @cached_property
    def _engine(self) -> Engine:
        # Connections aren't kept: a forked process must not share them.
        return create_engine(self._conn_string, poolclass=NullPool, connect_args={"timeout": BUSY_TIMEOUT_SECONDS})

    @cached_property
    def _tables_there(self) -> set[str]:
        return set()

    @cached_property
    def _burst(self) -> _Burst:
        return _Burst()

    @contextmanager
    @override
    def _connect(self) -> Iterator[Connection]:
        if self._burst.connection is not None:
            yield self._burst.connection
            return
        with self._engine.connect() as connection, connection.begin():
            yield connection

    @override
    def store_event(self, event: EventLogEntry) -> None:
        """Store the event; at the end of a burst, with all that came before it in the burst."""
        if self._burst.closing is None:
            closing = ExitStack()
            self._burst.connection = closing.enter_context(self._connect())
            self._burst.closing = closing
        try:
            super().store_event(event)
        finally:
            if not (event.is_dagster_event and event.dagster_event_type in _SENT_IN_BURSTS):
                self._end_burst()

    def _end_burst(self) -> None:
        closing, self._burst.closing, self._burst.connection = self._burst.closing, None, None
        if closing is not None:
            closing.close()

    @override
    def dispose(self) -> None:
        """Let go of the file."""
        self._end_burst()
        super().dispose()  # type: ignore[no-untyped-call]

    @override
    def has_table(self, table_name: str) -> bool:
        """Whether the file has the table; one that is there stays."""
        if table_name not in self._tables_there:
            with self._connect() as connection:
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

    @override
    def has_asset_key_col(self, column_name: str) -> bool:
        """Whether the table of assets has the column; one that is there stays."""
        name = f"asset_keys.{column_name}"
        if name not in self._tables_there:
            if not super().has_asset_key_col(column_name):
                return False
            self._tables_there.add(name)
        return True
