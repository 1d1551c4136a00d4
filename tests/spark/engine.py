"""Spark in this process, small and without anything but what the tests need, and dbt on it.

What belongs here: the session's settings for a few thousand rows, and running dbt's commands. What doesn't: what is
built and compared.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from pyspark.sql import SparkSession

from orchestration.settings import DBT_PROJECT
from tests.spark.profile import spark_parameters

_SMALL = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    # Compiling code for each query takes longer than a few thousand rows do.
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.catalogImplementation": "in-memory",
}


def start_spark(folder: Path) -> SparkSession:
    """A session that keeps its tables in the folder; dbt's session method takes the one that is there."""
    builder = SparkSession.builder.master("local[2]").appName("ringfence-tests")
    for name, value in {**_SMALL, **spark_parameters(), "spark.sql.warehouse.dir": str(folder)}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


class DbtOnSpark:
    """dbt on target spark, which reads the project once for all its commands."""

    def __init__(self, folder: Path) -> None:
        places = ("--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT), "--target-path", str(folder))
        self._places = (*places, "--log-path", str(folder), "--target", "spark")
        self._manifest: Any = None
        self._manifest = self.run("parse")

    def run(self, *arguments: str) -> Any:
        """A command's result; fails, naming them, if any node did."""
        quiet = (
            "--no-send-anonymous-usage-stats",
            "--no-write-json",
            "--log-level",
            "none",
            "--log-level-file",
            "none",
        )
        outcome = dbtRunner(manifest=self._manifest).invoke([*quiet, *arguments, *self._places])
        results = getattr(outcome.result, "results", [])
        failed = [f"{item.node.name}: {item.message}" for item in results if str(item.status) in ("error", "fail")]
        assert outcome.success, "\n".join(failed) or str(outcome.exception)
        return outcome.result
