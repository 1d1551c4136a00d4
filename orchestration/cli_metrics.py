"""The commands about metrics: write them for node_exporter, serve them to Prometheus, say what they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli_options import end_when_terminated
from orchestration.errors import RingfenceError
from orchestration.reading.formats import OutputFormat

if TYPE_CHECKING:
    from orchestration.operations.metrics.collector import RingfenceCollector

metrics_app = typer.Typer(help="What Prometheus is told about a warehouse, its runs, alerts and sources.")

WarehouseFolder = Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")]
AlertsFile = Annotated[Path | None, typer.Option("--alerts", help="YAML file of alerts (or RINGFENCE_ALERTS).")]
SourcesFile = Annotated[Path | None, typer.Option("--sources", help="YAML file of sources (or RINGFENCE_SOURCES).")]
Landing = Annotated[Path | None, typer.Option("--landing", help="Landing zone of the sources (or RINGFENCE_LANDING).")]
Format = Annotated[OutputFormat, typer.Option("--format", help="How to print it.")]


def _collector(
    warehouse: Path | None, alerts: Path | None, sources: Path | None, landing: Path | None
) -> RingfenceCollector:
    from orchestration.alerts.configuration import load_alerts
    from orchestration.connectors.configuration import load_sources
    from orchestration.operations.metrics.collector import RingfenceCollector, Subject
    from orchestration.settings import from_environment

    settings = from_environment(warehouse=warehouse, alerts_file=alerts, sources_file=sources, landing=landing)
    subject = Subject(
        settings.paths,
        load_alerts(settings.alerts_file) if settings.alerts_file else None,
        load_sources(settings.sources_file) if settings.sources_file else (),
        settings.landing,
        settings.instance_folder,
    )
    return RingfenceCollector(subject, report=lambda problem: typer.echo(f"ringfence: {problem}", err=True))


@metrics_app.command()
def write(
    file: Annotated[Path, typer.Option("--file", metavar="X.prom", help="File in node_exporter's textfile folder.")],
    warehouse: WarehouseFolder = None,
    alerts: AlertsFile = None,
    sources: SourcesFile = None,
    landing: Landing = None,
) -> None:
    """Write the metrics into a file, replacing it at once; exit 1 if a part couldn't be read, which the file says."""
    from orchestration.operations.metrics.collector import registry_of
    from orchestration.operations.metrics.exposing import check_file, write_file

    check_file(file)
    collector = _collector(warehouse, alerts, sources, landing)
    write_file(file, registry_of(collector))
    if unread := collector.unread_parts:
        raise RingfenceError(f"{file} is written without all of {', '.join(unread)}, which can't be read; see above")


@metrics_app.command()
def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 takes a free one.")],
    bind: Annotated[
        str,
        typer.Option("--bind", help="Address to listen on. There is no log-in: mind who can reach it."),
    ] = "127.0.0.1",
    warehouse: WarehouseFolder = None,
    alerts: AlertsFile = None,
    sources: SourcesFile = None,
    landing: Landing = None,
) -> None:
    """Serve the metrics over HTTP until it is ended; what can't be read is told by the metrics themselves."""
    from orchestration.operations.metrics.collector import registry_of
    from orchestration.operations.metrics.exposing import serve as serve_metrics

    end_when_terminated()
    server, thread = serve_metrics(registry_of(_collector(warehouse, alerts, sources, landing)), port, bind)
    typer.echo(f"serving http://{bind}:{server.server_port}/metrics")
    thread.join()


@metrics_app.command("list")
def list_metrics(format_: Format = OutputFormat.TABLE) -> None:
    """List every metric with its labels and meaning."""
    from orchestration.operations.metrics.catalogue import METRICS
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import Rows

    values = tuple((metric.name, ", ".join(metric.labels), metric.part, metric.help) for metric in METRICS)
    write_rows(Rows(("metric", "labels", "part", "meaning"), values), format_)
