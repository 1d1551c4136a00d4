"""A connection to one PostgreSQL server, its read-only snapshot, and what it says when something is wrong.

What belongs here: connecting, transactions, errors in words of people. What doesn't: which queries.

The driver is ADBC: rows come as binary COPY and leave as Arrow batches, so a pull holds one batch in memory, not a day.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pyarrow as pa
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from orchestration.connectors.base import Services, require
from orchestration.connectors.errors import AnswerError, SourceError, UnreachableError
from orchestration.connectors.postgresql.configuration import PostgresqlConfiguration
from orchestration.errors import ConfigurationError

BATCH_BYTES = 1 << 24
"""A batch is sent on once it has so many bytes; only its last row makes it larger."""

_OLDEST = 130_000
_SERVER = "connection to server"
_SCHEMES = ("postgresql://", "postgres://")
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""A network that went silent is noticed within about a minute; milliseconds for the last, seconds for the others."""

_GONE = "see that the server runs and can be reached from here, then pull again: nothing of this pull has landed"

_REMEDIES: dict[str, str] = {
    "42P01": "mend from or query; names are taken as written, upper and lower case too, and need their schema",
    "3F000": "mend from or query; names are taken as written, upper and lower case too",
    "42703": "mend the mapping; names are taken as written, upper and lower case too",
    "42601": "mend the SQL of this table's mapping",
    "42883": "mend the SQL of this table's mapping, or cast its arguments",
    "25006": "pulling only reads; leave what writes out of the SQL of this table's mapping",
    "55P03": "somebody holds a lock on it; pull later, or raise lock_seconds",
    "57014": "index the cursor's column, narrow what is read, or raise statement_seconds",
    "40001": "a replica stopped the query to go on replaying; pull again, or raise its max_standby_streaming_delay",
    "22023": "mend time_zone of this table",
}
"""By SQLSTATE; those that only a connection can have are told by ``_connecting``."""

_TEMPORARY = re.compile(
    r"refused|No such file|timeout expired|timed out|unreachable|starting up|shutting down|too many clients"
    r"|connection slots|in recovery mode|closed the connection|Temporary failure|reset by peer",
    re.IGNORECASE,
)
_CONNECTING: tuple[tuple[str, str], ...] = (
    (
        r"password authentication failed|no password supplied",
        "set the variable that connection names to the user's password",
    ),
    (r"database .* does not exist", "mend the name of the database in connection"),
    (r"role .* does not exist", "mend the user's name in connection"),
    (r"not permitted to log in", "grant the role LOGIN"),
    (r"no pg_hba.conf entry", "let this user in from here (pg_hba.conf), with the sslmode that it asks for"),
    (r"certificate|SSL", "mend sslmode, sslrootcert or the certificate"),
    (r"too many clients|connection slots", "raise max_connections or pull when fewer are connected"),
)


class _TryAgainError(Exception):
    """The server may be back in a moment."""


class Session:
    """One connection; ``begin`` starts the transaction in which all else happens."""

    def __init__(self, connection: Any, configuration: PostgresqlConfiguration) -> None:
        self._connection, self._configuration = connection, configuration
        self._has_begun = False

    def begin(self) -> None:
        """Begin a read-only transaction: every query until the next ``begin`` sees the same moment of the database.

        Settings are of the transaction, so that a pooler in between can't mix them up. Rows that row-level security
        would hide are an error, since a part of the rows can't be told from all of them.
        """
        settings = {
            "TimeZone": "UTC",
            "DateStyle": "ISO, YMD",
            "client_encoding": "UTF8",
            "standard_conforming_strings": "on",
            "row_security": "off",
            "statement_timeout": f"{self._configuration.statement_seconds}s",
            "idle_in_transaction_session_timeout": f"{self._configuration.statement_seconds}s",
            "lock_timeout": f"{int(self._configuration.lock_seconds * 1000)}ms",
        }
        with _told("the transaction"):
            if self._has_begun:
                self._execute("rollback")
            self._has_begun = True
            self._execute("begin isolation level repeatable read, read only")
            self._execute(
                "select " + ", ".join(f"set_config('{name}', '{value}', true)" for name, value in settings.items())
            )

    def rows(self, sql: str, place: str) -> list[tuple[Any, ...]]:
        """The few rows of a query; ``place`` is what errors name."""
        with _told(place):
            return self._execute(sql)

    def types(self, sql: str, place: str) -> dict[str, str]:
        """PostgreSQL's names of the types of a query's columns; domains are told as what they are made of.

        The query is run too: what the user may not read is found by that only.
        """
        with _told(place), self._connection.cursor() as cursor:
            cursor.execute(sql)
            schema = cursor.fetch_arrow_table().schema
        return {field.name: field.metadata[b"POSTGRESQL:type"].decode() for field in schema}

    @contextmanager
    def stream(self, sql: str, place: str) -> Iterator[pa.RecordBatchReader]:
        """The batches of a query, read from the server as they are asked for."""
        with self._connection.cursor() as cursor:
            cursor.adbc_statement.set_options(**{"adbc.postgresql.batch_size_hint_bytes": BATCH_BYTES})
            with _told(place):
                cursor.execute(sql)
                reader = cursor.fetch_record_batch()

            def batches() -> Iterator[pa.RecordBatch]:
                with _told(place):
                    yield from reader

            yield pa.RecordBatchReader.from_batches(reader.schema, batches())

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return [] if cursor.description is None else list(cursor.fetchall())


@contextmanager
def opened(configuration: PostgresqlConfiguration, services: Services) -> Iterator[Session]:
    """Connect, trying again while the server may be coming back; the connection is closed at the end of the block.

    Raises UnreachableError if there is no connection, AnswerError if the server turns us away or is too old.
    """
    driver, address = require("adbc_driver_postgresql.dbapi", "postgresql"), _address(configuration, services)
    retrying = Retrying(
        stop=stop_after_attempt(configuration.attempts),
        wait=wait_exponential_jitter(initial=1, max=30),
        retry=retry_if_exception_type(_TryAgainError),
        sleep=services.clock.sleep,
        reraise=True,
    )
    try:
        connection = retrying(_connect, driver, address)
    except _TryAgainError as error:
        raise UnreachableError(str(error), _remedy(str(error), _GONE)) from error
    try:
        session = Session(connection, configuration)
        version = int(session.rows("select current_setting('server_version_num')", "the server")[0][0])
        if version < _OLDEST:
            raise AnswerError(f"the server is PostgreSQL {version // 10_000}", "it must be 13 or later")
        yield session
    finally:
        connection.close()


def _connect(driver: Any, address: str) -> Any:
    try:
        return driver.connect(address, autocommit=True)
    except driver.Error as error:
        problem = str(error).split("Failed to connect: ", 1)[-1].splitlines()[0]
        if not problem.startswith(_SERVER):
            # What libpq can't make sense of it says back in pieces, and a piece of a secret isn't known as one.
            is_unknown = "translate host name" in problem
            problem = "the host that connection names can't be found" if is_unknown else "connection isn't well formed"
            remedy = "mend the host's name, or its DNS" if is_unknown else "write it as the example configuration does"
            raise AnswerError(problem, remedy) from None
        problem = f"the {problem}"
        if _TEMPORARY.search(problem):
            raise _TryAgainError(problem) from error
        raise AnswerError(problem, _remedy(problem, "mend connection")) from error


def _remedy(problem: str, otherwise: str) -> str:
    return next((remedy for pattern, remedy in _CONNECTING if re.search(pattern, problem)), otherwise)


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turn what the driver raises in the block into a SourceError that names ``place``."""
    from adbc_driver_manager import Error

    try:
        yield
    except Error as error:
        raise _translated(place, error) from error


def _translated(place: str, error: Any) -> SourceError:
    details = dict(error.details or ())
    said = details.get("PG_DIAG_MESSAGE_PRIMARY") or details.get(b"PG_DIAG_MESSAGE_PRIMARY") or str(error)
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    problem, state = f"{place}: {' '.join(text.split())}", error.sqlstate or ""
    if state in _REMEDIES:
        return AnswerError(problem, _REMEDIES[state])
    if state == "42501":
        if "row-level security" in text:
            return AnswerError(problem, "its rows are hidden from this user in part; grant the role BYPASSRLS")
        return AnswerError(problem, "grant the user of this source USAGE on the schema and SELECT on the table")
    if state.startswith(("08", "57P", "53")) or not state:
        return UnreachableError(problem, _GONE)
    return AnswerError(problem, "correct it at the source or in the mapping")


def _address(configuration: PostgresqlConfiguration, services: Services) -> str:
    """The connection string with its secrets, spelled as its form asks, and with what every connection is to have."""
    text = configuration.connection.strip()
    is_alone = re.fullmatch(r"\$\{\w+\}", text) is not None  # the variable holds a whole address, spelled already
    if is_alone:
        text = services.secrets.fill(text)
        _remember_password(text, services)
    is_url = text.startswith(_SCHEMES)
    if not is_url and "=" not in text:
        raise ConfigurationError(
            "connection is no address of a PostgreSQL; write postgresql://user:${NAME}@host/database, or host=..."
            " dbname=..."
        )
    if not is_alone:
        text = services.secrets.fill(text, _in_url if is_url else _in_words)
    wanted = {
        "application_name": configuration.application_name,
        "connect_timeout": configuration.connect_seconds,
        **_ALIVE,
    }
    missing = {name: value for name, value in wanted.items() if not re.search(rf"(?:^|[\s?&]){name}\s*=", text)}
    if is_url:
        return text + ("&" if "?" in text else "?") + "&".join(f"{name}={value}" for name, value in missing.items())
    return f"{text} " + " ".join(f"{name}={value}" for name, value in missing.items())


def _in_url(secret: str) -> str:
    return quote(secret, safe="")


def _in_words(secret: str) -> str:
    return re.sub(r"([\\'\s])", r"\\\1", secret)


def _remember_password(address: str, services: Services) -> None:
    """A password within an address is a secret of its own: a server may say it back alone."""
    if address.startswith(_SCHEMES):
        password = urlsplit(address).password
        found = [password, unquote(password)] if password else []
    else:
        found = [value.strip("'") for value in re.findall(r"password\s*=\s*('[^']*'|\S+)", address)]
    for value in found:
        services.secrets.add(value)
