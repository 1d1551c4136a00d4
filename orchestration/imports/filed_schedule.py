"""The layout of claims schedules as filed: one row per customer, ``code, "BTC[0.1], USD[-5.2], NFT (123)[1]"``.

What belongs here: telling headings, page furniture, customers' rows and torn continuations apart. What doesn't: the
grammar of the list (claim_items), the landing zone.

Such files come out of a PDF: the heading stands again on every page, and a list too long for its page goes on behind
the break, in a row with an empty code cell, in a quoted cell that spans lines, or split within an item. A line is
joined to the customer before it only on evidence of a tear: an open item or quote, a trailing comma, an empty code
cell. Anything else that has no code is refused, since crediting it to a neighbour would move a claim.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestration.imports.amounts import AmountError, parse_amount
from orchestration.imports.claim_items import (
    ClaimItem,
    all_items,
    asset_name,
    complete_items,
    is_one_item,
    is_torn_amount,
    starts_with_item,
)
from orchestration.imports.schedule_lines import ScheduleReading
from orchestration.imports.text_lines import TextLine

_AMOUNT_IN_BRACKETS = re.compile(r"\[\s*[-+.\d]")
_HEADING = re.compile(r"(?:customer code|account ref|token fiat nft|balance nft id)\b.*")
_FURNITURE = re.compile(
    r"page \d+(?: ?(?:of|/) ?\d+)?|\d+ (?:of|/) \d+|- ?\d+ ?-|case (?:no|number)\b.*|debtors?(?: name)?:.*|in re:? .*",
    re.IGNORECASE,
)
_ROW = re.compile(r'\s*(?P<quote>"?)(?P<code>[^\[\](),"]*)(?P=quote)\s*,(?P<list>.*)', re.DOTALL)
_EMPTY_CODE = re.compile(r'\s*(?:"\s*")?\s*,(?P<list>.*)', re.DOTALL)
_QUOTED = re.compile(r'\s*"(?P<text>.*)', re.DOTALL)
_NEW_CELL = re.compile(r'\s*(?:,\s*"(?=[^"])|"(?=[^",]))(?P<text>.*[^\s,].*)', re.DOTALL)
_CLOSING_QUOTE = re.compile(r'(?P<text>.*?)(?P<quotes>"+)\s*(?:,(?P<rest>[^"\[\]]*))?', re.DOTALL)
_LIST_START = re.compile(r"[^\[\](),]*[A-Za-z\d][^\[\](),]*(?:[\[(].*)?", re.DOTALL)
_REST_OF_GROUPED_AMOUNT = re.compile(r"\s*\d{0,3}(?:,\d{0,3})+(?:\.\d*)?\s*(?:\].*)?", re.DOTALL)
_LONGEST_CODE = 64
_SHORTEST_TELLING_LENGTH = 6


def read_filed_schedule(file: str, lines: list[TextLine], *, round_to_contract: bool = False) -> ScheduleReading:
    """Read a schedule in the layout as filed; every line that can't be read is in the reading's rejects.

    Amounts are exact. An amount with more than 18 significant places is refused unless ``round_to_contract``.
    """
    reader = _FiledReader(ScheduleReading(file, "filed", len(lines)), round_to_contract)
    first_text = next((line.text.strip() for line in lines if line.text.strip()), "")
    reader.first_heading = first_text if not re.search(r"\d", first_text) else None
    for line in lines:
        reader.take(line)
    reader.finish_customer()
    return reader.reading


@dataclass(slots=True)
class _Customer:
    """A customer's row while its list may still go on: the text not yet cut into items, and whence it came."""

    code: str
    line: int
    text: str = ""
    line_starts: list[tuple[int, int]] = field(default_factory=list)
    in_quote: bool = False
    has_items: bool = False

    @property
    def is_item_open(self) -> bool:
        """Whether the text ends within an item."""
        rest = self.text.strip(" ,")
        return bool(rest) and not is_one_item(rest)

    @property
    def expects_more(self) -> bool:
        """Whether the row itself shows that its list goes on."""
        return self.in_quote or self.is_item_open or self.text.rstrip().endswith(",")

    def append(self, line: int, text: str) -> None:
        """Join a further stretch of the list, as it stands but for blanks within a torn amount."""
        if is_torn_amount(self.text):
            self.text, text = self.text.rstrip(), text.lstrip()
        elif self.text.strip() and not self.is_item_open and not self.text.rstrip().endswith(","):
            self.text += ","
        self.line_starts.append((len(self.text), line))
        self.text += text

    def lines_of(self, item: ClaimItem) -> list[int]:
        """Lines on which the item stands."""
        starts = [start for start, _ in self.line_starts]
        first, last = bisect_right(starts, item.start) - 1, bisect_right(starts, item.end - 1) - 1
        return sorted({line for _, line in self.line_starts[max(first, 0) : last + 1]})

    def is_name_torn(self, item: ClaimItem) -> bool:
        """Whether a line ended within the item's name."""
        return any(item.start < start < item.name_end for start, _ in self.line_starts)

    def drop(self, length: int) -> None:
        """Forget the text that has been cut into items."""
        self.text = self.text[length:]
        kept = [(start - length, line) for start, line in self.line_starts]
        first = max((index for index, (start, _) in enumerate(kept) if start <= 0), default=0)
        self.line_starts = [(max(start, 0), line) for start, line in kept[first:]]


@dataclass(slots=True)
class _FiledReader:
    """Takes a schedule's lines in order and puts balances and rejects into its reading."""

    reading: ScheduleReading
    round_to_contract: bool
    first_heading: str | None = None
    customer: _Customer | None = None
    code_shapes: set[str] = field(default_factory=set)

    def take(self, line: TextLine) -> None:
        """Read one line."""
        if not line.text.strip(' ,"\t\f') and not self._closes_quote(line.text):
            self.reading.blank_lines += 1
        elif not line.is_readable:
            self._refuse_line(line, "the line is not UTF-8 text")
        elif self._is_heading(line.text):
            self.reading.heading_lines += 1
        elif self._is_furniture(line.text):
            self.reading.furniture_lines += 1
        elif (row := self._row(line.text)) is not None:
            self._begin_row(line.number, *row)
        else:
            self._continue(line)

    def finish_customer(self) -> None:
        """Cut what is left of the current customer's list and close the row."""
        customer, self.customer = self.customer, None
        if customer is None:
            return
        for item in all_items(customer.text):
            self._add(customer, item)
        if not customer.has_items:
            self.reading.reject([customer.line], customer.code, "no balance is listed for this customer")

    def _begin_row(self, line: int, code: str, list_text: str) -> None:
        """Begin a customer's row, or go on with the row before it if that has the same code and is torn."""
        if self.customer is not None and self.customer.code == code and self.customer.is_item_open:
            self.customer.in_quote = False
        else:
            self.finish_customer()
            self.code_shapes.update(_code_shapes(code))
            self.customer = _Customer(code, line)
        self._append(line, list_text, starts_cell=True)

    def _row(self, text: str) -> tuple[str, str] | None:
        """Code and list if the line begins a customer's row."""
        match = _ROW.fullmatch(text)
        code = "" if match is None else match["code"].strip()
        if match is None or not code or len(code) > _LONGEST_CODE:
            return None
        rest = match["list"]
        is_quoted = _QUOTED.match(rest) is not None
        is_known_shape = not self.code_shapes.isdisjoint(_code_shapes(code))
        if self.customer is not None and (self.customer.in_quote or self.customer.is_item_open):
            if is_torn_amount(self.customer.text) and _REST_OF_GROUPED_AMOUNT.fullmatch(text) is not None:
                return None
            is_list = not rest.strip() or _LIST_START.fullmatch(rest.strip()) is not None or starts_with_item(rest)
            return (code, rest) if is_quoted or (is_known_shape and is_list) else None
        is_row = is_quoted or not rest.strip() or "[" in rest or "(" in rest or is_known_shape
        return (code, rest) if is_row else None

    def _continue(self, line: TextLine) -> None:
        """Join the line to the current customer's list if there is evidence of a tear; refuse it otherwise."""
        customer = self.customer
        if customer is None:
            self._refuse_line(line, "the line has no customer code and none stands before it")
            return
        if customer.in_quote:
            new_cell = _NEW_CELL.fullmatch(line.text)
            if new_cell is None:
                self._append(line.number, line.text, starts_cell=False)
            else:
                customer.in_quote = False
                self._append(line.number, '"' + new_cell["text"], starts_cell=True)
            return
        empty_code = _EMPTY_CODE.fullmatch(line.text)
        if empty_code is not None:
            self._append(line.number, empty_code["list"], starts_cell=True)
        elif customer.expects_more:
            self._append(line.number, line.text, starts_cell=True)
        else:
            self._refuse_line(line, "the line has no customer code and the row before it is complete")

    def _append(self, line: int, text: str, *, starts_cell: bool) -> None:
        """Add a stretch of the current customer's list, without its cell's quotes, and cut what is complete."""
        customer = self.customer
        assert customer is not None, "a stretch of a list needs a customer"
        quoted = _QUOTED.fullmatch(text) if starts_cell else None
        if quoted is not None:
            customer.in_quote, text = True, quoted["text"]
        trailing = ""
        if customer.in_quote:
            closing = _CLOSING_QUOTE.fullmatch(text)
            if closing is not None and len(closing["quotes"]) % 2 == 1:
                text = closing["text"] + closing["quotes"][1:]
                trailing = (closing["rest"] or "").strip(" ,")
                customer.in_quote = False
            text = text.replace('""', '"')
        customer.append(line, text)
        if trailing:
            self.reading.reject([line], trailing, "there is text behind the list")
        end = 0
        for item in complete_items(customer.text):
            self._add(customer, item)
            end = item.end
        customer.drop(end)

    def _add(self, customer: _Customer, item: ClaimItem) -> None:
        """Add the item to the customer's balances, or refuse it."""
        customer.has_items = True
        if item.name is None:
            self._refuse_item(customer, item, "the text is not ASSET[amount]")
        elif "(" not in item.name and " " in item.name.strip() and customer.is_name_torn(item):
            self._refuse_item(customer, item, "the asset's name is torn between lines")
        else:
            try:
                amount = parse_amount(item.amount, round_to_contract=self.round_to_contract)
            except AmountError as error:
                self._refuse_item(customer, item, str(error))
            else:
                self.reading.add(customer.code, asset_name(item.name), amount)

    def _refuse_item(self, customer: _Customer, item: ClaimItem, reason: str) -> None:
        """Refuse a stretch of the customer's list."""
        text = customer.text[item.start : item.end]
        self.reading.reject(customer.lines_of(item), f"{customer.code}: {text}", reason)

    def _refuse_line(self, line: TextLine, reason: str) -> None:
        """Refuse a whole line; what follows it can't be told to be the same customer's."""
        self.finish_customer()
        self.reading.reject([line.number], line.text, reason)

    def _closes_quote(self, text: str) -> bool:
        return self.customer is not None and self.customer.in_quote and '"' in text

    def _is_heading(self, text: str) -> bool:
        if self.first_heading is not None and text.strip() == self.first_heading:
            return True
        if _AMOUNT_IN_BRACKETS.search(text) is not None:
            return False
        words = " ".join(re.sub(r"[^a-z]+", " ", text.lower()).split())
        return _HEADING.match(words) is not None

    @staticmethod
    def _is_furniture(text: str) -> bool:
        if "[" in text or "]" in text:
            return False
        words = " ".join(text.strip(' ,"\t\f').split())
        return _FURNITURE.fullmatch(words) is not None


def looks_filed(lines: Iterable[TextLine]) -> bool:
    """Whether any of the lines holds a customer's row of this layout."""
    return any(_AMOUNT_IN_BRACKETS.search(line.text) for line in lines)


def _code_shapes(code: str) -> tuple[str, ...]:
    """What codes of one schedule have in common: the runs of letters and digits, or the length.

    A code without a digit has only itself for a shape, since any word of a torn name would share another.
    """
    if not re.search(r"\d", code):
        return (f"={code}",)
    runs = re.sub(r"[A-Za-z]+", "A", re.sub(r"\d+", "9", code))
    return (runs, f"length {len(code)}") if len(code) >= _SHORTEST_TELLING_LENGTH else (runs,)
