"""The commands of a night shift: how a warehouse stands, and whether all that it needs is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.formats import OutputFormat

WarehouseFolder = Annotated[
    Path | None, typer.Option("--warehouse", help="Folder of the warehouse (or RINGFENCE_WAREHOUSE).")
]
LandingFolder = Annotated[Path | None, typer.Option("--landing", help="Landing zone (or RINGFENCE_LANDING).")]
SourcesFile = Annotated[Path | None, typer.Option("--sources", help="File of sources (or RINGFENCE_SOURCES).")]
AlertsFile = Annotated[Path | None, typer.Option("--alerts", help="File of alerts (or RINGFENCE_ALERTS).")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="Policy file (or RINGFENCE_POLICY).")]
Format = Annotated[OutputFormat, typer.Option("--format", help="table or json.")]


def add_commands(app: typer.Typer) -> None:
    """Put the commands of this module at the top level."""
    app.command("status")(show_status)
    app.command("doctor")(examine_all)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _require_shape(format_: OutputFormat) -> None:
    if format_ is OutputFormat.CSV:
        raise ConfigurationError("--format csv is for one table, and this is several; take table or json")


def show_status(
    warehouse: WarehouseFolder = None,
    landing: LandingFolder = None,
    sources: SourcesFile = None,
    alerts: AlertsFile = None,
    runs: Annotated[int, typer.Option("--runs", min=1, max=1000, help="So many of the last runs.")] = 5,
    format_: Format = OutputFormat.TABLE,
) -> None:
    """Show the last runs, what is published and how old, deliveries, incidents, schedules and disk; changes nothing."""
    _require_shape(format_)
    from orchestration.operations import status_text
    from orchestration.operations.status import status
    from orchestration.reading.output import write_rows
    from orchestration.settings import from_environment

    settings = from_environment(landing=landing, warehouse=warehouse, sources_file=sources, alerts_file=alerts)
    stands = status(settings, _now(), runs_shown=runs)
    if format_ is OutputFormat.JSON:
        typer.echo(json.dumps(status_text.as_json(stands), indent=2, ensure_ascii=False))
        return
    for matter, text in status_text.matters(stands):
        typer.echo(f"{matter:<10} {text}")
    for rows in status_text.tables(stands):
        typer.echo()
        write_rows(rows, OutputFormat.TABLE)


def examine_all(
    warehouse: WarehouseFolder = None,
    landing: LandingFolder = None,
    sources: SourcesFile = None,
    alerts: AlertsFile = None,
    policy: PolicyFile = None,
    is_offline: Annotated[bool, typer.Option("--offline", help="Ask nobody over the network.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Wait so long for a probe.")] = 30,
    format_: Annotated[OutputFormat, typer.Option("--format", help="How to print it.")] = OutputFormat.TABLE,
) -> None:
    """Try all that a run, a pull and an alert need, and say what to do about what isn't right; exit 1 on a problem."""
    from orchestration.operations.doctor.examination import examine
    from orchestration.operations.doctor.probing import Case, State
    from orchestration.reading.console import progress_shown
    from orchestration.reading.output import counted, write_rows
    from orchestration.reading.published import Rows
    from orchestration.settings import environment_variable, from_environment

    settings = from_environment(
        landing=landing, warehouse=warehouse, policy_file=policy, sources_file=sources, alerts_file=alerts
    )
    with progress_shown(enabled=True):
        case = Case(settings, is_landing_named=landing is not None or bool(environment_variable("RINGFENCE_LANDING")))
        tried = list(examine(case, is_offline=is_offline, seconds=seconds))
    lines = tuple((one.outcome.state.value, one.probe, one.outcome.found, one.outcome.remedy) for one in tried)
    write_rows(Rows(("state", "probe", "found", "remedy"), lines), format_)
    problems = sum(one.outcome.state is State.PROBLEM for one in tried)
    if problems:
        raise RingfenceError(f"{counted(problems, 'problem')}; each line above says what to do")
