"""What the tests on Spark share: one session, one exchange built twice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from tests.spark.engine import start_spark
from tests.spark.exchange import build_twice, compared_models


def pytest_addoption(parser: pytest.Parser) -> None:
    """Evidence takes as long again as a third of the rest, so it is compared when it is asked for."""
    parser.addoption("--evidence", action="store_true", help="build and compare the evidence models too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that names a relation is one for each that both engines build."""
    if "relation" in metafunc.fixturenames:
        models = compared_models(is_evidence_built=metafunc.config.getoption("--evidence"))
        metafunc.parametrize(
            "relation", sorted(model.place for model in models if model.kind == "table" and model.schema != "seeds")
        )


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
def built(folder: Path, spark: SparkSession, pytestconfig: pytest.Config) -> Iterator[duckdb.DuckDBPyConnection]:
    """The build file of an exchange that was built on both engines."""
    path = build_twice(folder, is_evidence_built=pytestconfig.getoption("--evidence"))
    with duckdb.connect(str(path), read_only=True) as connection:
        yield connection
