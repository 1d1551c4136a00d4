"""Claims schedules as a table: a row per account and asset, with a header that names the three columns.

What belongs here: the columns' spellings and the reading of rows. What doesn't: the layout as filed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass

from orchestration.errors import ConfigurationError
from orchestration.imports.amounts import AmountError, parse_amount
from orchestration.imports.claim_items import asset_name
from orchestration.imports.schedule_lines import ScheduleReading
from orchestration.imports.text_lines import TextLine, find_columns, split_cells

COLUMN_SPELLINGS: dict[str, tuple[str, ...]] = {
    "account_ref": ("account_ref", "account_id", "account", "customer_code", "customer", "code"),
    "asset": ("asset", "token", "coin", "currency", "ticker"),
    "balance": ("balance", "quantity", "amount"),
}
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True, slots=True)
class TableHeader:
    """A header line: where it stands, its text, the delimiter, and where each known column is."""

    line: int
    text: str
    delimiter: str
    columns: dict[str, int]

    @property
    def missing(self) -> tuple[str, ...]:
        """Columns that the header lacks."""
        return tuple(column for column in COLUMN_SPELLINGS if column not in self.columns)


def find_header(lines: list[TextLine]) -> TableHeader | None:
    """The header of a table in the first line that isn't blank, or None if it names none of the columns."""
    first = next((line for line in lines if line.text.strip()), None)
    if first is None:
        return None
    candidates = []
    for delimiter in _DELIMITERS:
        try:
            columns = find_columns(split_cells(first.text, delimiter), COLUMN_SPELLINGS)
        except csv.Error:
            continue
        candidates.append(TableHeader(first.number, first.text.strip(), delimiter, columns))
    best = max(candidates, key=lambda header: len(header.columns), default=None)
    return best if best is not None and best.columns else None


def read_table_schedule(
    file: str, lines: list[TextLine], header: TableHeader, *, round_to_contract: bool = False
) -> ScheduleReading:
    """Read a schedule with a header; every line that can't be read is in the reading's rejects.

    Amounts are exact. An amount with more than 18 significant places is refused unless ``round_to_contract``.
    Raises ConfigurationError if the header lacks a column.
    """
    if header.missing:
        wanted = ", ".join(f"{column} (or {', '.join(COLUMN_SPELLINGS[column][1:])})" for column in header.missing)
        raise ConfigurationError(f"{file}, line {header.line}: the header has no column {wanted}; add it or rename one")
    reading = ScheduleReading(file, "table", len(lines))
    for line in lines:
        text = line.text.strip()
        if not text.strip(header.delimiter + " "):
            reading.blank_lines += 1
        elif text == header.text:
            reading.heading_lines += 1
        else:
            reason = _read_row(reading, line, header, round_to_contract)
            if reason:
                reading.reject([line.number], line.text, reason)
    return reading


def _read_row(reading: ScheduleReading, line: TextLine, header: TableHeader, round_to_contract: bool) -> str:
    """Add the row's balance to the reading; return why it can't be read, or an empty text."""
    if not line.is_readable:
        return "the line is not UTF-8 text"
    try:
        cells = split_cells(line.text, header.delimiter)
    except csv.Error as error:
        return f"the line is no row of a table: {error}"
    width = len(split_cells(header.text, header.delimiter))
    if len(cells) != width:
        return f"the row has {len(cells)} cells and the header {width}"
    account, asset, balance = (cells[header.columns[column]] for column in COLUMN_SPELLINGS)
    if not account or not asset:
        return f"the {'account' if not account else 'asset'} is missing"
    try:
        amount = parse_amount(balance, round_to_contract=round_to_contract)
    except AmountError as error:
        return str(error)
    reading.add(account, asset_name(asset), amount)
    return ""
