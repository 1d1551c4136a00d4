"""Databases of others that are looked into as they are: SQLite files and PostgreSQL, through SQLAlchemy.

What belongs here: connections by which nothing is created, changed, or waited for long. What doesn't: queries, DuckDB.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from orchestration.errors import ConfigurationError

_SECONDS = 5


def reading_engine(address: str | Path) -> sa.Engine:
    """An engine that only reads, at a database's address or in an SQLite file; connecting raises SQLAlchemyError.

    Raises ConfigurationError if the address is none, or its library isn't installed.
    """
    if isinstance(address, Path):
        return _of_file(address)
    try:
        url = sa.make_url(address)
        if url.get_backend_name() == "sqlite" and url.database:
            return _of_file(Path(url.database))
        arguments: dict[str, Any] = {}
        if url.get_backend_name() == "postgresql":
            if url.drivername == "postgresql":  # SQLAlchemy would take another library than the one that is installed
                url = url.set(drivername="postgresql+psycopg2")
            options = f"-c default_transaction_read_only=on -c statement_timeout={_SECONDS * 1000}"
            options = " ".join([*url.normalized_query.get("options", ()), options])  # a schema may be named there
            arguments = {"connect_timeout": _SECONDS, "options": options}
        return sa.create_engine(url, poolclass=NullPool, connect_args=arguments)
    except sa.exc.ArgumentError as error:  # whose text may show the address, and with it a password
        raise ConfigurationError("an address of a database is none; write postgresql://HOST/NAME") from error
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        line = " ".join(str(error).splitlines()[0].split())
        raise ConfigurationError(f"a database can't be opened ({line}); mend its address") from error


def _of_file(path: Path) -> sa.Engine:
    """SQLite that leaves no file of its own beside the database.

    One with a write-ahead log that isn't there is at rest: to read it as others do would create the log.
    """
    options = "mode=ro&immutable=1" if _is_at_rest(path) else "mode=ro"
    return sa.create_engine(
        f"sqlite:///file:{quote(str(path.resolve()))}?{options}&uri=true",
        poolclass=NullPool,
        connect_args={"timeout": _SECONDS},
    )


def _is_at_rest(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            uses_log = file.read(20)[18:] == b"\x02\x02"
    except OSError:
        return False
    return uses_log and not path.with_name(f"{path.name}-wal").exists()
