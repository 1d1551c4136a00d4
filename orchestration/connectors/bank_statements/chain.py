"""An account's statements in their order: each opens with what the one before closed with, and none comes twice.

What belongs here: continuity, which statements are news, the moments that balances and entries are given, days on which
a bank doesn't book. What doesn't: a statement's own arithmetic (``statements``), the contract's tables (``records``).

A bank says days and no times. A closing balance is of the last second of the statement's day (UTC); of several
statements of a day each is a microsecond later than the one before. An entry moved at noon of the day that the bank
booked it, unless an earlier closing balance covers that moment without it: then at noon of the statement's day, or at
its close. So entries always lie after the balance that they aren't in, up to the one that they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal

from orchestration.connectors.bank_statements.statements import Entry, Statement
from orchestration.connectors.base import Json
from orchestration.connectors.errors import AnswerError, IncompleteError
from orchestration.imports.amounts import plain_text

REMEMBERED_DAYS = 400
"""A statement that comes again, in another file say, is known for so long; older ones are refused."""

_NOON, _LAST_SECOND = time(12), time(23, 59, 59)


@dataclass
class Chain:
    """One account's statements in one currency, up to the last one.

    ``closing`` is its closing balance and ``day`` its day; ``as_of`` is the last moment that a balance was given for,
    later than ``day`` over days without bookings. ``known`` holds the fingerprints of statements by name.
    """

    account: str
    currency: str
    closing: Decimal | None = None
    day: date | None = None
    as_of: datetime | None = None
    known: dict[str, str] = field(default_factory=dict)

    def knows(self, statement: Statement) -> bool:
        """Whether this statement came before; raise AnswerError if another one of its name did."""
        before = self.known.get(statement.name)
        if before is not None and before != statement.fingerprint:
            raise AnswerError(
                f"{statement.place} closes on {statement.closes_on} and came before with other content",
                "find out from the bank which one is right; a statement that was delivered can't be changed",
            )
        return before is not None

    def take(self, statement: Statement) -> datetime:
        """Go on with the next statement; return the moment that its closing balance is of.

        Raises IncompleteError if its opening balance isn't the last closing one: a statement between them is missing.
        """
        if self.day is not None and self.closing is not None:
            self._require_next(statement, self.day, self.closing)
        same_day = sum(name.startswith(f"{statement.closes_on} ") for name in self.known)
        as_of = datetime.combine(statement.closes_on, _LAST_SECOND) + timedelta(microseconds=same_day)
        if self.as_of is not None and as_of <= self.as_of:
            raise AnswerError(
                f"{statement.place} closes on {statement.closes_on}, but up to {self.as_of.date()} the balance was"
                " taken to stand still because the bank doesn't book then",
                "take that day out of closed_days and pull from there into a new landing zone",
            )
        self.known[statement.name] = statement.fingerprint
        self.closing, self.day, self.as_of = statement.closing, statement.closes_on, as_of
        return as_of

    def _require_next(self, statement: Statement, day: date, closing: Decimal) -> None:
        if statement.closes_on < day:
            raise AnswerError(
                f"{statement.place} closes on {statement.closes_on}, but statements up to {day} are delivered already"
                " without it",
                f"take its file away if it is older than the first pull or came over {REMEMBERED_DAYS} days ago; else"
                " ask the bank",
            )
        if statement.opening != closing:
            raise IncompleteError(
                f"{statement.place} opens with {plain_text(statement.opening)} {self.currency}, but the statement of"
                f" {day} closed with {plain_text(closing)}: a statement of {self.account} between {day} and"
                f" {statement.closes_on} is missing, or one was changed",
                "deliver the missing statement, then pull again",
            )

    def stands_still(self, today: date, closed_days: ClosedDays) -> bool:
        """Whether the last closing balance is today's because the bank doesn't book on any day since."""
        if self.day is None:
            return False
        since = (self.day + timedelta(days=number) for number in range(1, (today - self.day).days + 1))
        return self.day < today and all(day in closed_days for day in since)

    def stand_still(self, today: date) -> datetime:
        """Give the last closing balance for today too; return the moment it is then of."""
        self.as_of = datetime.combine(today, _LAST_SECOND)
        return self.as_of

    def as_json(self, today: date) -> Json:
        """The chain as a position keeps it."""
        oldest = (today - timedelta(days=REMEMBERED_DAYS)).isoformat()
        return {
            "closing": None if self.closing is None else plain_text(self.closing),
            "day": self.day.isoformat() if self.day else None,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "known": {name: print_ for name, print_ in sorted(self.known.items()) if name >= oldest},
        }

    @classmethod
    def from_json(cls, key: str, stored: Json) -> Chain:
        """The chain as it was kept under its key."""
        account, currency = key.split(" ")
        return cls(
            account,
            currency,
            Decimal(stored["closing"]) if stored["closing"] is not None else None,
            date.fromisoformat(stored["day"]) if stored["day"] else None,
            datetime.fromisoformat(stored["as_of"]) if stored["as_of"] else None,
            dict(stored["known"]),
        )

    @property
    def key(self) -> str:
        """What the chain is kept under."""
        return f"{self.account} {self.currency}"


def moved_at(entry: Entry, statement: Statement, previous: datetime | None, as_of: datetime) -> datetime:
    """The moment an entry is given: after ``previous``, a balance without it, and up to ``as_of``, one with it."""
    candidates = (datetime.combine(entry.booked_on, _NOON), datetime.combine(statement.closes_on, _NOON))
    return next((moment for moment in candidates if previous is None or moment > previous), as_of)


class ClosedDays:
    """Days on which a bank doesn't book: days of the week by name, and dates."""

    _WEEK = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

    def __init__(self, listed: tuple[str, ...]) -> None:
        """Raises ValueError for what is neither a day of the week nor a date."""
        self._weekdays, self._dates = set(), set()
        for text in listed:
            if text.lower() in self._WEEK:
                self._weekdays.add(self._WEEK.index(text.lower()))
            else:
                self._dates.add(_date(text))
        if len(self._weekdays) == len(self._WEEK):
            raise ValueError("a bank books on some day of the week")

    def __contains__(self, day: date) -> bool:
        return day.weekday() in self._weekdays or day in self._dates


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is neither a day of the week in English nor a date as 2026-12-25") from error
