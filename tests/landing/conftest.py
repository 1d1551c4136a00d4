"""Fixtures of the landing tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

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


@pytest.fixture(scope="session")
def empty_build_file() -> bytes:
    """A build file with the default policy and nothing else."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "empty.duckdb"
        with duckdb.connect(str(path)) as connection_:
            create_schemas(connection_)
            write_policy(connection_, load_policy())
        return path.read_bytes()


@pytest.fixture
def connection(empty_build_file: bytes, tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty build file."""
    path = tmp_path / f"{DATABASE}.duckdb"
    path.write_bytes(empty_build_file)
    # On a few rows several threads only wait for each other.
    with duckdb.connect(str(path), config={"threads": 1}) as connection_:
        yield connection_


@pytest.fixture(scope="session")
def integrity_models() -> dict[str, duckdb.Statement]:
    """The integrity models, parsed once: that takes a third of the time of running them on a few rows."""
    return {name: duckdb.extract_statements(compiled_project()[name].sql)[0] for name in INTEGRITY}


@pytest.fixture
def books(zone: Zone, connection: duckdb.DuckDBPyConnection, integrity_models: dict[str, duckdb.Statement]) -> Books:
    """A healthy landing zone of three days and an empty build file."""
    write_healthy(zone)
    return Books(zone, connection, integrity_models)
