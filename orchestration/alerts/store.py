"""Where incidents and messages are kept: apart from the warehouse, so that a broken one still alerts.

What belongs here: reading and writing them, in one transaction a look. What doesn't: tables and locks (``database``),
rules (``incidents``), sending (``outbox``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestration.alerts.database import ABOUT, INCIDENT, MESSAGE, WATCH, Database
from orchestration.alerts.incidents import Category, Incident, Observation, Occasion, State, Step
from orchestration.checks import Severity
from orchestration.databases import reading_engine
from orchestration.errors import ConfigurationError

LONGEST_WAIT = timedelta(hours=1)
"""No message waits longer than that before it is tried again."""

_OBSERVATION = tuple(field.name for field in fields(Observation))


@dataclass(frozen=True, slots=True)
class Draft:
    """A message to be sent: to which route, about which incidents (by number), and what its channel reads (``body``).

    ``line``: messages of one line to one route arrive in order, one after the other has been taken.
    """

    route: str
    line: str
    occasion: Occasion
    body: str
    incidents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Message:
    """A draft in the outbox. ``key`` is the same however often it is sent, so that a receiver can drop repeats.

    ``sent_at`` is None until a receiver has taken it; ``due_at`` is when it is to be tried next.
    """

    number: int
    route: str
    line: str
    occasion: Occasion
    key: str
    body: str
    created_at: datetime
    due_at: datetime
    attempts: int = 0
    sent_at: datetime | None = None
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages that no receiver has taken: how many, how many of those were tried in vain, and since when."""

    messages: int
    tried: int
    oldest_at: datetime


Wording = Callable[[Sequence[Step], Mapping[int, Collection[str]]], Iterable[Draft]]
"""What there is to say about the steps of a look, whose incidents have their numbers, and which routes have had a
message about each incident so far."""


class Store:
    """Incidents and messages of one environment in a database."""

    def __init__(self, url: str, environment: str = "") -> None:
        """Open the database and create what it lacks; raise ConfigurationError if that can't be done."""
        self._database = Database(url, environment)

    @classmethod
    def for_reading(cls, address: str | Path) -> Store:
        """The store at an address or in a file, as it is: nothing is created, and nothing can be changed.

        Reading raises StoreError if it isn't there or can't be reached.
        """
        store = cls.__new__(cls)
        store._database = Database.for_reading(reading_engine(address))
        return store

    @classmethod
    def in_file(cls, path: Path, environment: str = "") -> Store:
        """The store in an SQLite file that only this user can read."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        return cls(f"sqlite:///{path}", environment)

    def close(self) -> None:
        """Let go of the database."""
        self._database.engine.dispose()

    def sending(self, sleep: Callable[[float], None]) -> AbstractContextManager[bool]:
        """Whether this process may send, once no other one does: see ``Database.sending``."""
        return self._database.sending(sleep)

    def apply(
        self, look: Callable[[Sequence[Incident]], Iterable[Step]], wording: Wording, at: datetime
    ) -> list[Incident]:
        """Let ``look`` make of what stands what it sees, and keep the result and its messages together.

        What stands: incidents that aren't resolved, and those that are but shall stay silent if they come back.
        """
        with self._database.writing() as connection:
            heard = _heard(connection)
            kept = _keep(connection, [*look(_standing(connection, at))])
            for draft in wording(kept, heard):
                _add_message(connection, draft, at)
        return [step.incident for step in kept]

    def incidents(self, *, include_resolved: bool = False) -> list[Incident]:
        """The incidents that aren't resolved, the latest opened first; with those that are, if wanted."""
        query = sa.select(INCIDENT).order_by(INCIDENT.c.number.desc())
        if not include_resolved:
            query = query.where(INCIDENT.c.state != State.RESOLVED.value)
        with self._database.reading() as connection:
            return [_incident_of(row) for row in connection.execute(query).mappings()]

    def incident(self, number: int) -> Incident:
        """One incident; raise ConfigurationError if there is none of that number."""
        with self._database.reading() as connection:
            return _find(connection, number)

    def add_message(self, draft: Draft, at: datetime) -> None:
        """Put a message into the outbox, besides those of a look."""
        with self._database.writing() as connection:
            _add_message(connection, draft, at)

    def waiting_messages(self) -> list[Message]:
        """Messages that no receiver has taken yet, in the order in which they were written."""
        query = sa.select(MESSAGE).where(MESSAGE.c.sent_at.is_(None)).order_by(MESSAGE.c.number)
        with self._database.reading() as connection:
            return [_message_of(row) for row in connection.execute(query).mappings()]

    def messages(self, incident_number: int | None = None) -> list[Message]:
        """All messages, or those about an incident, in the order in which they were written."""
        query = sa.select(MESSAGE).order_by(MESSAGE.c.number)
        if incident_number is not None:
            query = query.where(MESSAGE.c.number.in_(_numbers_about(incident_number)))
        with self._database.reading() as connection:
            return [_message_of(row) for row in connection.execute(query).mappings()]

    def incidents_of(self, message: Message) -> list[Incident]:
        """The incidents that a message is about, as they stand now."""
        numbers = sa.select(ABOUT.c.incident_number).where(ABOUT.c.message_number == message.number)
        query = sa.select(INCIDENT).where(INCIDENT.c.number.in_(numbers)).order_by(INCIDENT.c.number)
        with self._database.reading() as connection:
            return [_incident_of(row) for row in connection.execute(query).mappings()]

    def due_messages(self, at: datetime) -> list[Message]:
        """Messages that haven't been sent and are to be tried by now, in order.

        A message waits for those of its line before it, so that *resolved* never overtakes *opened*. One that seems to
        wait for longer than any does was put off by a clock that was ahead.
        """
        due, held = [], set()
        for message in self.waiting_messages():
            is_due = message.due_at <= at or message.due_at - at > LONGEST_WAIT
            if is_due and (message.route, message.line) not in held:
                due.append(message)
            held.add((message.route, message.line))
        return due

    def mark_sent(self, message: Message, at: datetime) -> None:
        """A receiver has taken the message."""
        self._update_message(message, sent_at=at, attempts=message.attempts + 1, last_error=None)

    def mark_failed(self, message: Message, error: str, due_at: datetime) -> None:
        """No receiver has taken it yet; it is tried again at ``due_at``."""
        self._update_message(message, due_at=due_at, attempts=message.attempts + 1, last_error=error)

    def send_again(self, incident_number: int, at: datetime) -> int:
        """Make an incident's messages due again, those that were sent too, under their old keys; return how many."""
        values = {"sent_at": None, "due_at": at, "last_error": None}
        with self._database.writing() as connection:
            result = connection.execute(
                sa.update(MESSAGE).where(MESSAGE.c.number.in_(_numbers_about(incident_number))).values(values)
            )
            return int(result.rowcount)

    def mark_looked(self, environment: str, at: datetime) -> None:
        """Somebody has looked at this environment, and sent what was due: the watcher's sign of life."""
        with self._database.writing() as connection:
            of_environment = WATCH.c.environment == environment
            changed = connection.execute(sa.update(WATCH).where(of_environment).values(looked_at=at))
            if not changed.rowcount:
                connection.execute(sa.insert(WATCH).values(environment=environment, looked_at=at))

    def looked_at(self, environment: str | None = None) -> datetime | None:
        """When somebody last looked at an environment, or at any; None if never."""
        query = sa.select(sa.func.max(WATCH.c.looked_at))
        if environment is not None:
            query = query.where(WATCH.c.environment == environment)
        with self._database.reading() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
            return found

    def standing_counts(self, environment: str | None = None) -> dict[tuple[State, Severity, Category], int]:
        """How many incidents aren't resolved, in one environment or in all."""
        kinds = (INCIDENT.c.state, INCIDENT.c.severity, INCIDENT.c.category)
        query = _unresolved(sa.select(*kinds, sa.func.count()), environment).group_by(*kinds)
        with self._database.reading() as connection:
            rows: Iterable[Any] = connection.execute(query)
            return {(State(row[0]), Severity(row[1]), Category(row[2])): row[3] for row in rows}

    def silenced_count(self, at: datetime, environment: str | None = None) -> int:
        """How many of those that aren't resolved are silenced at that moment."""
        query = _unresolved(sa.select(sa.func.count()).where(INCIDENT.c.silenced_until > at), environment)
        with self._database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def waiting(self) -> dict[str, Waiting]:
        """What waits in the outbox, by route."""
        tried = sa.func.count(sa.case((MESSAGE.c.attempts > 0, 1)))
        columns = (MESSAGE.c.route, sa.func.count(), tried, sa.func.min(MESSAGE.c.created_at))
        query = sa.select(*columns).where(MESSAGE.c.sent_at.is_(None)).group_by(MESSAGE.c.route)
        with self._database.reading() as connection:
            rows: Iterable[Any] = connection.execute(query)
            return {row[0]: Waiting(row[1], row[2], row[3]) for row in rows}

    def _update_message(self, message: Message, **values: Any) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.update(MESSAGE).where(MESSAGE.c.number == message.number).values(values))


def _standing(connection: sa.Connection, at: datetime) -> list[Incident]:
    stands = (INCIDENT.c.state != State.RESOLVED.value) | (INCIDENT.c.silenced_until > at)
    query = sa.select(INCIDENT).where(stands).order_by(INCIDENT.c.number)
    return [_incident_of(row) for row in connection.execute(query).mappings()]


def _unresolved(query: sa.Select[Any], environment: str | None) -> sa.Select[Any]:
    query = query.where(INCIDENT.c.state != State.RESOLVED.value)
    return query if environment is None else query.where(INCIDENT.c.environment == environment)


def _heard(connection: sa.Connection) -> dict[int, set[str]]:
    """The routes that have had a message, or will, about each incident that isn't resolved."""
    query = (
        sa.select(ABOUT.c.incident_number, MESSAGE.c.route)
        .join(MESSAGE, MESSAGE.c.number == ABOUT.c.message_number)
        .join(INCIDENT, INCIDENT.c.number == ABOUT.c.incident_number)
        .where(INCIDENT.c.state != State.RESOLVED.value)
        .distinct()
    )
    heard: dict[int, set[str]] = {}
    for row in connection.execute(query):
        heard.setdefault(int(row.incident_number), set()).add(str(row.route))
    return heard


def _find(connection: sa.Connection, number: int) -> Incident:
    row = connection.execute(sa.select(INCIDENT).where(INCIDENT.c.number == number)).mappings().first()
    if row is None:
        raise ConfigurationError(f"there is no incident {number}; 'ringfence alerts list' shows those there are")
    return _incident_of(row)


def _keep(connection: sa.Connection, taken: Sequence[Step]) -> list[Step]:
    """Write what became of incidents, and give new ones their numbers: two statements, however many there are."""
    changed = [step.incident for step in taken if step.before is not None and step.incident != step.before]
    if changed:
        values: dict[str, Any] = {
            column.name: sa.bindparam(f"new_{column.name}") for column in INCIDENT.c if column.name != "number"
        }
        query = sa.update(INCIDENT).where(INCIDENT.c.number == sa.bindparam("known_number")).values(values)
        rows = [{f"new_{name}": value for name, value in _values_of(one).items()} for one in changed]
        connection.execute(query, [row | {"known_number": one.number} for row, one in zip(rows, changed, strict=True)])
    opened = [_values_of(step.incident) for step in taken if step.before is None]
    if not opened:
        return list(taken)
    returned = sa.insert(INCIDENT).returning(INCIDENT.c.number, sort_by_parameter_order=True)
    numbers: Iterator[int] = iter(connection.execute(returned, opened).scalars().all())
    return [
        replace(step, incident=replace(step.incident, number=next(numbers))) if step.before is None else step
        for step in taken
    ]


def _numbers_about(incident_number: int) -> sa.Select[tuple[int]]:
    return sa.select(ABOUT.c.message_number).where(ABOUT.c.incident_number == incident_number)


def _add_message(connection: sa.Connection, draft: Draft, at: datetime) -> None:
    of_line = (MESSAGE.c.route == draft.route) & (MESSAGE.c.line == draft.line)
    place = connection.execute(sa.select(sa.func.count()).where(of_line)).scalar_one()
    values = {
        "route": draft.route,
        "line": draft.line,
        "occasion": draft.occasion.value,
        "key": f"{draft.route}:{draft.line}:{place}",
        "body": draft.body,
        "created_at": at,
        "due_at": at,
        "attempts": 0,
    }
    number: int = connection.execute(sa.insert(MESSAGE).values(values).returning(MESSAGE.c.number)).scalar_one()
    about = [{"message_number": number, "incident_number": incident} for incident in dict.fromkeys(draft.incidents)]
    if about:
        connection.execute(sa.insert(ABOUT), about)


def _values_of(incident: Incident) -> dict[str, Any]:
    seen = incident.seen
    values = {name: _stored(getattr(seen, name)) for name in _OBSERVATION}
    values |= {
        field.name: _stored(getattr(incident, field.name))
        for field in fields(Incident)
        if field.name not in ("number", "seen")
    }
    return values | {"fingerprint": seen.fingerprint}


def _stored(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value, "f")
    return value.value if isinstance(value, (State, Category, Severity)) else value


def _incident_of(row: Any) -> Incident:
    observation = {name: row[name] for name in _OBSERVATION}
    observation["category"] = Category(row["category"])
    observation["severity"] = Severity(row["severity"])
    observation["impact_usd"] = _amount(row["impact_usd"])
    rest = {field.name: row[field.name] for field in fields(Incident) if field.name != "seen"}
    rest["state"] = State(row["state"])
    rest["told_impact_usd"] = _amount(row["told_impact_usd"])
    rest["told_severity"] = Severity(row["told_severity"]) if row["told_severity"] else None
    return Incident(seen=Observation(**observation), **rest)


def _amount(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _message_of(row: Any) -> Message:
    values = {field.name: row[field.name] for field in fields(Message)}
    return Message(**(values | {"occasion": Occasion(row["occasion"])}))
