"""The commands about sources: try them, see what they delivered, and pull them into the landing zone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli_options import listed, optional_day, requested_days
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.formats import OutputFormat

if TYPE_CHECKING:
    from orchestration.connectors.configuration import Source
    from orchestration.connectors.pulling import Pulled
    from orchestration.settings import Settings

sources_app = typer.Typer(help="Pull the exchange's records from the systems that hold them.")

SourcesFile = Annotated[
    Path | None, typer.Option("--sources", help="YAML file that says which sources there are (or RINGFENCE_SOURCES).")
]
Landing = Annotated[Path | None, typer.Option("--landing", help="Landing zone (or RINGFENCE_LANDING).")]
Only = Annotated[str, typer.Option("--source", metavar="NAME[,NAME…]", help="Only these sources.")]
Format = Annotated[OutputFormat, typer.Option("--format", help="How to print it.")]


def _configured(sources_file: Path | None, landing: Path | None, only: str) -> tuple[Settings, tuple[Source, ...]]:
    from orchestration.connectors.configuration import load_sources
    from orchestration.settings import from_environment

    settings = from_environment(landing=landing, sources_file=sources_file)
    if settings.sources_file is None:
        raise ConfigurationError("no sources file: give --sources FILE, or set RINGFENCE_SOURCES")
    sources = load_sources(settings.sources_file)
    names = listed(only)
    if unknown := sorted(set(names) - {source.name for source in sources}):
        known = ", ".join(source.name for source in sources)
        raise ConfigurationError(f"--source: no source is named {unknown[0]}; there are {known}")
    return settings, tuple(source for source in sources if not names or source.name in names)


@sources_app.command()
def check(
    sources: SourcesFile = None, landing: Landing = None, source: Only = "", format_: Format = OutputFormat.TABLE
) -> None:
    """Try every source without pulling anything, and say what works, what doesn't and why; exit 1 if one doesn't."""
    from orchestration import progress
    from orchestration.connectors.pulling import check_source
    from orchestration.reading.console import progress_shown
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import Rows

    settings, chosen = _configured(sources, landing, source)
    rows = []
    with progress_shown(enabled=True):
        for one in chosen:
            progress.report(f"checking {one.name}", one.kind.summary)
            rows += [
                (one.name, one.kind.name, probe.subject, "yes" if probe.works else "no", probe.detail)
                for probe in check_source(one, settings.landing)
            ]
    write_rows(Rows(("source", "kind", "tried", "works", "detail"), tuple(rows)), format_)
    failed = sorted({row[0] for row in rows if row[3] == "no"})
    if failed:
        raise RingfenceError(f"{len(failed)} of {len(chosen)} sources can't be pulled: {', '.join(failed)}")


@sources_app.command("list")
def list_sources(
    sources: SourcesFile = None, landing: Landing = None, source: Only = "", format_: Format = OutputFormat.TABLE
) -> None:
    """Show each source's last position, how fresh it is and how many rows it delivered."""
    from dataclasses import astuple, fields

    from orchestration.connectors.status import FeedStatus, feed_statuses
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import Rows

    settings, chosen = _configured(sources, landing, source)
    statuses = feed_statuses(chosen, settings.landing)
    names = tuple(field.name for field in fields(FeedStatus))
    write_rows(Rows(names, tuple(astuple(status) for status in statuses)), format_)


@sources_app.command("example")
def print_example(
    kind: Annotated[str, typer.Option("--kind", metavar="KIND[,KIND…]", help="Only these kinds of sources.")] = "",
) -> None:
    """Print a sources file with every kind of source and every key, explained line by line."""
    from orchestration.connectors.examples import example

    typer.echo(example(listed(kind)), nl=False)


@sources_app.command()
def pull(
    sources: SourcesFile = None,
    landing: Landing = None,
    source: Only = "",
    day: Annotated[date | None, optional_day("--date", "Day to pull, which must have ended (UTC).")] = None,
    first: Annotated[date | None, optional_day("--from", "First day of a range.")] = None,
    last: Annotated[date | None, optional_day("--to", "Last day of a range.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", help="Show log messages and tracebacks.")] = False,
) -> None:
    """Pull days into the landing zone: those asked for, or all that ended since each source's last delivery."""
    from orchestration.connectors.pulling import pull_days
    from orchestration.reading.console import progress_shown

    settings, chosen = _configured(sources, landing, source)
    failures = []
    requests = _requests(settings, chosen, day, first, last)
    try:
        with progress_shown(enabled=not verbose):
            for pulled in (one for part in requests for one in pull_days(part[0], settings.landing, *part[1:])):
                typer.echo(_line(pulled), err=pulled.error is not None)
                if pulled.error is not None:
                    failures.append(pulled)
                    if verbose:
                        typer.echo(pulled.trace, err=True)
    finally:
        _alert(settings)
    if failures:
        raise typer.Exit(failures[0].exit_status)


def _alert(settings: Settings) -> None:
    """Look at what the sources have come to, if alerts are configured; what becomes of that changes no status."""
    if settings.alerts_file is None:
        return
    from orchestration.alerts.watching import look_quietly

    for problem in look_quietly(settings):
        typer.echo(f"ringfence: {' '.join(problem.split())}", err=True)


def _requests(
    settings: Settings, sources: Sequence[Source], day: date | None, first: date | None, last: date | None
) -> Iterable[tuple[Sequence[Source], date, date]]:
    """Which sources to pull for which days."""
    if day is not None or first is not None or last is not None:
        yield sources, *requested_days(day, first, last)
        return
    from orchestration.connectors.delivery import last_manifest

    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    before = {source.name: last_manifest(settings.landing, source.name) for source in sources}
    new = [name for name, manifest in before.items() if manifest is None]
    if new:
        raise ConfigurationError(
            f"{', '.join(new)}: nothing was pulled yet; say from which day on with --from and --to, or --date"
        )
    days = {name: manifest.day + timedelta(days=1) for name, manifest in before.items() if manifest is not None}
    # Sources stand in an order (registered wallets before their balances), and days follow each other in each source.
    for number in range((yesterday - min(days.values())).days + 1):
        today = min(days.values()) + timedelta(days=number)
        yield [source for source in sources if days[source.name] <= today], today, today


def _line(pulled: Pulled) -> str:
    if pulled.error is not None:
        return f"ringfence: {pulled.error}"
    if pulled.manifest is None:
        return f"{pulled.day} {pulled.source}: had landed before"
    files = ", ".join(f"{file.table} {file.rows:,} rows" for file in pulled.manifest.files) or "no news"
    return f"{pulled.day} {pulled.source}: {files}"
