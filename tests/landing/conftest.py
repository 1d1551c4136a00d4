"""Fixtures of the landing tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.landing import create_schemas
from tests.landing.zone import Zone


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    """An empty landing zone, in a folder whose name is full of wildcards."""
    path = tmp_path / "landing [a-z]*?"
    path.mkdir()
    return Zone(path)


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty build file, in memory."""
    with duckdb.connect() as connection_:
        create_schemas(connection_)
        yield connection_
