"""A bank's statement as every format says it, and the arithmetic that it has to satisfy before anything of it counts.

What belongs here: pages, statements, joining pages, opening + entries = closing. What doesn't: formats (``camt053``,
``mt940``), continuity between statements (``chain``), the contract's tables (``records``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.imports.amounts import EXACT, plain_text

ACCOUNT_SERVICER_REFERENCE = "account_servicer_reference"
END_TO_END_ID = "end_to_end_id"
ENTRY_REFERENCE = "entry_reference"
REFERENCES = (ACCOUNT_SERVICER_REFERENCE, END_TO_END_ID, ENTRY_REFERENCE)
_NO_REFERENCE = frozenset({"", "NOTPROVIDED", "NONREF", "NOREF", "NOTAVAILABLE"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One booked movement. ``amount`` is signed: positive raises the balance, whatever was reversed by it.

    ``booked_on`` is the bank's date. ``references`` are by kind (``REFERENCES``), those it has. ``counterparty`` is the
    other side's account number, normalised. ``codes`` say what it was for, from the most to the least specific.
    """

    amount: Decimal
    booked_on: date
    references: tuple[tuple[str, str], ...] = ()
    counterparty: str | None = None
    codes: tuple[str, ...] = ()

    def reference(self, kind: str) -> str | None:
        """The reference of that kind, None if the bank gave none."""
        return dict(self.references).get(kind)


def references_of(given: Iterable[tuple[str, str | None]]) -> tuple[tuple[str, str], ...]:
    """References without those that say that there is none; white space in them is one blank."""
    found: dict[str, str] = {}
    for kind, text in given:
        cleaned = " ".join((text or "").split())
        if cleaned.upper() not in _NO_REFERENCE:
            found.setdefault(kind, cleaned)
    return tuple(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class Page:
    """A statement, or one page of it. Balances are signed: an overdraft is negative.

    ``begins`` and ``ends`` tell whether ``opening`` and ``closing`` are the statement's own rather than intermediate
    ones; an intermediate balance that the bank left out is None. ``number`` counts pages from 1, None if the bank
    doesn't. ``left_out`` counts entries that aren't booked.
    """

    place: str
    identifier: str
    account: str
    currency: str
    number: int | None
    begins: bool
    ends: bool
    opening: Decimal | None
    closing: Decimal | None
    closes_on: date
    made_at: datetime | None
    entries: tuple[Entry, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole statement of one account and currency, whose arithmetic is right. ``closes_on`` is its day."""

    place: str
    identifier: str
    account: str
    currency: str
    opening: Decimal
    closing: Decimal
    closes_on: date
    entries: tuple[Entry, ...]
    left_out: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """What tells it from the account's other statements; numbers begin anew every year or aren't kept at all."""
        return f"{self.closes_on} {self.identifier}"

    @property
    def fingerprint(self) -> str:
        """What two copies of one statement share, whatever file they come in, and two different ones don't."""
        entries = [(format(entry.amount.normalize(), "f"), entry.booked_on, entry.references) for entry in self.entries]
        content = (plain_text(self.opening), plain_text(self.closing), self.closes_on, entries)
        return hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def whole_statements(pages: Iterable[Page]) -> Iterator[Statement]:
    """Join the pages of one file, which follow one another, into statements.

    Raises IncompleteError if a page is missing, AnswerError if the arithmetic of one doesn't hold or two pages
    contradict each other.
    """
    open_pages: dict[tuple[str, str, str], list[Page]] = {}
    for page in pages:
        key = (page.account, page.currency, page.identifier)
        started = open_pages.setdefault(key, [])
        if page.begins and started:
            raise _unfinished(started[-1])
        if not page.begins:
            _require_next(started, page)
        started.append(page)
        if page.ends:
            yield _joined(open_pages.pop(key))
    for started in open_pages.values():
        raise _unfinished(started[-1])


_AGAIN = "get the whole statement from the bank"


def _unfinished(page: Page) -> IncompleteError:
    return IncompleteError(f"{page.place} isn't its statement's last page, and the next one is missing", _AGAIN)


def _require_next(started: list[Page], page: Page) -> None:
    if not started:
        raise IncompleteError(f"{page.place} isn't its statement's first page, and the one before is missing", _AGAIN)
    before = started[-1]
    if before.number is not None and page.number is not None and page.number != before.number + 1:
        raise IncompleteError(f"{page.place} follows page {before.number}; a page between them is missing", _AGAIN)
    if before.closing is not None and page.opening is not None and before.closing != page.opening:
        raise AnswerError(
            f"{page.place} opens with {plain_text(page.opening)} {page.currency} and the page before closes with"
            f" {plain_text(before.closing)}",
            "get the whole statement from the bank; a page may be missing",
        )


def _joined(pages: list[Page]) -> Statement:
    first, last = pages[0], pages[-1]
    if len(pages) > 1:
        for page in pages:
            if page.opening is not None and page.closing is not None:
                _require_balanced(page.place, page.currency, page.opening, page.entries, page.closing)
    entries = tuple(entry for page in pages for entry in page.entries)
    if first.opening is None or last.closing is None:
        missing = "opening" if first.opening is None else "closing"
        raise IncompleteError(f"{first.place} has no {missing} balance", _AGAIN)
    _require_balanced(first.place, first.currency, first.opening, entries, last.closing)
    _require_plausible_times(last, entries)
    return Statement(
        first.place,
        first.identifier,
        first.account,
        first.currency,
        first.opening,
        last.closing,
        last.closes_on,
        entries,
        sum(page.left_out for page in pages),
    )


def _require_balanced(place: str, currency: str, opening: Decimal, entries: Iterable[Entry], closing: Decimal) -> None:
    total = opening
    for entry in entries:
        total = EXACT.add(total, entry.amount)
    if total != closing:
        raise AnswerError(
            f"{place}: opening {plain_text(opening)} and its entries make {plain_text(total)} {currency}, but it closes"
            f" with {plain_text(closing)}: {plain_text(EXACT.subtract(closing, total))} can't be explained",
            "get the statement from the bank again; entries may be missing or changed",
        )


def _require_plausible_times(last: Page, entries: Iterable[Entry]) -> None:
    later = next((entry for entry in entries if entry.booked_on > last.closes_on), None)
    if later is not None:
        raise AnswerError(
            f"{last.place} closes on {last.closes_on} and has an entry that was booked on {later.booked_on}",
            "get the statement from the bank again",
        )
    if last.made_at is not None and last.made_at.date() < last.closes_on:
        raise AnswerError(
            f"{last.place} was made on {last.made_at.date()}, before {last.closes_on} which it closes",
            "get the final statement from the bank",
        )
