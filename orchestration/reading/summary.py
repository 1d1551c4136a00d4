"""What a run came to, at one look: coverage, shortfall, worst findings, and where to look next."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import duckdb

from orchestration.ending import RunResult
from orchestration.keyed_hashes import affected, process_hashing, sentence
from orchestration.pipeline.run import ExitStatus
from orchestration.reading.published import fetch, has_table, published_connection
from orchestration.settings import WarehousePaths

_WORST_SHOWN = 8
_NOTICES_SHOWN = 3

_HEADLINES = {
    ExitStatus.PASSED: "PASSED: nothing critical was found",
    ExitStatus.FAILED_CHECKS: "FAILED: published, with critical findings",
    ExitStatus.FAILED_INTEGRITY: "REFUSED: the delivery can't be trusted, nothing of it was taken",
    ExitStatus.ERROR: "ERROR: the program failed, nothing was published",
}


def _usd(amount: Decimal | None) -> str:
    return "unknown" if amount is None else f"{amount:,.2f} USD"


def _solvency_lines(connection: duckdb.DuckDBPyConnection, day: date) -> list[str]:
    if not has_table(connection, "marts", "fct_solvency_daily"):
        return []
    rows = fetch(
        connection,
        "select as_of_date, status, customer_liabilities_usd, eligible_reserves_usd, coverage_ratio,"
        " in_kind_shortfall_usd, unpriced_assets from marts.fct_solvency_daily where as_of_date <= ?"
        " order by as_of_date desc limit 1",
        [day],
    ).values
    if not rows:
        return []
    as_of, status, liabilities, reserves, ratio, shortfall, unpriced = rows[0]
    coverage = "no liabilities" if ratio is None else f"{ratio * 100:.2f} %"
    lines = [
        f"On {as_of}: {status}",
        f"  owed to customers    {_usd(liabilities)}",
        f"  eligible reserves    {_usd(reserves)}",
        f"  coverage             {coverage}",
        f"  shortfall in kind    {_usd(shortfall)}",
    ]
    return [*lines, f"  assets with no price {unpriced}"] if unpriced else lines


def _worst(connection: duckdb.DuckDBPyConnection, first: date, last: date, *, integrity: bool) -> list[tuple[Any, ...]]:
    """The worst finding of each check: how often it fails critically, and its largest case."""
    condition = "kind = 'integrity'" if integrity else "as_of_date between $1 and $2 and kind <> 'integrity'"
    rows = fetch(
        connection,
        f"""
        select count(*) over (partition by check_name) as number, check_name, as_of_date, impact_usd, subject_type,
            subject_id, asset, message, observed
        from audit.finding
        where {condition} and severity = 'critical' and $1 is not null and $2 is not null
        qualify row_number() over (
            partition by check_name
            order by impact_usd desc nulls last, as_of_date, subject_type, subject_id, asset
        ) = 1
        order by impact_usd desc nulls last, check_name
        """,
        [first, last],
    )
    return list(rows.values)


def _notice_lines(connection: duckdb.DuckDBPyConnection, run_id: str) -> list[str]:
    """What the run left out of its landing zone, or set aside; nobody would miss it otherwise."""
    rows = fetch(
        connection,
        "select notice, count(*) over () from audit.notice where run_id = ? order by table_name nulls last, notice"
        f" limit {_NOTICES_SHOWN}",
        [run_id],
    ).values
    if not rows:
        return []
    total = rows[0][1]
    more = [f"  and {total - len(rows):,} more, in audit.notice"] if total > len(rows) else []
    return [f"Left out or set aside: {total:,}", *(f"  {notice}" for notice, _ in rows), *more]


def _worst_line(
    number: int,
    check: str,
    day: date,
    impact: Decimal | None,
    subject_type: str,
    subject_id: str,
    asset: str | None,
    message: str,
    observed: str | None,
    *,
    names_all: bool,
) -> str:
    more = f" (and {number - 1:,} more)" if number > 1 else ""
    at_stake = "" if impact is None else f" [{_usd(impact)}]"
    if names_all:
        return f"  {check} {day}{at_stake}: {message}{more}"
    hashing = process_hashing()
    said = sentence(subject_type, subject_id, message, observed, hashing)
    about = affected(subject_type, subject_id, hashing) + (f" {asset}" if asset else "")
    # A sentence about the exchange itself names its subject; one about a file doesn't.
    named = said if said and subject_type != "file" else ": ".join(filter(None, (about, said)))
    return f"  {check} {day}{at_stake}: {named}{more}"


def summary_lines(
    paths: WarehousePaths, result: RunResult, first: date, last: date, *, names_all: bool = False
) -> list[str]:
    """The summary of a run, line by line, as logs may keep it; ``names_all`` is for exchanges that are made up."""
    lines = [
        f"{_HEADLINES[result.status]} ({first} to {last})"
        if first != last
        else f"{_HEADLINES[result.status]} ({first})"
    ]
    if not paths.published_file.exists():
        return [*lines, result.message]
    with published_connection(paths) as connection:
        is_integrity = result.status is ExitStatus.FAILED_INTEGRITY
        lines += [] if is_integrity else _solvency_lines(connection, last)
        worst = _worst(connection, first, last, integrity=is_integrity)
        warnings = fetch(
            connection,
            "select count(*) from audit.finding where severity = 'warning' and as_of_date between ? and ?",
            [first, last],
        ).values[0][0]
        left_out = _notice_lines(connection, result.run_id)
        has_marts = has_table(connection, "marts", "fct_solvency_daily")
    if worst:
        lines.append("Worst findings, one for each check that fails:")
        lines += [_worst_line(*finding, names_all=names_all) for finding in worst[:_WORST_SHOWN]]
        if len(worst) > _WORST_SHOWN:
            lines.append(f"  and {len(worst) - _WORST_SHOWN} more checks")
    if warnings:
        lines.append(f"Warnings on these days: {warnings:,}")
    return [*lines, *left_out, *_next_steps(paths, last, has_marts=has_marts)]


def _next_steps(paths: WarehousePaths, last: date, *, has_marts: bool) -> list[str]:
    steps = ["Next:", f"  ringfence findings --warehouse {paths.root}"]
    if not has_marts:
        return steps
    return [
        *steps,
        f"  ringfence report --warehouse {paths.root} --date {last} --out report.html",
        f'  ringfence query --warehouse {paths.root} "from marts.fct_solvency_daily order by as_of_date"',
    ]
