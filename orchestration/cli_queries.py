"""The commands for those who ask questions of their own: one query, a shell, an export, a notebook.

What belongs here: options. What doesn't: reading (``reading``), the shell (``shell``), exporting (``export``).
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli_options import Verbose, listed, optional_day
from orchestration.errors import ConfigurationError
from orchestration.reading.formats import QueryFormat

SHOWN_IN_TABLE = 200

WarehouseFolder = Annotated[Path, typer.Option("--warehouse", help="Folder of the warehouse.")]


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(query)
    app.command("sql")(shell)
    app.command()(export)
    app.command()(notebook)


def query(
    warehouse: WarehouseFolder,
    sql: Annotated[
        str | None, typer.Argument(help="One SQL statement on schemas marts and audit; - reads it from stdin.")
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="File that holds the statement.")] = None,
    format_: Annotated[
        QueryFormat | None, typer.Option("--format", help="How to print it; by default as --out ends, or a table.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=0, help=f"Most rows; 0 is all (default: {SHOWN_IN_TABLE} in a table, else all)."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="File to write instead, replaced at once.")] = None,
    verbose: Verbose = False,
) -> None:
    """Run SQL on the published warehouse, read-only."""
    from orchestration.reading.published import published_connection
    from orchestration.reading.results import format_of, print_result, write_result
    from orchestration.settings import WarehousePaths

    statement = _statement(sql, file)
    chosen = format_of(format_, out)
    with published_connection(WarehousePaths(warehouse.resolve())) as connection:
        if out is not None:
            rows = write_result(connection, statement, out, chosen, limit or None)
            typer.echo(f"wrote {out}: {rows:,} rows")
            return
        most = limit if limit is not None else SHOWN_IN_TABLE if chosen is QueryFormat.TABLE else 0
        is_cut = print_result(connection, statement, chosen, most or None)
    if is_cut:
        typer.echo(f"these are the first {most:,} rows; --limit 0 shows all, --format csv too", err=True)


def shell(warehouse: WarehouseFolder, verbose: Verbose = False) -> None:
    """Ask the published warehouse questions in SQL, interactively; or run the SQL that standard input holds."""
    from orchestration.reading.published import published_connection
    from orchestration.settings import WarehousePaths, shell_history_file
    from orchestration.shell.terminal import run_shell

    folder = warehouse.resolve()
    with published_connection(WarehousePaths(folder)) as connection:
        run_shell(
            connection,
            shell_history_file(),
            lambda: f"{folder}, read-only. SQL ends with a semicolon; .help says more.",
        )


def export(
    warehouse: WarehouseFolder,
    out: Annotated[Path, typer.Option("--out", help="Folder to write: new, empty, or an earlier export.")],
    tables: Annotated[
        str, typer.Option("--tables", metavar="NAME[,NAME…]", help="Tables or schemas, audit's too.")
    ] = "marts",
    first: Annotated[date | None, optional_day("--from", "First day; tables without a date are whole.")] = None,
    last: Annotated[date | None, optional_day("--to", "Last day.")] = None,
    verbose: Verbose = False,
) -> None:
    """Write the published tables as Parquet, one folder a day, with a manifest."""
    from orchestration.reading.export import Choice, export_tables
    from orchestration.reading.published import published_connection
    from orchestration.settings import WarehousePaths

    with published_connection(WarehousePaths(warehouse.resolve())) as connection:
        exported = export_tables(connection, out, Choice(listed(tables), first, last))
    typer.echo(f"wrote {exported.rows:,} rows of {exported.tables} tables to {out} ({exported.files:,} files)")


def notebook(verbose: Verbose = False) -> None:
    """Print an example notebook for marimo, to work on in a copy."""
    from importlib.resources import files

    typer.echo(files("orchestration.notebooks").joinpath("solvency.py").read_text(encoding="utf-8"), nl=False)


def _statement(sql: str | None, file: Path | None) -> str:
    if (sql is None) == (file is None):
        raise ConfigurationError('give the SQL: "select …", --file FILE, or - to read it from standard input')
    if sql == "-":
        return sys.stdin.read()
    if file is None:
        return sql or ""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{file} can't be read as text: {getattr(error, 'strerror', None) or error}"
        ) from error
