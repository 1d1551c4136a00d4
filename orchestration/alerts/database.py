"""The database of the store: its tables, the version they have, and who may write or send at a moment.

What belongs here: SQLite and PostgreSQL, and what differs between them. What doesn't: what is kept (``store``).

Writers come one after the other, so that two looks at once open nothing twice. So do senders, so that a message never
overtakes another. Nobody waits for ever; whoever is killed holds nothing up.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from orchestration.alerts.incidents import State
from orchestration.errors import ConfigurationError, RingfenceError

VERSION = 2
"""Of the tables. 1 had no table ``store``."""

LOCK_SECONDS = 30
"""So long one writer waits for another; a look holds the lock for less than a second."""

_WRITING, _SENDING = 7_263_001, 7_263_002
"""Names of PostgreSQL's advisory locks; a schema, which is a store of its own, has its own."""

METADATA = sa.MetaData()

INCIDENT = sa.Table(
    "incident",
    METADATA,
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
    sa.Column("explained_by", sa.String(32)),
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
    sa.Column("affiliate", sa.Text),
)
# A second process that looks at the same moment must not open the same incident again.
sa.Index(
    "one_unresolved_incident",
    INCIDENT.c.fingerprint,
    unique=True,
    sqlite_where=INCIDENT.c.state != State.RESOLVED.value,
    postgresql_where=INCIDENT.c.state != State.RESOLVED.value,
)

MESSAGE = sa.Table(
    "message",
    METADATA,
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

ABOUT = sa.Table(
    "message_incident",
    METADATA,
    sa.Column("message_number", sa.Integer, sa.ForeignKey("message.number"), primary_key=True),
    sa.Column("incident_number", sa.Integer, sa.ForeignKey("incident.number"), primary_key=True, index=True),
)

WATCH = sa.Table(
    "watch",
    METADATA,
    sa.Column("environment", sa.String(100), primary_key=True),
    sa.Column("looked_at", sa.DateTime, nullable=False),
)

_STORE = sa.Table(
    "store",
    METADATA,
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("environment", sa.String(100), nullable=False),
)

_UPGRADES = {
    1: ("alter table incident add column explained_by varchar(32)", "alter table incident add column affiliate text"),
}
"""What makes a version the next one."""


class StoreError(RingfenceError):
    """The store can't be used at the moment. What was to be kept is not."""


class Database:
    """One store's database, with its tables."""

    def __init__(self, url: str, environment: str = "") -> None:
        """Open it, and create or upgrade what it lacks.

        Raises ConfigurationError if it can't be reached, belongs to another environment, or a newer version wrote it.
        """
        try:
            self.engine = _engine(url)
            with self.engine.connect() as connection:
                is_ready = _is_ready(connection, environment)
            if not is_ready:
                with self.engine.connect() as connection:
                    _take_turn(connection)
                    _bring_up(connection, environment)
                    connection.commit()
        except ImportError as error:
            text = f"the store of alerts can't be opened ({error}); install ringfence[operations], or name another"
            raise ConfigurationError(text) from error
        except sa.exc.SQLAlchemyError as error:
            raise ConfigurationError(
                f"the store of alerts can't be opened ({_line(error)}); mend its address"
            ) from error

    @classmethod
    def for_reading(cls, engine: sa.Engine) -> Database:
        """One that is looked into as it is; nothing is asked of it yet."""
        database = cls.__new__(cls)
        database.engine = engine
        return database

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with; raises StoreError if the database fails."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store of alerts can't be read ({_line(error)}); see that its database runs"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that no other one writes beside; raises StoreError if the database fails or stays locked."""
        try:
            with self.engine.connect() as connection:
                _take_turn(connection)
                yield connection
                connection.commit()
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store of alerts can't be written ({_line(error)}); see that its database runs and isn't locked"
            ) from error

    @contextmanager
    def sending(self, sleep: Callable[[float], None], tries: int = 4 * LOCK_SECONDS) -> Iterator[bool]:
        """Whether this process may send, once it is the only one; False if another still does after so many tries."""
        take = self._sender_in_postgresql if self.engine.dialect.name == "postgresql" else self._sender_by_file
        with take() as is_taken:
            for _ in range(tries):
                if is_taken():
                    yield True
                    return
                sleep(0.25)
            yield False

    @contextmanager
    def _sender_in_postgresql(self) -> Iterator[Callable[[], bool]]:
        # The server lets go of the lock when the connection ends, however it ends.
        try:
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except sa.exc.SQLAlchemyError as error:
            raise StoreError(
                f"the store of alerts can't be read ({_line(error)}); see that its database runs"
            ) from error

        def is_taken() -> bool:
            sql = f"select pg_try_advisory_lock({_SENDING}, hashtext(current_schema()))"
            return bool(connection.exec_driver_sql(sql).scalar_one())

        try:
            yield is_taken
        finally:
            connection.invalidate()
            connection.close()

    @contextmanager
    def _sender_by_file(self) -> Iterator[Callable[[], bool]]:
        name = self.engine.url.database
        if name in (None, "", ":memory:"):
            yield lambda: True
            return
        descriptor = os.open(Path(f"{name}.sending"), os.O_RDWR | os.O_CREAT, 0o600)

        def is_taken() -> bool:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        try:
            yield is_taken
        finally:
            os.close(descriptor)


def _unreadable(error: Exception) -> StoreError:
    return StoreError(f"the store of alerts can't be read ({_line(error)}); see that its database runs")


def _engine(address: str) -> sa.Engine:
    url = sa.make_url(address)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return sa.create_engine(url, connect_args={"timeout": LOCK_SECONDS})
    if backend != "postgresql":
        raise ConfigurationError(f"the store of alerts can't be opened: it is in SQLite or PostgreSQL, not {backend}")
    if url.drivername == backend:  # SQLAlchemy's own choice is a driver that isn't among the requirements
        url = url.set(drivername="postgresql+psycopg2")
    return sa.create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})


def _take_turn(connection: sa.Connection) -> None:
    """Begin a transaction that writes, once no other one does."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_SECONDS}s'")
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({_WRITING}, hashtext(current_schema()))")
    else:
        connection.exec_driver_sql("begin immediate")


def _is_ready(connection: sa.Connection, environment: str) -> bool:
    """Whether the tables are as they should be, so that whoever only reads needn't wait for a writer."""
    if not sa.inspect(connection).has_table(_STORE.name):
        return False
    row = connection.execute(sa.select(_STORE.c.version, _STORE.c.environment)).one()
    version, owner = int(row.version), str(row.environment)
    if version > VERSION:
        raise ConfigurationError(
            f"the store of alerts was written by a newer Ringfence (its tables have version {version}, this one knows"
            f" {VERSION}); upgrade this one, or name another store"
        )
    if environment and owner and owner != environment:
        raise ConfigurationError(
            f"the store of alerts holds those of environment {owner}, not of {environment}; give each environment a"
            " database or schema of its own"
        )
    return version == VERSION and bool(owner or not environment)


def _bring_up(connection: sa.Connection, environment: str) -> None:
    """Create the tables, or make those of an older version this one's; nothing if another was faster."""
    if _is_ready(connection, environment):
        return
    inspector = sa.inspect(connection)
    has_incidents, has_version = inspector.has_table(INCIDENT.name), inspector.has_table(_STORE.name)
    METADATA.create_all(connection)
    if not has_version:
        version = 1 if has_incidents else VERSION
        connection.execute(sa.insert(_STORE).values(version=version, environment=environment))
    version = int(connection.execute(sa.select(_STORE.c.version)).scalar_one())
    for number in range(version, VERSION):
        for statement in _UPGRADES[number]:
            connection.exec_driver_sql(statement)
    values = {"version": VERSION, "environment": environment} if environment else {"version": VERSION}
    connection.execute(sa.update(_STORE).values(values))


def _line(error: Exception) -> str:
    """The first line of an error. Of an address that is none, only that: a password may stand in it."""
    if isinstance(error, sa.exc.ArgumentError) and not isinstance(error, sa.exc.NoSuchModuleError):
        return "no address of a database"
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()) if lines else type(error).__name__
