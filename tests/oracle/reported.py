"""Management's figures: which publication counts and which day or month it speaks of.

What belongs here: DOMAIN.md section 2's reported_figures, read. What doesn't: the figures of the ledger itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.oracle.books import ONE_DAY, Books, Row, day_start

Period = tuple[datetime | None, datetime]


@dataclass(frozen=True)
class Figure:
    """One figure of one period: the total, and the moment from which it was known."""

    figure: str
    asset: str | None
    period_start: datetime | None
    period_end: datetime
    amount: Decimal
    known_at: datetime
    first_known_at: datetime


def counted_rows(rows: list[Row]) -> list[Row]:
    """The line-less total if there is one, else every line; each in its latest publication."""
    latest: dict[str | None, Row] = {}
    for row in sorted(rows, key=lambda row: row["published_at"]):
        latest[row["line"]] = row
    return [latest[None]] if None in latest else list(latest.values())


def without_repetitions(rows: list[Row]) -> list[Row]:
    """The publications that said something new: one that repeats its line's last amount is no news."""
    said: dict[tuple[Any, ...], Decimal] = {}
    news = []
    for row in sorted(rows, key=lambda row: row["published_at"]):
        line = (row["line"], row["asset"], row["period_start"], row["period_end"])
        if said.get(line) != row["amount"]:
            news.append(row)
        said[line] = row["amount"]
    return news


def figures(books: Books, figure: str) -> list[Figure]:
    """All figures of one kind, one per asset and period."""
    by_period: dict[tuple[str | None, datetime | None, datetime], list[Row]] = {}
    given = [row for row in books.rows("reported_figures") if row["figure"] == figure]
    for row in without_repetitions(given) if figure == "revenue" else given:
        by_period.setdefault((row["asset"], row["period_start"], row["period_end"]), []).append(row)
    found = []
    for (asset, period_start, period_end), rows in by_period.items():
        counted = counted_rows(rows)
        amount = sum((row["amount"] for row in counted), Decimal(0))
        known_at = max(row["known_at"] for row in counted)
        first_known_at = min(row["known_at"] for row in rows)
        found.append(Figure(figure, asset, period_start, period_end, amount, known_at, first_known_at))
    return found


def first_of_next_month(day: date) -> date:
    """The first day of the month after the day's."""
    return (day.replace(day=28) + 4 * ONE_DAY).replace(day=1)


def snapshot_day(figure: Figure) -> date:
    """The day whose end a stock figure describes; a date given as a month's last day means that day."""
    end, start = figure.period_end, figure.period_start
    last_day_by_date = (
        start is not None
        and start == day_start(start.date())
        and start.day == 1
        and end == day_start(first_of_next_month(end.date()) - ONE_DAY)
    )
    if end == start or last_day_by_date:
        return end.date()
    return (end - timedelta(microseconds=1)).date()


def months_of(figure: Figure) -> list[date]:
    """First days of the whole months that a revenue figure covers; none if it doesn't cover whole months."""
    start, end = figure.period_start, figure.period_end
    if start is None or start != day_start(start.date()) or start.day != 1:
        return []
    after = end.date() if end == day_start(end.date()) and end.day == 1 else first_of_next_month(end.date())
    last_day = after - ONE_DAY
    if end not in (day_start(after), day_start(last_day)) and end.date() != last_day:
        return []
    months = [start.date()]
    while first_of_next_month(months[-1]) < after:
        months.append(first_of_next_month(months[-1]))
    return months if months[0] < after else []
