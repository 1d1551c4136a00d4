"""Writing the solvency report: one HTML file that needs no script and sends no request."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.errors import ConfigurationError
from orchestration.reading.output import exact_text, short_text
from orchestration.reading.published import published_connection
from orchestration.report.chart import Series, line_chart
from orchestration.report.content import ReportContent, read_content, verdict_sentence
from orchestration.settings import WarehousePaths

_TEMPLATE = Path(__file__).with_name("solvency.html.j2")


def grouped_text(value: Any) -> str:
    """A number with thousands separators and all its digits; a dash for what is unknown."""
    if value is None:
        return "–"
    if isinstance(value, Decimal):
        whole, _, fraction = exact_text(value).partition(".")
        sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
        fraction = fraction.rstrip("0")
        return f"{sign}{int(digits):,}" + (f".{fraction}" if fraction else "")
    return f"{value:,}" if isinstance(value, int) else str(value)


def percent_text(value: Decimal | None) -> str:
    """A ratio as a percentage, cut to two places; a dash for what is unknown."""
    return "–" if value is None else f"{value * 100:,.2f} %"


def _first_day_short(content: ReportContent) -> date | None:
    """First day of the unbroken run of days with a shortfall that ends on the report's day."""
    first: date | None = None
    for row in reversed(content.history):
        if not row["in_kind_shortfall_usd"]:
            break
        first = row["as_of_date"]
    return first


def _chart(content: ReportContent) -> str:
    days = [row["as_of_date"] for row in content.history]
    series = (
        Series("liabilities", "owed to customers", [row["customer_liabilities_usd"] for row in content.history]),
        Series("reserves", "eligible reserves", [row["eligible_reserves_usd"] for row in content.history]),
    )
    title = "Owed to customers and eligible reserves, USD by day"
    return line_chart(days, series, marked=_first_day_short(content), title=title)


def render(content: ReportContent) -> str:
    """The page as HTML text; everything that comes from data is escaped."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(amount=grouped_text, percent=percent_text, plain=short_text)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(
        content=content,
        verdict=verdict_sentence(content),
        is_failed=content.solvency["status"] != "covered" or content.critical_findings > 0,
        chart=Markup(_chart(content)),  # noqa: S704 (built from numbers and dates only)
        short_since=_first_day_short(content),
    )


def write_report(paths: WarehousePaths, day: date, out: Path) -> None:
    """Write the report of a published day to ``out``. Raises ConfigurationError if there is no such day or place."""
    with published_connection(paths) as connection:
        page = render(read_content(connection, day))
    try:
        out.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{out} can't be written: {error.strerror}; choose another place with --out"
        ) from error
