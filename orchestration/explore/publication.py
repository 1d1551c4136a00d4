"""The published file as the explorer's sessions share it: one confined connection, opened anew when a run publishes.

What belongs here: which file is open, and for whom. What doesn't: questions.

DuckDB opens a path once in a process: a session that kept the file of yesterday open would hold every other session,
and those that come later, at yesterday's. So there is one connection, each reader has a cursor of its own for as long
as a page takes, and a new file is opened when the last reader of the old one has gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Condition

import duckdb

from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.published import open_published, require_published
from orchestration.settings import WarehousePaths


@dataclass(frozen=True, slots=True)
class Reader:
    """A look at one publication; ``identity`` tells it from every other of the same warehouse."""

    cursor: duckdb.DuckDBPyConnection
    identity: str


class Publication:
    """What a warehouse has published, as it stands whenever somebody begins to read."""

    def __init__(self, paths: WarehousePaths) -> None:
        self.paths = paths
        self._turn = Condition()
        self._readers = 0
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._identity = ""

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Read one publication; readers don't nest. Raises ConfigurationError if nothing is published any more."""
        with self._turn:
            self._take_turn()
            assert self._connection is not None
            reader = Reader(self._connection.cursor(), self._identity)
            self._readers += 1
        try:
            yield reader
        finally:
            reader.cursor.close()
            with self._turn:
                self._readers -= 1
                self._turn.notify_all()

    def close(self) -> None:
        """Let go of the file; the next reader opens it again."""
        with self._turn:
            while self._readers:
                self._turn.wait()
            self._forget()

    def _take_turn(self) -> None:
        """Wait until the newest file is open."""
        while self._connection is None or self._identity != self._newest():
            if self._readers:
                self._turn.wait()
                continue
            self._forget()
            # Asked before opening: a file put in place in between is opened once more, and never taken for the older.
            identity = self._newest()
            self._connection, self._identity = open_published(self.paths.root), identity

    def _newest(self) -> str:
        require_published(self.paths)
        try:
            state = self.paths.published_file.stat()
        except OSError as error:
            raise ConfigurationError(f"{self.paths.published_file} can't be read: {error.strerror}") from error
        return f"{state.st_dev:x}-{state.st_ino:x}-{state.st_mtime_ns:x}"

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._identity = None, ""


class _Served:
    publication: Publication | None = None


def serve_from(paths: WarehousePaths) -> Publication:
    """Let the pages of this process read that warehouse from now on."""
    if _Served.publication is not None:
        _Served.publication.close()
    _Served.publication = Publication(paths)
    return _Served.publication


def served() -> Publication:
    """What the pages of this process read."""
    if _Served.publication is None:
        raise RingfenceError("the explorer reads no warehouse: it is started by 'ringfence explore --warehouse DIR'")
    return _Served.publication
