"""What was said of a day at a time, beside what is said of it now.

What belongs here: reading ``audit.published_figure`` for one day. What doesn't: which figures are kept, and what moved
them (``marts.fct_restatement``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from orchestration.reading.output import counted
from orchestration.reading.published import Rows, fetch

SHOWN_IN_TABLE = 200
_MONTHLY = "fct_token_adjusted_revenue_monthly"


@dataclass(frozen=True, slots=True)
class Moment:
    """Up to when statements count: by the knowledge they were made with, by when they were published, or both."""

    known_at: datetime | None
    published_by: datetime | None

    def __str__(self) -> str:
        parts = [f"known at {self.known_at}" if self.known_at else "", f"published by {self.published_by}"]
        return " and ".join(filter(None, parts if self.published_by else parts[:1])) + " UTC"


def _statements(connection: duckdb.DuckDBPyConnection, day: date, moment: Moment) -> Rows:
    """Each figure of the day, or of its month: what was last said by then, what is said now, and the difference."""
    return fetch(
        connection,
        f"""
        with statements as (
            select
                *,
                coalesce(knowledge_at <= $2::timestamp, $2::timestamp is null)
                and coalesce(published_at <= $3::timestamp, $3::timestamp is null) as counts
            from audit.published_figure
            where as_of_date
                = case source_table when '{_MONTHLY}' then date_trunc('month', $1::date)::date else $1::date end
        ),
        latest as (
            select * from statements
            qualify entry_number = max(entry_number) over (partition by source_table, figure, subject)
        ),
        counting as (
            select * from statements
            where counts
            qualify entry_number = max(entry_number) over (partition by source_table, figure, subject)
        )
        select
            latest.as_of_date,
            latest.source_table,
            latest.figure,
            latest.subject,
            counting.amount,
            counting.run_id,
            counting.knowledge_at,
            counting.published_at,
            latest.amount as amount_now,
            latest.amount - counting.amount as difference,
            latest.entry_number is distinct from counting.entry_number as has_moved
        from latest
        left join counting using (source_table, figure, subject)
        order by latest.source_table = 'fct_solvency_daily' desc, latest.source_table, latest.subject, latest.figure
        """,
        [day, moment.known_at, moment.published_by],
    )


def figures_said(connection: duckdb.DuckDBPyConnection, day: date, moment: Moment) -> Rows:
    """Every figure of the day as said by then; no rows if nothing had been said of the day."""
    rows = _statements(connection, day, moment)
    said = rows.columns.index("run_id")
    return rows if any(values[said] is not None for values in rows.values) else Rows(rows.columns, ())


def readable_figures(rows: Rows) -> Rows:
    """The first figures, those that moved before the others, in the columns that people look at."""
    names = ("source_table", "subject", "figure", "amount", "amount_now", "difference", "knowledge_at", "published_at")
    places = [rows.columns.index(name) for name in names]
    run, moved = rows.columns.index("run_id"), rows.columns.index("has_moved")
    ordered = sorted(rows.values, key=lambda values: not values[moved])
    return Rows(
        ("table", "subject", "figure", "said then", "said now", "difference", "knowledge", "published", "run"),
        tuple(
            (*(_shown(values[place]) for place in places), (values[run] or "")[:8])
            for values in ordered[:SHOWN_IN_TABLE]
        ),
    )


def _shown(value: object) -> object:
    return value.replace(microsecond=0) if isinstance(value, datetime) else value


def summary_line(rows: Rows, day: date, moment: Moment) -> str:
    """How much was said of the day by then, and how much of it has moved since, in one line."""
    said, moved = rows.columns.index("run_id"), rows.columns.index("has_moved")
    spoken = [values for values in rows.values if values[said] is not None]
    changed = sum(bool(values[moved]) for values in spoken)
    later = len(rows.values) - len(spoken)
    more = f", {later:,} more were first said later" if later else ""
    return f"{day} as {moment}: {counted(len(spoken), 'figure')}, {changed:,} of them said differently since{more}"


def silence_line(connection: duckdb.DuckDBPyConnection, day: date, moment: Moment) -> str:
    """Why nothing is shown: when something was first said of the day, or which days were published."""
    first = fetch(
        connection,
        "select min(knowledge_at), min(published_at) from audit.published_figure"
        f" where as_of_date = $1::date and source_table <> '{_MONTHLY}'",
        [day],
    ).values[0]
    if first[0] is not None:
        return (
            f"nothing had been said of {day} as {moment}: the first to speak of it was a run with knowledge of"
            f" {first[0]} UTC, published {_shown(first[1]) or 'at a time not kept'}"
        )
    days = fetch(
        connection,
        f"select min(as_of_date), max(as_of_date) from audit.published_figure where source_table <> '{_MONTHLY}'",
    ).values[0]
    published = f"figures of {days[0]} to {days[1]} were" if days[0] is not None else "no figures were ever published"
    return f"nothing was ever said of {day}: {published}"
