"""The lake's own environment, driven from outside as users do, and warehouses published by the pipeline's DuckDB."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb

from orchestration.publish.snapshot import Source, publish
from orchestration.settings import REPOSITORY, WarehousePaths

PYTHON = REPOSITORY / ".venv-lake" / "bin" / "python"


def start(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen(
        [str(PYTHON), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


ANSWERING = """
import json, sys
from orchestration.lake.catalogue import EXTENSIONS, attach_lake, connection_with_extensions, parse_catalogue

with connection_with_extensions(EXTENSIONS["sqlite"]) as connection:
    for line in sys.stdin:
        catalogue, sql = json.loads(line)
        attach_lake(connection, parse_catalogue(catalogue), read_only=True)
        rows = connection.execute(f"select coalesce(columns(*)::varchar, '') from ({sql})").fetchall()
        print(json.dumps(rows), flush=True)
        connection.execute("detach lake")
"""


class Reader:
    """A process of the lake's environment that answers queries one after the other, each on the lake as it is then."""

    def __init__(self) -> None:
        self.process = start("-c", ANSWERING)

    def rows(self, catalogue: str, sql: str) -> list[list[str]]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([catalogue, sql]) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        assert answer, self.process.communicate()[1]
        rows = json.loads(answer)
        assert isinstance(rows, list)
        return rows


@cache
def reader() -> Reader:
    return Reader()


@dataclass(frozen=True)
class Lake:
    folder: Path

    @property
    def catalogue(self) -> str:
        return f"sqlite:{self.folder / 'catalogue.sqlite'}"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def files(self) -> list[Path]:
        return sorted(self.data.rglob("*.parquet"))

    def starting(self, *arguments: str) -> subprocess.Popen[str]:
        return start("-m", "orchestration.lake", arguments[0], "--catalogue", self.catalogue, *arguments[1:])

    def fails(self, *arguments: str) -> str:
        process = self.starting(*arguments)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2, errors
        assert errors.startswith("ringfence lake: ")
        assert errors.count("\n") == 1
        return errors

    def does(self, *arguments: str) -> str:
        process = self.starting(*arguments)
        output, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        return output

    def publish(self, warehouse: WarehousePaths, *options: str) -> str:
        return self.does("publish", "--warehouse", str(warehouse.root), "--data", str(self.data), *options)

    def rows(self, sql: str) -> list[list[str]]:
        return reader().rows(self.catalogue, sql)

    def runs_code(self, code: str) -> subprocess.Popen[str]:
        """Start a piece of Python in the lake's environment, with ``CATALOGUE`` set."""
        return start("-c", f"CATALOGUE = {self.catalogue!r}\n{code}")


def publish_warehouse(root: Path, name: str, statements: str) -> WarehousePaths:
    """Publish what the statements make, as the pipeline does; ``name`` is a run's, and runs come in order of name."""
    paths = WarehousePaths(root)
    build = root / "build.duckdb"
    build.parent.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(str(build)) as connection:
        connection.execute("create schema if not exists marts; create schema if not exists audit")
        connection.execute(
            "create table if not exists audit.run"
            " (run_id varchar primary key, started_at timestamp not null, last_date date not null, status varchar)"
        )
        connection.execute(
            "insert into audit.run select ?, timestamp '2024-01-01' + to_minutes(count(*)),"
            " date '2024-01-01' + cast(count(*) as integer), 'passed' from audit.run",
            [name],
        )
        connection.execute(statements)
    publish(paths, [Source("marts", build), Source("audit", build)], name=name, kept=9)
    return paths
