"""Fixtures of the landing tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from orchestration.landing import create_schemas
from orchestration.policy import load_policy, write_policy
from orchestration.warehouse.compiled import DATABASE, compiled_project
from tests.landing.integrity import INTEGRITY, Books, write_healthy
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


@pytest.fixture
def books(zone: Zone, tmp_path: Path) -> Iterator[Books]:
    """A healthy landing zone of three days and an empty build file."""
    write_healthy(zone)
    with duckdb.connect(str(tmp_path / f"{DATABASE}.duckdb")) as connection_:
        create_schemas(connection_)
        write_policy(connection_, load_policy())
        yield Books(zone, connection_, {name: compiled_project()[name].sql for name in INTEGRITY})
