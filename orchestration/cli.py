"""The command line. Each command reads its options, calls one plain function and prints what it returns.

Modules that take long to import are imported by the commands that need them, so that help and errors are instant.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from orchestration.bench.speed.curves import Curve
from orchestration.cli_alerts import alerts_app
from orchestration.cli_documentation import add_commands as add_documentation
from orchestration.cli_explore import add_commands as add_explore
from orchestration.cli_metrics import metrics_app
from orchestration.cli_operations import add_commands as add_operations
from orchestration.cli_options import State, Verbose, listed, optional_day, optional_moment, requested_days
from orchestration.cli_queries import add_commands as add_queries
from orchestration.cli_sources import sources_app
from orchestration.errors import ConfigurationError, RingfenceError
from orchestration.reading.formats import OutputFormat
from orchestration.report.formats import ReportFormat
from orchestration.safe_text import one_line, printable
from orchestration.settings import checked_memory_limit, keep_files_private

if TYPE_CHECKING:
    from orchestration.ending import RunResult
    from orchestration.settings import Settings

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Could this exchange hand every customer back what it owes them, in kind, today?",
)
import_app = typer.Typer(help="Turn records of other kinds into a landing zone.")
app.add_typer(import_app, name="import")
bench_app = typer.Typer(help="Measure what Ringfence finds and how fast it is, beside what people use today.")
app.add_typer(bench_app, name="bench")
app.add_typer(sources_app, name="sources")
app.add_typer(alerts_app, name="alerts")
app.add_typer(metrics_app, name="metrics")
add_operations(app)
add_queries(app)
add_explore(app)
add_documentation(app)


WarehouseFolder = Annotated[Path, typer.Option("--warehouse", help="Folder of the warehouse.")]
LandingFolder = Annotated[Path, typer.Option("--landing", help="Folder with <table>/... files.")]
PolicyFile = Annotated[Path | None, typer.Option("--policy", help="YAML file with what differs from the policy.")]
Format = Annotated[OutputFormat, typer.Option("--format", help="How to print it.")]


def _listed_numbers(text: str) -> tuple[int, ...]:
    wrong = [part for part in listed(text) if not part.isdigit() or int(part) < 1]
    if wrong:
        raise ConfigurationError(f"{wrong[0]!r} is no whole number of at least 1; write them as 1000000,10000000")
    return tuple(int(part) for part in listed(text))


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        # A line break within one could pass for a line of ours.
        typer.echo(printable(line).replace("\n", "\\n"))


@app.command()
def run(
    landing: LandingFolder,
    warehouse: WarehouseFolder,
    day: Annotated[date | None, optional_day("--date", "Day to close.")] = None,
    first: Annotated[date | None, optional_day("--from", "First day of a range.")] = None,
    last: Annotated[date | None, optional_day("--to", "Last day of a range.")] = None,
    policy: PolicyFile = None,
    verbose: Verbose = False,
) -> None:
    """Take in what was delivered, rebuild and check the warehouse, and publish it."""
    first_date, last_date = requested_days(day, first, last)
    from orchestration.reading.console import progress_shown
    from orchestration.settings import from_environment

    settings = from_environment(landing=landing, warehouse=warehouse, policy_file=policy)
    with _told_if_it_breaks(settings, last_date), progress_shown(enabled=not verbose):
        from orchestration.runner import run_days

        result = run_days(settings, first_date, last_date, verbose=verbose)
    _end_of_run(settings, result, first_date, last_date, verbose=verbose)


@contextmanager
def _told_if_it_breaks(settings: Settings, last: date | None = None) -> Iterator[None]:
    """Alert of what ends a run before it has a result, an orchestrator's SIGTERM too; wrong usage is its user's."""
    with suppress(ValueError):  # not the main thread, which signals don't reach
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except ConfigurationError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        _alert_of_break(settings, error, last)
        if isinstance(error, KeyboardInterrupt):
            raise RingfenceError("the run was interrupted (SIGTERM or Ctrl-C); run it again") from error
        raise


def _alert_of_break(settings: Settings, error: BaseException, last: date | None) -> None:
    if settings.alerts_file is None:
        return
    from orchestration.alerts.watching import look_after_run, look_quietly
    from orchestration.journal import in_words
    from orchestration.pipeline.run import ExitStatus
    from orchestration.warehouse.lock import WarehouseBusyError

    # Whoever is turned away has left the day to the run under way, and that one is watched.
    if last is None or isinstance(error, WarehouseBusyError):
        problems = look_quietly(settings)
    else:
        problems = look_after_run(settings, "", last, in_words(error), ExitStatus.ERROR)
    for problem in problems:
        typer.echo(_one_line(problem), err=True)


def _end_of_run(settings: Settings, result: RunResult, first: date, last: date, *, verbose: bool) -> NoReturn:
    """Show what a run came to, and exit with its status."""
    from orchestration.pipeline.run import ExitStatus
    from orchestration.reading.summary import summary_lines

    _alert(settings, result, last)
    if result.status is ExitStatus.ERROR:
        if verbose and result.traceback:
            typer.echo(printable(result.traceback), err=True)
        raise RingfenceError(result.message)
    _print_lines(summary_lines(settings.paths, result, first, last))
    if result.status is not ExitStatus.PASSED:
        typer.echo(_one_line(result.message), err=True)
    raise typer.Exit(int(result.status))


def _alert(settings: Settings, result: RunResult, last: date) -> None:
    """Look at what the run left behind, if alerts are configured. What becomes of that doesn't change its status."""
    if settings.alerts_file is None:
        return
    from orchestration.alerts.watching import look_after_run

    for problem in look_after_run(settings, result.run_id, last, result.message, result.status):
        typer.echo(_one_line(problem), err=True)


@app.command()
def rebuild(
    landing: LandingFolder,
    warehouse: WarehouseFolder,
    is_verified: Annotated[
        bool, typer.Option("--verify", help="Change nothing: rebuild beside the warehouse, and compare every mart.")
    ] = False,
    has_new_build_file: Annotated[
        bool,
        typer.Option(
            "--new-build-file",
            help="Set the build file aside and read all of the landing zone again; what runs said is kept.",
        ),
    ] = False,
    policy: PolicyFile = None,
    verbose: Verbose = False,
) -> None:
    """Build all marts anew from the accepted rows; or prove that they are what the landing zone gives."""
    if is_verified and has_new_build_file:
        raise ConfigurationError("--verify changes nothing, so it doesn't go with --new-build-file; give one of them")
    from orchestration.reading.console import progress_shown
    from orchestration.settings import from_environment

    settings = from_environment(landing=landing, warehouse=warehouse, policy_file=policy)
    with _told_if_it_breaks(settings), progress_shown(enabled=not verbose):
        if is_verified:
            from orchestration.rebuild import verify

            comparisons = verify(settings)
        else:
            from orchestration.rebuild import rebuild_whole

            result, day = rebuild_whole(settings, has_new_build_file=has_new_build_file, verbose=verbose)
    if not is_verified:
        _end_of_run(settings, result, day, day, verbose=verbose)
    from orchestration.reading.comparison import comparison_lines

    _print_lines(comparison_lines(comparisons))
    raise typer.Exit(0 if all(comparison.is_equal for comparison in comparisons) else 4)


@app.command()
def findings(
    warehouse: WarehouseFolder,
    day: Annotated[date | None, optional_day("--date", "Only findings of this day.")] = None,
    format_: Format = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> None:
    """List the findings that stand."""
    from orchestration.reading.findings import all_findings, readable_findings
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import published_connection
    from orchestration.settings import WarehousePaths

    with published_connection(WarehousePaths(warehouse.resolve())) as connection:
        if format_ is not OutputFormat.TABLE:
            write_rows(all_findings(connection, day), format_)
            return
        rows, total = readable_findings(connection, day)
    if not total:
        typer.echo("no findings" + (f" on {day}" if day else ""))
        return
    write_rows(rows, format_)
    if total > len(rows.values):
        typer.echo(f"{total - len(rows.values):,} more of {total:,}; see all with --format csv", err=True)


@app.command()
def explain(
    check: Annotated[str, typer.Argument(help="Name of a check, as findings show it.")],
    warehouse: Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")] = None,
    day: Annotated[date | None, optional_day("--date", "Day of the finding to trace.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", help="Subject of the finding to trace.")] = None,
    asset: Annotated[str | None, typer.Option("--asset", help="Asset, if the subject has findings in several.")] = None,
    policy: PolicyFile = None,
    verbose: Verbose = False,
) -> None:
    """Say what a check means; with a warehouse, day and subject, trace its finding down to source rows and files."""
    from orchestration.reading.explanation import explanation_lines, find_check, read_explanation

    explanation = read_explanation(find_check(check))
    if (day is None) != (subject is None) or (asset is not None and subject is None):
        raise ConfigurationError("a finding is named by --date and --subject together, and --asset if need be")
    if warehouse is None:
        if day is not None:
            raise ConfigurationError("give --warehouse too: findings stand in a warehouse")
        from orchestration.policy import policy_of_file

        _print_lines(list(explanation_lines(explanation, policy_of_file(policy))))
        return
    if policy is not None:
        raise ConfigurationError("give --policy or --warehouse: a warehouse has the policy it was built with")
    from orchestration.reading.published import published_connection
    from orchestration.reading.trace import policy_of_warehouse, standing_line, traced_lines
    from orchestration.settings import WarehousePaths

    with published_connection(WarehousePaths(warehouse.resolve())) as connection:
        if day is not None and subject is not None:
            _print_lines(list(traced_lines(connection, explanation, day, subject, asset)))
            return
        _print_lines(list(explanation_lines(explanation, policy_of_warehouse(connection))))
        _print_lines(["", f"In this warehouse: {standing_line(connection, explanation.check)}"])


@app.command()
def asof(
    warehouse: WarehouseFolder,
    day: Annotated[date, optional_day("--date", "Day that the figures are about.")],
    known_at: Annotated[
        datetime | None, optional_moment("--known-at", "As known then, UTC; a day alone means its end.")
    ] = None,
    published_by: Annotated[
        datetime | None, optional_moment("--published-by", "As published by then on the wall clock, UTC.")
    ] = None,
    format_: Format = OutputFormat.TABLE,
    verbose: Verbose = False,
) -> None:
    """Show what was said of a day at a time, and what is said of it now."""
    from orchestration.reading import asof as statements
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import published_connection
    from orchestration.settings import WarehousePaths

    if known_at is None and published_by is None:
        raise ConfigurationError(
            "say as of when: --known-at, what the records known by then came to, or --published-by"
        )
    moment = statements.Moment(known_at, published_by)
    with published_connection(WarehousePaths(warehouse.resolve())) as connection:
        rows = statements.figures_said(connection, day, moment)
        silence = None if rows.values else statements.silence_line(connection, day, moment)
    if format_ is not OutputFormat.TABLE:
        write_rows(rows, format_)
        if silence:
            typer.echo(printable(silence), err=True)
        return
    if silence:
        typer.echo(silence)
        return
    typer.echo(statements.summary_line(rows, day, moment))
    write_rows(statements.readable_figures(rows), format_)
    if len(rows.values) > statements.SHOWN_IN_TABLE:
        typer.echo(f"{len(rows.values) - statements.SHOWN_IN_TABLE:,} more; see all with --format csv", err=True)


@app.command()
def disk(warehouse: WarehouseFolder, format_: Format = OutputFormat.TABLE, verbose: Verbose = False) -> None:
    """Show what a warehouse takes on disk, part by part, and what bounds each."""
    from orchestration.reading.output import write_rows
    from orchestration.reading.published import Rows
    from orchestration.settings import from_environment
    from orchestration.warehouse.retention import disk_use

    if not warehouse.is_dir():
        raise ConfigurationError(f"there is no folder {warehouse}; give the folder of a warehouse with --warehouse")
    uses = disk_use(from_environment(warehouse=warehouse))
    values = tuple((use.part, use.files, use.bytes, f"{use.bytes / 1e6:,.1f}", use.kept) for use in uses)
    write_rows(Rows(("part", "files", "bytes", "megabytes", "kept"), values), format_)


@app.command()
def report(
    warehouse: WarehouseFolder,
    out: Annotated[Path, typer.Option("--out", help="File to write.")],
    day: Annotated[date | None, optional_day("--date", "Day to report on; the latest by default.")] = None,
    format_: Annotated[
        ReportFormat | None, typer.Option("--format", help="What to write; by the ending of --out by default.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Write the solvency report of a day: a self-contained page, the same as JSON, or printed to PDF by Chromium."""
    from orchestration.report.solvency import write_report
    from orchestration.settings import WarehousePaths

    write_report(WarehousePaths(warehouse.resolve()), day, out, format_)
    typer.echo(f"wrote {out}")


@app.command("export-sources")
def export_sources(
    warehouse: WarehouseFolder,
    out: Annotated[str, typer.Option("--out", metavar="FOLDER|URL", help="Folder or object storage to write to.")],
    verbose: Verbose = False,
) -> None:
    """Write the accepted rows as Parquet, for building the marts on Apache Spark."""
    from orchestration.settings import WarehousePaths
    from orchestration.warehouse.source_files import export_sources as write_sources

    tables = write_sources(WarehousePaths(warehouse.resolve()).build_file, out)
    typer.echo(f"wrote {sum(table.rows for table in tables):,} rows of {len(tables)} tables to {out}")


def _list_faults(wanted: bool) -> None:
    if not wanted:
        return
    from orchestration.simulate.faults import fault_lines

    for line in fault_lines():
        typer.echo(line)
    raise typer.Exit()


@app.command()
def simulate(
    scenario: Annotated[str, typer.Option("--scenario", help="Name of a scenario.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the landing zone to.")],
    fault: Annotated[
        str | None, typer.Option("--fault", metavar="NAME[,NAME…]", help="Plant these faults into it.")
    ] = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="Print the catalogue of faults.", callback=_list_faults, is_eager=True)
    ] = False,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Days to simulate.")] = None,
    last_day: Annotated[date | None, optional_day("--last-day", "Last of them, for a story without dates.")] = None,
    accounts: Annotated[int | None, typer.Option("--accounts", min=1, help="Customers' accounts.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Same seed, same landing zone.")] = 0,
    verbose: Verbose = False,
) -> None:
    """Write a made-up exchange's landing zone, and the faults planted in it (truth.json)."""
    from orchestration.simulate import simulate as write_simulation

    names = [name.strip() for name in fault.split(",")] if fault is not None else []
    summary = write_simulation(scenario, out, days=days, accounts=accounts, seed=seed, faults=names, last_date=last_day)
    typer.echo(
        f"wrote {summary.folder}: {summary.entries:,} ledger entries from {summary.first_date} to {summary.last_date}"
    )


@import_app.command("claims-schedule")
def claims_schedule(
    schedule: Annotated[Path, typer.Argument(metavar="FILE", help="The schedule, as filed or as a table.")],
    prices: Annotated[list[Path], typer.Option("--prices", help="Price file; may be given more than once.")],
    as_of: Annotated[date, optional_day("--as-of", "Day of the balances.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write the landing zone to.")],
    cross_margined: Annotated[
        bool, typer.Option("--cross-margined/--not-cross-margined", help="Whether accounts are margin accounts.")
    ] = True,
    own_token: Annotated[
        list[str] | None, typer.Option("--own-token", help="Token that the exchange issued; may be repeated.")
    ] = None,
    redeemable: Annotated[
        list[str] | None, typer.Option("--redeemable", help="Asset that stands in for US dollars; may be repeated.")
    ] = None,
    price_asset: Annotated[
        str | None, typer.Option("--price-asset", help="Asset of a price file that names none.")
    ] = None,
    round_to_18: Annotated[
        bool, typer.Option("--round-to-18", help="Round amounts with more than 18 places instead of refusing them.")
    ] = False,
    operator: Annotated[str, typer.Option("--operator", help="entity_id of the exchange.")] = "operator",
    rejects: Annotated[Path | None, typer.Option("--rejects", help="File for the lines that can't be read.")] = None,
    verbose: Verbose = False,
) -> None:
    """Turn a bankruptcy claims schedule into a landing zone of opening balances."""
    from orchestration.imports.claims_schedule import ImportOptions, import_claims_schedule

    options = ImportOptions(tuple(own_token or ()), tuple(redeemable or ()), price_asset, round_to_18, operator)
    summary = import_claims_schedule(
        schedule, prices, as_of, out, cross_margined=cross_margined, rejects=rejects, options=options
    )
    _print_lines(summary.text_lines())


@app.command()
def demo(
    out: Annotated[Path, typer.Option("--out", help="Folder for the demo's landing zone and warehouse.")] = Path(
        "demo"
    ),
    verbose: Verbose = False,
) -> None:
    """Simulate an exchange that collapses, run the job on it, and show what it found."""
    from orchestration.reading.console import progress_shown

    with progress_shown(enabled=not verbose):
        from orchestration.demo import run_demo

        lines = run_demo(out.resolve())
    _print_lines(lines)


@app.command()
def dev(
    landing: Annotated[Path | None, typer.Option("--landing", help="Folder with <table>/... files.")] = None,
    warehouse: Annotated[Path | None, typer.Option("--warehouse", help="Folder of the warehouse.")] = None,
    policy: PolicyFile = None,
    port: Annotated[int, typer.Option("--port", help="Port on 127.0.0.1.")] = 3000,
    verbose: Verbose = False,
) -> None:
    """Open Dagster's UI on this machine, with the whole graph from source to findings."""
    from orchestration.runner import start_ui
    from orchestration.settings import from_environment

    start_ui(from_environment(landing=landing, warehouse=warehouse, policy_file=policy), port=port)


@bench_app.command("detection")
def bench_detection(
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Exchanges of each kind.")] = 10,
    rival_seeds: Annotated[int, typer.Option("--rival-seeds", min=0, help="Of these, how many rivals look at.")] = 2,
    days: Annotated[int, typer.Option("--days", min=1, help="Days simulated, at least what the faults need.")] = 45,
    accounts: Annotated[int, typer.Option("--accounts", min=20, help="Customers' accounts.")] = 60,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Exchanges judged at a time.")] = 2,
    out: Annotated[Path, typer.Option("--out", help="Folder for the table, the page and the figures.")] = Path(
        "build/bench"
    ),
    verbose: Verbose = False,
) -> None:
    """Plant every fault, and count what is found, when, and how often a healthy exchange raises an alarm."""
    from orchestration import progress
    from orchestration.bench.detection import BenchmarkPlan, observe_all
    from orchestration.bench.detection_output import text_lines, write_results
    from orchestration.bench.scoring import score
    from orchestration.reading.console import progress_shown

    plan = BenchmarkPlan(seeds, min(rival_seeds, seeds), days, accounts, processes)
    with progress_shown(enabled=not verbose):
        observations = observe_all(
            plan,
            lambda done, all_: progress.report(f"judged {done * 20 // all_ * 5} %", f"exchange {done} of {all_}"),
        )
    scores = score(observations)
    _print_lines([*text_lines(plan, scores), "", *(f"wrote {path}" for path in write_results(out, plan, scores))])


@bench_app.command("speed")
def bench_speed(
    entries: Annotated[int, typer.Option("--entries", min=100, help="Ledger entries.")] = 1_000_000,
    accounts: Annotated[int, typer.Option("--accounts", min=20, help="Customers' accounts.")] = 100_000,
    days: Annotated[int, typer.Option("--days", min=1, help="Days they are spread over.")] = 30,
    curve: Annotated[Curve | None, typer.Option("--curve", help="Vary this, with all else as given.")] = None,
    points: Annotated[str, typer.Option("--points", metavar="N[,N…]", help="Points of the curve.")] = "",
    contenders: Annotated[
        str, typer.Option("--contenders", metavar="NAME[,NAME…]", help="Measure only these beside the pipeline.")
    ] = "",
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="Times that each is measured.")] = 3,
    minutes: Annotated[float, typer.Option("--minutes", help="Start no further round that would pass these.")] = 30,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Stop a single measurement after so many seconds.")
    ] = 3600,
    memory_limit: Annotated[
        str | None, typer.Option("--memory-limit", help="Limit of DuckDB's memory, e.g. 6GB, for pipeline and bare.")
    ] = None,
    scratch: Annotated[Path | None, typer.Option("--scratch", help="Where landing zones and warehouses go.")] = None,
    out: Annotated[Path, typer.Option("--out", help="Folder for the tables and figures.")] = Path("build/bench"),
    verbose: Verbose = False,
) -> None:
    """Time the pipeline beside the least that could be done, and beside what one would have instead."""
    from orchestration import progress
    from orchestration.bench.speed.benchmark import SpeedPlan, run_speed_benchmark
    from orchestration.bench.speed.comparison import Conditions
    from orchestration.bench.speed.contenders import CONTENDERS
    from orchestration.bench.speed.generator import Size
    from orchestration.bench.speed.output import text_lines, write_results
    from orchestration.reading.console import progress_shown

    names = listed(contenders) or tuple(contender.name for contender in CONTENDERS)
    conditions = Conditions(rounds, minutes, timeout, checked_memory_limit(memory_limit), scratch)
    plan = SpeedPlan(Size(entries, accounts, days), curve, _listed_numbers(points), names, conditions)
    with progress_shown(enabled=not verbose):
        results = run_speed_benchmark(plan, progress.report)
    _print_lines([*text_lines(results), "", *(f"wrote {path}" for path in write_results(out, results))])
    if results.troubles():
        raise RingfenceError(results.troubles()[0])


def _one_line(message: str) -> str:
    return f"ringfence: {one_line(message)}"


def _fail(message: str, status: int) -> int:
    typer.echo(_one_line(message), err=True)
    error = sys.exception()
    if State.verbose and error is not None:
        from orchestration.keyed_hashes import traceback_text

        typer.echo(traceback_text(error), err=True)
    return status


def _invoke(arguments: list[str]) -> int:
    """Run a command and return its exit status; every error becomes one line on stderr."""
    State.verbose = False
    before = keep_files_private()
    try:
        result = app(arguments, standalone_mode=False, prog_name="ringfence")
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        where = f" (see '{context.command_path} --help')" if context is not None else ""
        return _fail(f"{error.format_message().rstrip('.')}{where}", error.exit_code)
    except typer.Abort:
        return _fail("interrupted", 1)
    except RingfenceError as error:
        return _fail(str(error), error.exit_status)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 (the last line of defence: one line, a traceback for those who ask)
        hint = "" if State.verbose else "; --verbose shows where"
        from orchestration.keyed_hashes import error_text

        return _fail(f"{error_text(error)}{hint}", 1)
    finally:
        os.umask(before)
    return result if isinstance(result, int) else 0


def main() -> NoReturn:
    """Entry point of the ``ringfence`` script."""
    status = _invoke(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(status)


if __name__ == "__main__":
    main()
