"""The command that opens the explorer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from orchestration.cli_options import end_when_terminated


def add_commands(app: typer.Typer) -> None:
    """Put the command at the top level."""
    app.command("explore")(explore)


def explore(
    warehouse: Annotated[Path, typer.Option("--warehouse", help="Folder of the warehouse.")],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 8501,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Don't open a browser.")] = False,
) -> None:
    """Serve read-only pages about what was published, to this machine's browser, until it is ended."""
    from orchestration.explore.serving import serve
    from orchestration.settings import WarehousePaths

    end_when_terminated()
    serve(WarehousePaths(warehouse.resolve()), port, opens_browser=not no_browser)
