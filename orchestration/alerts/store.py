"""Where incidents and messages are kept: apart from the warehouse, so that a broken one still alerts.

What belongs here: tables, and reading and writing them in one transaction a look. What doesn't: rules (``incidents``),
sending (``outbox``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from orchestration.alerts.incidents import Category, Incident, Observation, Occasion, State, Step
from orchestration.checks import Severity
from orchestration.errors import ConfigurationError

_metadata = sa.MetaData()

_incident = sa.Table(
    "incident",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("fingerprint", sa.String(32), nullable=False, index=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("opened_at", sa.DateTime, nullable=False),
    sa.Column("told_at", sa.DateTime),
    sa.Column("told_impact_usd", sa.String(64)),
    sa.Column("told_severity", sa.String(16)),
    sa.Column("acknowledged_by", sa.String(200)),
    sa.Column("acknowledged_at", sa.DateTime),
    sa.Column("silenced_until", sa.DateTime),
    sa.Column("resolved_at", sa.DateTime),
    # The observation, as it was last seen. Amounts are exact text.
    sa.Column("environment", sa.String(100), nullable=False),
    sa.Column("check_name", sa.String(100), nullable=False),
    sa.Column("category", sa.String(32), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("subject_type", sa.String(100), nullable=False),
    sa.Column("subject_id", sa.Text, nullable=False),
    sa.Column("asset", sa.Text),
    sa.Column("day", sa.Date, nullable=False),
    sa.Column("since", sa.Date, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("observed", sa.Text),
    sa.Column("expected", sa.Text),
    sa.Column("impact_usd", sa.String(64)),
    sa.Column("evidence", sa.Text),
    sa.Column("run_id", sa.String(100)),
)
# A second process that looks at the same moment must not open the same incident again.
sa.Index(
    "one_unresolved_incident",
    _incident.c.fingerprint,
    unique=True,
    sqlite_where=_incident.c.state != State.RESOLVED.value,
    postgresql_where=_incident.c.state != State.RESOLVED.value,
)

_message = sa.Table(
    "message",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("line", sa.String(300), nullable=False, index=True),
    sa.Column("occasion", sa.String(16), nullable=False),
    sa.Column("route", sa.String(100), nullable=False),
    sa.Column("key", sa.String(340), nullable=False, unique=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("created_at", sa.DateTime, nullable=False),
    sa.Column("due_at", sa.DateTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("sent_at", sa.DateTime),
    sa.Column("last_error", sa.Text),
)

_about = sa.Table(
    "message_incident",
    _metadata,
    sa.Column("message_number", sa.Integer, sa.ForeignKey("message.number"), primary_key=True),
    sa.Column("incident_number", sa.Integer, sa.ForeignKey("incident.number"), primary_key=True, index=True),
)

_watch = sa.Table(
    "watch",
    _metadata,
    sa.Column("environment", sa.String(100), primary_key=True),
    sa.Column("looked_at", sa.DateTime, nullable=False),
)

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


Wording = Callable[[Sequence[Step]], Iterable[Draft]]
"""What there is to say about the steps of a look, whose incidents have their numbers."""


class Store:
    """Incidents and messages in a database that SQLAlchemy reaches."""

    def __init__(self, url: str) -> None:
        """Open the database and create what it lacks; raise ConfigurationError if it can't be reached."""
        try:
            self._engine = sa.create_engine(url)
            _metadata.create_all(self._engine)
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            line = " ".join(str(error).splitlines()[0].split())
            raise ConfigurationError(f"the store of alerts can't be opened ({line}); mend its address") from error

    @classmethod
    def in_file(cls, path: Path) -> Store:
        """The store in an SQLite file that only this user can read."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        return cls(f"sqlite:///{path}")

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """A transaction that writes: SQLite takes the lock at its start, so that two looks come one after the other."""
        with self._engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("begin immediate")
            yield connection
            connection.commit()

    def apply(
        self, look: Callable[[Sequence[Incident]], Iterable[Step]], wording: Wording, at: datetime
    ) -> list[Incident]:
        """Let ``look`` make of the unresolved incidents what it sees, and keep the result and its messages together."""
        with self._transaction() as connection:
            kept = [_keep(connection, step) for step in look(_unresolved(connection))]
            for draft in wording(kept):
                _add_message(connection, draft, at)
        return [step.incident for step in kept]

    def incidents(self, *, include_resolved: bool = False) -> list[Incident]:
        """The incidents that aren't resolved, the latest opened first; with those that are, if wanted."""
        query = sa.select(_incident).order_by(_incident.c.number.desc())
        if not include_resolved:
            query = query.where(_incident.c.state != State.RESOLVED.value)
        with self._engine.connect() as connection:
            return [_incident_of(row) for row in connection.execute(query).mappings()]

    def incident(self, number: int) -> Incident:
        """One incident; raise ConfigurationError if there is none of that number."""
        with self._engine.connect() as connection:
            return _find(connection, number)

    def change(self, number: int, change: Callable[[Incident], Incident]) -> Incident:
        """Replace an incident by what ``change`` makes of it, and return that."""
        with self._transaction() as connection:
            changed = change(_find(connection, number))
            connection.execute(sa.update(_incident).where(_incident.c.number == number).values(_values_of(changed)))
            return changed

    def add_message(self, draft: Draft, at: datetime) -> None:
        """Put a message into the outbox, besides those of a look."""
        with self._transaction() as connection:
            _add_message(connection, draft, at)

    def messages(self, incident_number: int | None = None) -> list[Message]:
        """All messages, or those about an incident, in the order in which they were written."""
        query = sa.select(_message).order_by(_message.c.number)
        if incident_number is not None:
            query = query.where(_message.c.number.in_(_numbers_about(incident_number)))
        with self._engine.connect() as connection:
            return [_message_of(row) for row in connection.execute(query).mappings()]

    def incidents_of(self, message: Message) -> list[Incident]:
        """The incidents that a message is about, as they stand now."""
        numbers = sa.select(_about.c.incident_number).where(_about.c.message_number == message.number)
        query = sa.select(_incident).where(_incident.c.number.in_(numbers)).order_by(_incident.c.number)
        with self._engine.connect() as connection:
            return [_incident_of(row) for row in connection.execute(query).mappings()]

    def due_messages(self, at: datetime) -> list[Message]:
        """Messages that haven't been sent and are to be tried by now, in order.

        A message waits for those of its line before it, so that *resolved* never overtakes *opened*.
        """
        query = sa.select(_message).where(_message.c.sent_at.is_(None)).order_by(_message.c.number)
        with self._engine.connect() as connection:
            waiting = [_message_of(row) for row in connection.execute(query).mappings()]
        due, held = [], set()
        for message in waiting:
            if (message.route, message.line) not in held and message.due_at <= at:
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
        with self._transaction() as connection:
            result = connection.execute(
                sa.update(_message).where(_message.c.number.in_(_numbers_about(incident_number))).values(values)
            )
            return int(result.rowcount)

    def mark_looked(self, environment: str, at: datetime) -> None:
        """Somebody has looked at this environment, and sent what was due: the watcher's sign of life."""
        with suppress(sa.exc.IntegrityError), self._transaction() as connection:  # another's first look, just now
            of_environment = _watch.c.environment == environment
            changed = connection.execute(sa.update(_watch).where(of_environment).values(looked_at=at))
            if not changed.rowcount:
                connection.execute(sa.insert(_watch).values(environment=environment, looked_at=at))

    def looked_at(self, environment: str | None = None) -> datetime | None:
        """When somebody last looked at an environment, or at any; None if never."""
        query = sa.select(sa.func.max(_watch.c.looked_at))
        if environment is not None:
            query = query.where(_watch.c.environment == environment)
        with self._engine.connect() as connection:
            found: datetime | None = connection.execute(query).scalar_one()
            return found

    def standing_counts(self, environment: str | None = None) -> dict[tuple[State, Severity, Category], int]:
        """How many incidents aren't resolved, in one environment or in all."""
        kinds = (_incident.c.state, _incident.c.severity, _incident.c.category)
        query = _standing(sa.select(*kinds, sa.func.count()), environment).group_by(*kinds)
        with self._engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(query)
            return {(State(row[0]), Severity(row[1]), Category(row[2])): row[3] for row in rows}

    def silenced_count(self, at: datetime, environment: str | None = None) -> int:
        """How many of those that aren't resolved are silenced at that moment."""
        query = _standing(sa.select(sa.func.count()).where(_incident.c.silenced_until > at), environment)
        with self._engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def waiting(self) -> dict[str, Waiting]:
        """What waits in the outbox, by route."""
        tried = sa.func.count(sa.case((_message.c.attempts > 0, 1)))
        columns = (_message.c.route, sa.func.count(), tried, sa.func.min(_message.c.created_at))
        query = sa.select(*columns).where(_message.c.sent_at.is_(None)).group_by(_message.c.route)
        with self._engine.connect() as connection:
            rows: Iterable[Any] = connection.execute(query)
            return {row[0]: Waiting(row[1], row[2], row[3]) for row in rows}

    def _update_message(self, message: Message, **values: Any) -> None:
        with self._transaction() as connection:
            connection.execute(sa.update(_message).where(_message.c.number == message.number).values(values))


def _unresolved(connection: sa.Connection) -> list[Incident]:
    query = sa.select(_incident).where(_incident.c.state != State.RESOLVED.value).order_by(_incident.c.number)
    return [_incident_of(row) for row in connection.execute(query).mappings()]


def _standing(query: sa.Select[Any], environment: str | None) -> sa.Select[Any]:
    query = query.where(_incident.c.state != State.RESOLVED.value)
    return query if environment is None else query.where(_incident.c.environment == environment)


def _find(connection: sa.Connection, number: int) -> Incident:
    row = connection.execute(sa.select(_incident).where(_incident.c.number == number)).mappings().first()
    if row is None:
        raise ConfigurationError(f"there is no incident {number}; 'ringfence alerts list' shows those there are")
    return _incident_of(row)


def _keep(connection: sa.Connection, step: Step) -> Step:
    values = _values_of(step.incident)
    if step.before is None:
        number: int = connection.execute(sa.insert(_incident).values(values).returning(_incident.c.number)).scalar_one()
        return replace(step, incident=replace(step.incident, number=number))
    if step.incident != step.before:
        query = sa.update(_incident).where(_incident.c.number == step.incident.number)
        connection.execute(query.values(values))
    return step


def _numbers_about(incident_number: int) -> sa.Select[tuple[int]]:
    return sa.select(_about.c.message_number).where(_about.c.incident_number == incident_number)


def _add_message(connection: sa.Connection, draft: Draft, at: datetime) -> None:
    of_line = (_message.c.route == draft.route) & (_message.c.line == draft.line)
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
    number: int = connection.execute(sa.insert(_message).values(values).returning(_message.c.number)).scalar_one()
    about = [{"message_number": number, "incident_number": incident} for incident in dict.fromkeys(draft.incidents)]
    if about:
        connection.execute(sa.insert(_about), about)


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
