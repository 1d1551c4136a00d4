"""The commands about alerts: look, see what is open, take note of it, keep it quiet, send again, try the routes."""

from __future__ import annotations

import getpass
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli_options import optional_moment
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.formats import OutputFormat

if TYPE_CHECKING:
    from orchestration.alerts.incidents import Incident, Step
    from orchestration.alerts.outbox import Delivered
    from orchestration.alerts.watching import Watch

alerts_app = typer.Typer(help="Incidents: what is wrong, who has been told, and who has taken note.")

AlertsFile = Annotated[
    Path | None, typer.Option("--alerts", help="YAML file that says where alerts go (or RINGFENCE_ALERTS).")
]
WarehouseFolder = Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")]
Number = Annotated[int, typer.Argument(metavar="INCIDENT", help="Number of an incident.")]
Numbers = Annotated[list[int], typer.Argument(metavar="INCIDENT...", help="Numbers of incidents.")]
Format = Annotated[OutputFormat, typer.Option("--format", help="How to print it.")]


def _watch(alerts: Path | None, warehouse: Path | None) -> Watch:
    from orchestration.alerts.configuration import load_alerts
    from orchestration.alerts.watching import Watch
    from orchestration.settings import from_environment

    settings = from_environment(warehouse=warehouse, alerts_file=alerts)
    if settings.alerts_file is None:
        raise ConfigurationError("no alerts file: give --alerts FILE, or set RINGFENCE_ALERTS")
    return Watch(load_alerts(settings.alerts_file), settings.paths)


@alerts_app.command()
def look(alerts: AlertsFile = None, warehouse: WarehouseFolder = None) -> None:
    """Look at the warehouse now, open and resolve incidents, and send what is due; exit 1 if something wasn't taken."""
    watch = _watch(alerts, warehouse)
    watched = watch.look()
    unresolved = [incident for incident in watched.incidents if incident.resolved_at is None]
    typer.echo(f"{len(unresolved):,} incidents stand")
    _end(watched.delivered)


@alerts_app.command("watch")
def keep_watching(
    every: Annotated[float, typer.Option("--every", min=1, help="Seconds between two looks.")] = 60,
    looks: Annotated[int | None, typer.Option("--looks", min=1, help="End after so many (default: never).")] = None,
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
) -> None:
    """Look again and again, apart from the runs: it sees what they leave behind, and that nothing came of one."""
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


def _end(delivered: list[Delivered]) -> None:
    """Say what was sent; exit with 1 if a receiver didn't take it."""
    failed = [one for one in delivered if one.error is not None]
    typer.echo(f"{len(delivered) - len(failed):,} messages sent, {len(failed):,} waiting to be tried again")
    for one in failed:
        typer.echo(f"ringfence: {one.message.route}: {one.error}", err=True)
    if failed:
        raise typer.Exit(1)


@alerts_app.command("list")
def list_incidents(
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
    include_resolved: Annotated[bool, typer.Option("--resolved", help="Those that are resolved too.")] = False,
    format_: Format = OutputFormat.TABLE,
) -> None:
    """List the incidents that stand, the latest first."""
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import Rows

    watch = _watch(alerts, warehouse)
    with watch.store() as store:
        incidents = store.incidents(include_resolved=include_resolved)
    if not incidents and format_ is OutputFormat.TABLE:
        typer.echo("no incidents")
        return
    columns = (
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
    )
    write_rows(Rows(columns, tuple(_row(watch, incident) for incident in incidents)), format_)


def _row(watch: Watch, incident: Incident) -> tuple[object, ...]:
    seen = incident.seen
    state = incident.state.value
    if incident.is_silent(watch.clock.now()):
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
    )


@alerts_app.command()
def show(number: Number, alerts: AlertsFile = None, warehouse: WarehouseFolder = None) -> None:
    """Show an incident: what was seen, the evidence, and every message about it."""
    watch = _watch(alerts, warehouse)
    with watch.store() as store:
        incident, messages = store.incident(number), store.messages(number)
    seen, state = incident.seen, incident.state.value
    lines = [
        f"incident {number}: {seen.check_name}, {seen.subject_type} {seen.subject_id} {seen.asset or ''}".rstrip(),
        f"  {seen.message}",
        f"  {state}, {seen.severity.value}, {seen.category.value}, since {seen.since}, last seen for {seen.day}",
        f"  observed {seen.observed}, expected {seen.expected}, at stake {seen.impact_usd or 'unpriced'} USD",
    ]
    if incident.acknowledged_by:
        lines.append(f"  acknowledged by {incident.acknowledged_by} at {incident.acknowledged_at:%Y-%m-%d %H:%M} UTC")
    lines += [f"  evidence: {seen.evidence}", ""] if seen.evidence else [""]
    for message in messages:
        waiting = f"waiting: {message.last_error or 'due'}"
        sent = f"sent {message.sent_at:%Y-%m-%d %H:%M}" if message.sent_at else waiting
        lines.append(f"  {message.created_at:%Y-%m-%d %H:%M} {message.occasion.value} to {message.route}: {sent}")
    for line in lines:
        typer.echo(line)


@alerts_app.command()
def ack(
    numbers: Numbers,
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

    watched = watch.change(numbers, change)
    for incident in watched.incidents:
        typer.echo(f"incident {incident.number} {'is open' if undo else f'acknowledged by {incident.acknowledged_by}'}")
    _end(watched.delivered)


@alerts_app.command()
def silence(
    number: Number,
    until: Annotated[datetime | None, optional_moment("--until", "Until then, UTC; a day alone means its end.")] = None,
    hours: Annotated[float | None, typer.Option("--hours", min=0.1, max=24 * 366, help="For so many hours.")] = None,
    alerts: AlertsFile = None,
    warehouse: WarehouseFolder = None,
) -> None:
    """Say nothing of an incident until a time, whatever becomes of it."""
    if (until is None) == (hours is None):
        raise ConfigurationError("give either --until or --hours")
    watch = _watch(alerts, warehouse)
    end = until or watch.clock.now() + timedelta(hours=hours or 0)
    if end <= watch.clock.now():
        raise ConfigurationError(f"--until {end} has passed already; give a time to come, in UTC")
    with watch.store() as store:
        store.change(number, lambda incident: replace(incident, silenced_until=end))
    typer.echo(f"incident {number} is silenced until {end:%Y-%m-%d %H:%M} UTC")


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
