"""The commands about alerts: look, see what is open, take note of it, keep it quiet, send again, try the routes."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.alerts.incidents import Category, State
from orchestration.checks import Severity
from orchestration.cli_options import end_when_terminated, optional_moment
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.formats import OutputFormat

if TYPE_CHECKING:
    from orchestration.alerts.choosing import Choice
    from orchestration.alerts.incidents import Incident, Step
    from orchestration.alerts.outbox import Delivered
    from orchestration.alerts.watching import Watch

alerts_app = typer.Typer(help="Incidents: what is wrong, who has been told, and who has taken note.")

AlertsFile = Annotated[
    Path | None, typer.Option("--alerts", help="YAML file that says where alerts go (or RINGFENCE_ALERTS).")
]
WarehouseFolder = Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")]
Number = Annotated[int, typer.Argument(metavar="INCIDENT", help="Number of an incident.")]
Numbers = Annotated[list[int] | None, typer.Argument(metavar="INCIDENT...", help="Numbers of incidents.")]
Checks = Annotated[list[str] | None, typer.Option("--check", help="Those of this check (may be given again).")]
Subjects = Annotated[
    list[str] | None, typer.Option("--subject", help="Those about this identifier, or its hash as messages have it.")
]
Assets = Annotated[list[str] | None, typer.Option("--asset", help="Those of this asset.")]
Severities = Annotated[list[Severity] | None, typer.Option("--severity", help="Those that are this bad.")]
Categories = Annotated[list[Category] | None, typer.Option("--category", help="Those of this kind of trouble.")]
States = Annotated[list[State] | None, typer.Option("--state", help="Those that stand there.")]
Format = Annotated[OutputFormat, typer.Option("--format", help="How to print it.")]


def _watch(alerts: Path | None, warehouse: Path | None) -> Watch:
    from orchestration.alerts.watching import Watch
    from orchestration.settings import from_environment

    return Watch.of(from_environment(warehouse=warehouse, alerts_file=alerts))


@alerts_app.command()
def look(alerts: AlertsFile = None, warehouse: WarehouseFolder = None) -> None:
    """Look at the warehouse now, open and resolve incidents, and send what is due; exit 1 if something wasn't taken."""
    watch = _watch(alerts, warehouse)
    watched = watch.look()
    unresolved = [incident for incident in watched.incidents if incident.resolved_at is None]
    typer.echo(f"{len(unresolved):,} incidents stand")
    _end(watched.delivered, watched.problems)


@alerts_app.command("watch")
def keep_watching(
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds between two looks.")] = 60,
    looks: Annotated[int | None, typer.Option("--looks", min=1, help="End after so many (default: never).")] = None,
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
) -> None:
    """Look again and again, apart from the runs: it sees what they leave behind, and that nothing came of one."""
    if looks is None:
        end_when_terminated()
    watch = _watch(alerts, warehouse)
    number = 0
    while looks is None or number < looks:
        if number:
            watch.clock.sleep(every)
        number += 1
        try:
            watched = watch.look()
        except Exception as error:  # noqa: BLE001 (a watcher that ends watches nothing; the next look may work)
            typer.echo(f"ringfence: {watch.secrets.redact(f'{type(error).__name__}: {error}')}", err=True)
            continue
        for one in watched.delivered:
            state = "sent" if one.error is None else one.error
            typer.echo(
                f"{watch.clock.now():%Y-%m-%d %H:%M:%S} {one.message.occasion.value} to {one.message.route}: {state}"
            )
        for problem in watched.problems:
            typer.echo(f"ringfence: {problem}", err=True)


def _end(delivered: list[Delivered], problems: tuple[str, ...] = ()) -> None:
    """Say what was sent; exit with 1 if a receiver didn't take it, or something else went wrong."""
    failed = [one for one in delivered if one.error is not None]
    typer.echo(f"{len(delivered) - len(failed):,} messages sent, {len(failed):,} waiting to be tried again")
    for one in failed:
        typer.echo(f"ringfence: {one.message.route}: {one.error}", err=True)
    for problem in problems:
        typer.echo(f"ringfence: {problem}", err=True)
    if failed or problems:
        raise typer.Exit(1)


@alerts_app.command("example")
def print_example() -> None:
    """Print an alerts file with every channel and every key, explained."""
    from orchestration.alerts.configuration import EXAMPLE

    typer.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)


@alerts_app.command("list")
def list_incidents(
    check: Checks = None,
    subject: Subjects = None,
    asset: Assets = None,
    severity: Severities = None,
    category: Categories = None,
    state: States = None,
    route: Annotated[str, typer.Option("--route", help="Those that this route takes.")] = "",
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
    include_resolved: Annotated[bool, typer.Option("--resolved", help="Those that are resolved too.")] = False,
    format_: Format = OutputFormat.TABLE,
) -> None:
    """List the incidents that stand, the latest first."""
    from orchestration.alerts.choosing import Choice
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import Rows

    watch = _watch(alerts, warehouse)
    choice = Choice(
        checks=tuple(check or ()),
        subjects=tuple(subject or ()),
        assets=tuple(asset or ()),
        severities=tuple(severity or ()),
        categories=tuple(category or ()),
        states=tuple(state or ()),
        route=route,
    )
    with watch.store() as store:
        known = store.incidents(include_resolved=include_resolved or State.RESOLVED in choice.states)
    incidents = choice.among(known, watch.wording)
    if not incidents and format_ is OutputFormat.TABLE:
        typer.echo("no incidents")
        return
    numbers = {incident.seen.fingerprint: incident.number for incident in known}
    rows = tuple(_row(incident, numbers, watch.clock.now()) for incident in incidents)
    write_rows(Rows(_COLUMNS, rows), format_)


_COLUMNS = (
    "number",
    "state",
    "severity",
    "category",
    "check_name",
    "subject",
    "asset",
    "since",
    "impact_usd",
    "told_at",
    "explained_by",
)


def _row(incident: Incident, numbers: Mapping[str, int], now: datetime) -> tuple[object, ...]:
    seen = incident.seen
    state = incident.state.value
    if incident.is_silent(now):
        state += f", silenced until {incident.silenced_until:%Y-%m-%d %H:%M}"
    return (
        incident.number,
        state,
        seen.severity.value,
        seen.category.value,
        seen.check_name,
        f"{seen.subject_type} {seen.subject_id}",
        seen.asset,
        seen.since,
        seen.impact_usd,
        incident.told_at,
        numbers.get(incident.explained_by or ""),
    )


@alerts_app.command()
def show(
    number: Number, alerts: AlertsFile = None, warehouse: WarehouseFolder = None, format_: Format = OutputFormat.TABLE
) -> None:
    """Show an incident: what was seen, the evidence, what it explains or follows from, and every message about it."""
    from orchestration.alerts.showing import shown

    watch = _watch(alerts, warehouse)
    with watch.store() as store:
        whole = shown(store, number, watch.wording)
    if format_ is OutputFormat.JSON:
        typer.echo(whole.as_json())
        return
    if format_ is not OutputFormat.TABLE:
        raise ConfigurationError("an incident is shown as table or json; 'alerts list' prints the others too")
    for line in whole.lines():
        typer.echo(line)


@alerts_app.command()
def ack(
    numbers: Numbers = None,
    check: Checks = None,
    subject: Subjects = None,
    asset: Assets = None,
    by: Annotated[str | None, typer.Option("--by", help="Who takes note (default: this user).")] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Nobody has taken note any more.")] = False,
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
) -> None:
    """Take note of incidents: they aren't told again until more is at stake or they are resolved."""
    from orchestration.alerts.incidents import acknowledged, acknowledged_no_more

    watch, who = _watch(alerts, warehouse), by or getpass.getuser()

    def change(incident: Incident) -> Step:
        return acknowledged_no_more(incident) if undo else acknowledged(incident, who, watch.clock.now())

    watched = watch.change(_choice(numbers, check, subject, asset), change)
    for incident in watched.incidents:
        typer.echo(f"incident {incident.number} {'is open' if undo else f'acknowledged by {incident.acknowledged_by}'}")
    _end(watched.delivered)


@alerts_app.command()
def silence(
    numbers: Numbers = None,
    check: Checks = None,
    subject: Subjects = None,
    asset: Assets = None,
    until: Annotated[datetime | None, optional_moment("--until", "Until then, UTC; a day alone means its end.")] = None,
    hours: Annotated[float | None, typer.Option("--hours", min=0.1, max=24 * 366, help="For so many hours.")] = None,
    lift: Annotated[bool, typer.Option("--lift", help="They may be spoken of at once.")] = False,
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
) -> None:
    """Say nothing of incidents until a time, whatever becomes of them, also if they come back meanwhile."""
    from orchestration.alerts.incidents import silenced

    if (until is not None) + (hours is not None) + lift != 1:
        raise ConfigurationError("give one of --until, --hours and --lift")
    watch = _watch(alerts, warehouse)
    end = None if lift else until or watch.clock.now() + timedelta(hours=hours or 0)
    if end is not None and end <= watch.clock.now():
        raise ConfigurationError(f"--until {end} has passed already; give a time to come, in UTC")
    choice = _choice(numbers, check, subject, asset)
    watched = watch.change(choice, lambda incident: silenced(incident, end), with_past=True)
    for incident in watched.incidents:
        state = f"is silenced until {end:%Y-%m-%d %H:%M} UTC" if end else "may be spoken of"
        typer.echo(f"incident {incident.number} {state}")
    _end(watched.delivered)


def _choice(
    numbers: list[int] | None, checks: list[str] | None, subjects: list[str] | None, assets: list[str] | None
) -> Choice:
    """What is to be changed, of which there must be a word: a bare command changes nothing."""
    from orchestration.alerts.choosing import Choice

    choice = Choice(tuple(numbers or ()), tuple(checks or ()), tuple(subjects or ()), tuple(assets or ()))
    if choice.is_empty:
        raise ConfigurationError("give numbers of incidents, or --check, --subject or --asset")
    return choice


@alerts_app.command()
def resend(number: Number, alerts: AlertsFile = None, warehouse: WarehouseFolder = None) -> None:
    """Send every message about an incident again, under its old key."""
    watch = _watch(alerts, warehouse)
    with watch.store() as store:
        store.incident(number)
        count = store.send_again(number, watch.clock.now())
        typer.echo(f"{count} messages of incident {number} are sent again")
        _end(watch.send(store))


@alerts_app.command("test")
def send_test(
    route: Annotated[str, typer.Option("--route", help="Only this route.")] = "",
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
) -> None:
    """Send a test message to every route, and say which receivers took it; exit 1 if one didn't."""
    from orchestration.alerts.watching import try_routes

    watch = _watch(alerts, warehouse)
    results = try_routes(watch, route)
    for name, problem in results.items():
        typer.echo(f"{name}: {'taken' if problem is None else problem}")
    if any(results.values()):
        raise RingfenceError("not every route takes messages")
