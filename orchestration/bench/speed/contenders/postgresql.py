"""PostgreSQL: the same SQL as bare, on a server of its own; loading is counted, and timed apart.

The server is set up as for analytics on a machine of this size, and as fast as a throwaway may be: unlogged tables, no
fsync. DuckDB reads the Parquet files and hands the columns needed over a pipe as CSV, which is PostgreSQL's fastest
way in; both work at the same time.
"""

from __future__ import annotations

import csv
import os
import subprocess
import threading

import duckdb

from orchestration.bench.speed.contenders.postgresql_tools import Server, server
from orchestration.bench.speed.contenders.script import COLUMNS, COVERAGE, LIABILITY, Script

_TYPES = {"amount": "numeric", "balance": "numeric", "effective_at": "timestamp", "as_of": "timestamp"}


def _settings() -> dict[str, str]:
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return {
        "shared_buffers": f"{min(megabytes // 4, 4096)}MB",
        "effective_cache_size": f"{megabytes // 2}MB",
        "work_mem": f"{min(megabytes // 16, 1024)}MB",
        "maintenance_work_mem": f"{min(megabytes // 16, 1024)}MB",
        "max_parallel_workers_per_gather": "2",
        "max_parallel_workers": "2",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "autovacuum": "off",
        "jit": "off",
        "timezone": "UTC",
    }


def main() -> None:
    """Load, then compute liabilities and coverage."""
    script = Script.of_command_line()
    with server(_settings()) as running:
        with script.step("load"):
            for table in COLUMNS:
                _load(script, running, table)
            running.run("analyze")
        with script.step("liabilities"):
            running.run(f"create table liability as {LIABILITY}")
        with script.step("coverage"):
            coverage = running.run(COVERAGE)
        liability = running.run("select day, asset, liability from liability order by day, asset")
    script.finish(_rows(liability), _rows(coverage))


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(text.splitlines()))


def _load(script: Script, running: Server, table: str) -> None:
    columns = COLUMNS[table]
    definitions = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in columns)
    running.run(f"create unlogged table {table} ({definitions})")
    pipe = script.out / f"{table}.pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=_write, args=(script, table, str(pipe)), daemon=True)
    writer.start()
    with pipe.open("rb") as rows:
        copy = f"copy {table} from stdin (format csv)"
        subprocess.run([*running.psql, "-c", copy], check=True, stdin=rows)  # noqa: S603
    writer.join()
    pipe.unlink()


def _write(script: Script, table: str, pipe: str) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"copy (select {', '.join(COLUMNS[table])} from read_parquet('{script.files(table)}',"
            f" hive_partitioning = false)) to '{pipe}' (format csv, header false)"
        )


if __name__ == "__main__":
    main()
