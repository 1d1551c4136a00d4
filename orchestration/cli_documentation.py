"""The commands that say what the figures mean: the documentation of all tables, and headlines by name.

What belongs here: options. What doesn't: the page (``documentation``), the definitions (``headlines``).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli_options import Verbose, listed, optional_day
from orchestration.errors import ConfigurationError
from orchestration.reading.formats import OutputFormat, QueryFormat


def add_commands(app: typer.Typer) -> None:
    """Add them to the command line."""
    app.command()(docs)
    app.command()(headline)


def docs(
    warehouse: Annotated[Path, typer.Option("--warehouse", help="Folder of the warehouse.")],
    out: Annotated[Path, typer.Option("--out", help="Page to write.")],
    verbose: Verbose = False,
) -> None:
    """Write what every table and column means and what it is made from: one page, for any browser, offline."""
    from orchestration.documentation.writing import write_documentation
    from orchestration.settings import WarehousePaths

    write_documentation(WarehousePaths(warehouse.resolve()), out)
    typer.echo(f"wrote {out}")


def headline(
    names: Annotated[list[str] | None, typer.Argument(help="Headlines; without any, they are listed.")] = None,
    warehouse: Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="PART[,PART…]", help="What to group by: day, month, in_kind_group, …")
    ] = "",
    first: Annotated[date | None, optional_day("--from", "First day.")] = None,
    last: Annotated[date | None, optional_day("--to", "Last day.")] = None,
    format_: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = OutputFormat.TABLE,
    sql: Annotated[bool, typer.Option("--sql", help="Print the SQL instead, to go on from.")] = False,
    verbose: Verbose = False,
) -> None:
    """Show headlines as they are defined once, through time or by what they are made of; MetricFlow makes the SQL."""
    from orchestration.headlines.definitions import listing
    from orchestration.headlines.querying import headline_sql
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import published_connection
    from orchestration.reading.results import print_result
    from orchestration.settings import WarehousePaths

    if not names:
        write_rows(listing(), format_)
        return
    statement = headline_sql(names, listed(by), first, last)
    if sql:
        typer.echo(statement)
        return
    if warehouse is None:
        raise ConfigurationError("headlines of which warehouse? name its folder with --warehouse, or ask for --sql")
    with published_connection(WarehousePaths(warehouse.resolve())) as connection:
        print_result(connection, statement, QueryFormat(format_.value), None)
