"""Results as text tables for people's eyes: exact amounts, aligned at their point, no number or name cut in two.

What belongs here: how wide columns are, and what to do when they don't fit. What doesn't: other formats (``output``).

Columns that fit stand side by side. If they don't, headers break at their underscores and prose between its words. If
that isn't enough either, each row is shown as a record, one line a column.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TextIO

from orchestration.reading.published import Rows
from orchestration.safe_text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPED_WIDTH = 200
_LEAST_WIDTH = 40
_GAP = 2
_LONGEST_WORD = 40
"""Longer words, such as evidence queries without a blank, may be cut."""


def exact_text(value: Decimal) -> str:
    """A decimal with all its digits, never in scientific notation."""
    return format(value, "f")


def short_text(value: Any) -> str:
    """A value for people's eyes: exact, without trailing zeros; nothing for null."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        text = exact_text(value)
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(value)


def is_number(value: Any) -> bool:
    """Whether a value is one that people compare by its digits."""
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)


def write_table(rows: Rows, stream: TextIO, *, null: str = "", width: int | None = None) -> None:
    """Print rows as a table of the terminal's width (of a fixed one elsewhere), or as records if that is too narrow."""
    from rich.console import Console

    console = Console(file=stream, width=width or (None if stream.isatty() else _PIPED_WIDTH))
    console.width = max(console.width, _LEAST_WIDTH)
    columns = [_Column(name, [values[n] for values in rows.values], null) for n, name in enumerate(rows.columns)]
    widths = _fitted(columns, console.width)
    if widths is None:
        _print_records(columns, len(rows.values), console)
    else:
        _print_columns(columns, widths, console)


class _Column:
    """A column as text, and how narrow and wide it may be."""

    def __init__(self, name: str, values: Sequence[Any], null: str) -> None:
        from rich.cells import cell_len

        self.name = printable(name)
        self.nulls = [value is None for value in values]
        self.is_number = any(map(is_number, values))
        self.plain = [null if value is None else printable(short_text(value)) for value in values]
        self.aligned = _aligned(values, self.plain)
        self.widest = max([cell_len(self.name), *map(_widest_line, self.aligned)])
        parts = [cell_len(part) for part in _name_parts(self.name)]
        self.narrowest = min(max([*parts, *self._least()], default=0), self.widest)

    def _least(self) -> list[int]:
        if self.is_number:
            return list(map(_widest_line, self.aligned))
        words = [_words(text) for text in self.aligned]
        return [min(length, _LONGEST_WORD) for lengths in words for length in lengths]

    def header(self, width: int) -> str:
        """The name, broken at underscores if it is wider."""
        lines = [""]
        for part in _name_parts(self.name):
            if lines[-1] and len(lines[-1]) + len(part) > width:
                lines.append("")
            lines[-1] += part
        return "\n".join(lines)

    def cell(self, row: int, width: int | None) -> Text:
        """A value, of a number in its place in a column of that width; what stands for null is dim."""
        from rich.text import Text

        is_placed = width is not None and self.is_number
        # Blanks at the end, which hold points below each other, are lost if it is set to the right there.
        text = self.aligned[row].rjust(width or 0) if is_placed else self.plain[row]
        return Text(text, style="dim" if self.nulls[row] else "", justify="left" if is_placed else None)


def _aligned(values: Sequence[Any], texts: Sequence[str]) -> list[str]:
    """Texts of decimals end in blanks, so that their points stand below each other when they are set to the right."""
    if not any(isinstance(value, Decimal) for value in values):
        return list(texts)
    after = [len(text) - text.index(".") if "." in text else 0 for text in texts]
    most = max(length for length, value in zip(after, values, strict=True) if value is not None)
    return [
        text if value is None else text + " " * (most - length)
        for text, length, value in zip(texts, after, values, strict=True)
    ]


def _widest_line(text: str) -> int:
    from rich.cells import cell_len

    return max((cell_len(line) for line in text.split("\n")), default=0)


def _words(text: str) -> list[int]:
    from rich.cells import cell_len

    return [cell_len(word) for word in text.split()]


def _name_parts(name: str) -> list[str]:
    parts = name.split("_")
    return [*(f"{part}_" for part in parts[:-1]), parts[-1]]


def _fitted(columns: Sequence[_Column], width: int) -> list[int] | None:
    """Widths at which all columns stand side by side, the narrow ones whole; None if there are none."""
    room = width - _GAP * (len(columns) - 1)
    widths = [column.narrowest for column in columns]
    spare = room - sum(widths)
    if spare < 0:
        return None
    waiting = sorted(range(len(columns)), key=lambda n: columns[n].widest - columns[n].narrowest)
    for place, n in enumerate(waiting):
        more = min(columns[n].widest - columns[n].narrowest, spare // (len(waiting) - place))
        widths[n] += more
        spare -= more
    return widths


def _print_columns(columns: Sequence[_Column], widths: Sequence[int], console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_edge=False)
    for column, width in zip(columns, widths, strict=True):
        side: Literal["left", "right"] = "right" if column.is_number else "left"
        table.add_column(
            Text(column.header(width)), justify=side, width=width, overflow="fold", vertical="top", no_wrap=False
        )
    for row in range(len(columns[0].plain) if columns else 0):
        table.add_row(*(column.cell(row, width) for column, width in zip(columns, widths, strict=True)))
    _print(console, table)


def _print(console: Console, table: Table) -> None:
    """Print without the blanks that fill lines up: they wrap in a narrow terminal and clutter a file."""
    with console.capture() as captured:
        console.print(table)
    console.file.writelines(line.rstrip() + "\n" for line in captured.get().splitlines())


def _print_records(columns: Sequence[_Column], rows: int, console: Console) -> None:
    from rich.table import Table
    from rich.text import Text

    names = max(len(column.name) for column in columns)
    values = max(console.width - names - _GAP, 1)
    for row in range(rows):
        console.print(Text(f"row {row + 1}", style="bold"))
        record = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=False)
        record.add_column(width=min(names, console.width // 2), overflow="fold")
        record.add_column(width=values, overflow="fold")
        for column in columns:
            record.add_row(Text(column.name), column.cell(row, None))
        _print(console, record)
