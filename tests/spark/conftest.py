"""What the tests on Spark share: one session, one exchange built twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from tests.spark.engine import start_spark
from tests.spark.exchange import build_twice


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything is kept; Spark's tables in folder ``spark``."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="session")
def spark(folder: Path) -> Iterator[SparkSession]:
    """The session that dbt takes too."""
    session = start_spark(folder / "spark")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def built(folder: Path, spark: SparkSession) -> Iterator[duckdb.DuckDBPyConnection]:
    """The build file of an exchange that was built on both engines."""
    path = build_twice(folder)
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection
