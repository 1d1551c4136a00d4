"""How values and names are written for people: exact, in columns that line up, harmless.

What belongs here: text of values, columns and places. What doesn't: Streamlit, markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from orchestration.reading.output import exact_text
from orchestration.safe_text import printable

NOTHING = "–"
_PLACES_IN_LINE = 8
_MIXED = {"before", "after", "difference"}  # money, shares and counts below each other
_UNITS = {"_usd": " (USD)", "_pct": " (%)"}
_STATES = {
    "covered": "Covered: every customer could be handed back what is owed, in kind.",
    "short": "Short: what is owed can't be handed back in kind.",
    "incomplete": "Incomplete: not everything has a price.",
}


def column_label(name: str) -> str:
    """A column's name as a heading: ``gap_usd_before`` is *Gap (USD) before*."""
    words = name
    for suffix, unit in _UNITS.items():
        words = words.replace(f"{suffix}_", f"{unit} ") if f"{suffix}_" in words else words
        words = words.removesuffix(suffix) + unit if words.endswith(suffix) else words
    words = words.replace("_", " ")
    return words[:1].upper() + words[1:]


def state_sentence(status: str) -> str:
    """What a day's status means."""
    return _STATES.get(status, status)


def places_needed(values: Iterable[Any]) -> int:
    """Decimal places that no value of a column loses a digit by."""
    texts = (exact_text(value).partition(".")[2].rstrip("0") for value in values if isinstance(value, Decimal))
    return max(map(len, texts), default=0)


def amount(value: Decimal, places: int | None = None) -> str:
    """An exact amount with separators of thousands; with more places than it needs, zeros are added, never taken."""
    needed = places_needed([value])
    return f"{value:,.{max(needed, places or 0)}f}"


def written(value: Any, places: int | None = None) -> str:
    """Any value on one line; a dash for nothing."""
    match value:
        case None:
            text = NOTHING
        case bool():
            text = "yes" if value else "no"
        case Decimal():
            text = amount(value, places)
        case int():
            text = f"{value:,}"
        case datetime():
            text = value.isoformat(sep=" ", timespec="microseconds" if value.microsecond else "seconds")
        case list() | dict():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case _:
            text = str(value)
    return printable(text).replace("\n", "\\n").replace("\t", " ")


def is_numeric(values: Iterable[Any]) -> bool:
    """Whether a column holds numbers: it is then set to the right."""
    return any(isinstance(value, (Decimal, int)) and not isinstance(value, bool) for value in values)


def written_column(name: str, values: Sequence[Any]) -> list[str]:
    """A column's values, amounts in line up to eight places, and whole where one has more.

    A row's number in its file isn't an amount.
    """
    places = min(max(places_needed(values), 2 if "_usd" in name else 0), _PLACES_IN_LINE)
    if name == "source_row":
        return [str(value) for value in values]
    if name in _MIXED:
        places = 0
    return [written(value, places) for value in values]


def rows_line(shown: int, in_all: int) -> str:
    """How much of an answer is on the page."""
    if shown < in_all:
        return f"first {shown:,} of {in_all:,} rows"
    return "1 row" if in_all == 1 else f"{in_all:,} rows"


def place_in_file(file: str, row: int) -> str:
    """Where a landing row stands; a CSV's lines count from its heading, and no value before holds a line break."""
    name = file.removesuffix(".gz")
    if name.endswith(".csv"):
        return f"row {row}, line {row + 1}"
    return f"row {row}, line {row}" if name.endswith(".jsonl") else f"row {row}"
