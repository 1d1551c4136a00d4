"""A warehouse that runs publish to one after the other, without files or dbt: for testing what runs remember.

Each run takes in rows, builds the models, records what it says and publishes it, or is killed before it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import duckdb

from orchestration.contract import table
from orchestration.landing import collect_restatement_sources
from orchestration.pipeline.figures import record_published_figures
from orchestration.pipeline.run import ExitStatus, close_run, mark_accepted, open_run
from orchestration.policy import load_policy
from orchestration.warehouse.compiled import DATABASE, build_models
from tests.support.warehouse import Rows, Warehouse, create_build_file, insert_rows


class Runs:
    """The runs of one warehouse."""

    def __init__(self, folder: Path, first_date: date) -> None:
        self.path = folder / f"{DATABASE}.duckdb"
        self.first_date = first_date
        self.published: set[str] = set()
        self.loads = 0
        create_build_file(self.path, {}, first_date=first_date, last_date=first_date)

    def run(
        self,
        run_id: str,
        day: date,
        rows: Rows | Callable[[duckdb.DuckDBPyConnection, int], None],
        *,
        models: Sequence[str] = ("fct_restatement",),
        policy_file: Path | None = None,
        is_killed: bool = False,
    ) -> Warehouse:
        """Take in the rows and close the day; ``is_killed`` ends it between its record and its publication.

        Rows may also be taken in by a function, which is given the load's number.
        """
        with duckdb.connect(str(self.path)) as connection:
            context = open_run(
                connection,
                load_policy(policy_file),
                run_id=run_id,
                first_date=day,
                last_date=day,
                landing_first_date=self.first_date,
                was_published=self.published.__contains__,
            )
            self._accept(connection, run_id, rows)
            build_models(connection, models)
            record_published_figures(connection, context)
            collect_restatement_sources(connection, run_id)
            close_run(connection, run_id, ExitStatus.PASSED, "")
        if not is_killed:
            self.published.add(run_id)
        return Warehouse(self.path)

    def _accept(
        self,
        connection: duckdb.DuckDBPyConnection,
        run_id: str,
        rows: Rows | Callable[[duckdb.DuckDBPyConnection, int], None],
    ) -> None:
        self.loads += 1
        connection.execute(
            "insert into audit.load (run_id, table_name, source_file, sha256, rows, bytes, modified_ns, outcome,"
            " load_number) values (?, 'ledger_entries', 'file', 'x', 1, 1, 1, 'accepted', ?)",
            [run_id, self.loads],
        )
        if callable(rows):
            rows(connection, self.loads)
            mark_accepted(connection, run_id)
            return
        for name, of_table in rows.items():
            places = {"source_file": f"{name}/{run_id}.csv", "accepted_load_number": self.loads}
            insert_rows(connection, f"raw.{name}", table(name), [row | places for row in of_table])
        mark_accepted(connection, run_id)
