"""PySpark on this machine's two cores: the same SQL as bare."""

from __future__ import annotations

import os

from pyspark.sql import SparkSession

from orchestration.bench.speed.contenders.script import COLUMNS, COVERAGE, LIABILITY, Script


def _session(script: Script) -> SparkSession:
    """A session with half of the memory, few partitions, and decimals that keep their places."""
    gigabytes = max(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**31, 1)
    settings = {
        "spark.driver.memory": f"{gigabytes}g",
        "spark.sql.shuffle.partitions": "8",
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(script.out / "spark"),
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
    }
    builder = SparkSession.builder.master("local[2]").appName("ringfence benchmark")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def main() -> None:
    """Compute liabilities and coverage."""
    script = Script.of_command_line()
    with script.step("start"):
        session = _session(script)
        session.sparkContext.setLogLevel("ERROR")
    for table, columns in COLUMNS.items():
        session.read.parquet(str(script.landing / table)).select(*columns).createOrReplaceTempView(table)
    with script.step("liabilities"):
        liability = session.sql(LIABILITY).persist()
        rows = liability.collect()
        liability.createOrReplaceTempView("liability")
    with script.step("coverage"):
        coverage = session.sql(COVERAGE).collect()
    session.stop()
    script.finish(rows, coverage)


if __name__ == "__main__":
    main()
