"""Opening a lake: the extensions of its environment, the kinds of catalogue, and errors that say what to do.

What belongs here: everything up to an attached database ``lake``. What doesn't: what is written into it.
"""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from orchestration.errors import ConfigurationError
from orchestration.reading.published import first_line
from orchestration.sql import quoted
from orchestration.warehouse.build_file import configuration

EXTENSIONS = {
    "sqlite": ("ducklake", "sqlite_scanner", "httpfs"),
    "postgres": ("ducklake", "postgres_scanner", "httpfs"),
}
"""What each kind of catalogue needs; files may lie in object storage, which only the catalogue knows."""

_KINDS = "sqlite:FILE, for processes of one machine, or postgres:dbname=… host=…, for many"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Where the lake's catalogue is kept: a SQLite file, or a PostgreSQL database given as ``key=value`` pairs."""

    kind: str
    address: str

    @property
    def name(self) -> str:
        """What DuckLake calls it."""
        return f"ducklake:{self.kind}:{self.address}"

    @property
    def file(self) -> Path | None:
        """The file it is, if it is one."""
        return Path(self.address) if self.kind == "sqlite" else None


def parse_catalogue(text: str) -> Catalogue:
    """Return the catalogue that ``text`` names. Raises ConfigurationError if it names none that can be shared."""
    kind, _, address = text.partition(":")
    if kind == "duckdb":
        raise ConfigurationError(f"catalogue {text}: a DuckDB file admits one process at a time; use {_KINDS}")
    if kind not in EXTENSIONS or not address:
        raise ConfigurationError(f"catalogue {text}: must be {_KINDS}")
    if kind == "postgres" and ("password" in address or "://" in address):
        raise ConfigurationError(
            "catalogue postgres: give key=value pairs without a password, which other users of the machine could read;"
            " PGPASSWORD or a .pgpass file hold it"
        )
    return Catalogue(kind, str(Path(address).resolve()) if kind == "sqlite" else address)


def parse_data(text: str) -> str:
    """Return the place of a lake's files as the catalogue keeps it: an absolute folder, or a URL as it stands."""
    return text if "://" in text else str(Path(text).resolve())


@contextmanager
def lake_connection(
    catalogue: Catalogue, *, data: str | None = None, read_only: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose database ``lake`` is the one under ``catalogue``.

    A lake that isn't there yet is made, with its files in ``data``, unless the connection is read-only.
    Raises ConfigurationError if it can't be opened.
    """
    with connection_with_extensions(EXTENSIONS[catalogue.kind]) as connection:
        attach_lake(connection, catalogue, data=data, read_only=read_only)
        yield connection


def attach_lake(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, *, data: str | None = None, read_only: bool = False
) -> None:
    """Attach the lake as ``lake`` to a connection with the extensions; see ``lake_connection``."""
    if not _attached(connection, catalogue, data, read_only):
        _create(connection, catalogue, data)


@contextmanager
def connection_with_extensions(names: tuple[str, ...]) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection in memory with these extensions, from packages of this environment; none is fetched."""
    offline = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
    with duckdb.connect(":memory:", config={**configuration(), **offline}) as connection:
        connection.execute("set timezone = 'UTC'")
        for name in names:
            _load(connection, name)
        yield connection


def _load(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    package = importlib.util.find_spec(f"duckdb_extension_{name}")
    folders = list(package.submodule_search_locations or ()) if package else []
    files = [Path(folder) / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension" for folder in folders]
    file = next((file for file in files if file.exists()), None)
    if file is None:
        raise ConfigurationError(
            f"extension {name} of DuckDB {duckdb.__version__} isn't in this environment; 'make lake' sets one up that"
            " has it"
        )
    # DuckDB loads only what its makers signed, wherever the package came from.
    connection.execute(f"load {quoted(str(file))}")


def _options(data: str | None, *, read_only: bool, creates: bool) -> str:
    options = ["create_if_not_exists " + str(creates).lower()]
    if data is not None:
        options.append(f"data_path {quoted(data)}")
    # Rows inlined into the catalogue would take the catalogue's types, and SQLite has no decimals.
    options.append("data_inlining_row_limit 0")
    if read_only:
        options.append("read_only")
    return ", ".join(options)


def _sqlite_options(catalogue: Catalogue) -> str:
    """With a write-ahead log readers don't wait for the writer, nor it for them; who finds a lock waits for it."""
    return ", meta_journal_mode 'WAL', meta_busy_timeout 10000" if catalogue.kind == "sqlite" else ""


def _attach(
    connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, data: str | None, *, read_only: bool, creates: bool
) -> None:
    options = _options(data, read_only=read_only, creates=creates) + _sqlite_options(catalogue)
    connection.execute(f"attach {quoted(catalogue.name)} as lake ({options})")


def _attached(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, data: str | None, read_only: bool) -> bool:
    """Attach the lake if there is one; whether there was. Raises ConfigurationError if none is there to be read."""
    try:
        if catalogue.file is None or catalogue.file.exists():
            _attach(connection, catalogue, data, read_only=read_only, creates=False)
            return True
    except duckdb.Error as error:
        if "creating a new DuckLake is explicitly disabled" not in str(error):
            raise _explained(error, catalogue, data) from error
    if read_only or data is None:
        raise ConfigurationError(
            f"there is no lake under catalogue {catalogue.kind}:{catalogue.address} yet; make one with 'publish"
            " --warehouse DIR --catalogue CATALOGUE --data FOLDER'"
        )
    return False


def _create(connection: duckdb.DuckDBPyConnection, catalogue: Catalogue, data: str | None) -> None:
    assert data is not None
    if catalogue.file is not None:
        _refuse_strangers_file(catalogue.file)
        catalogue.file.parent.mkdir(parents=True, exist_ok=True)
    try:
        if connection.execute(f"select count(*) from glob({quoted(data.rstrip('/') + '/**')})").fetchall() != [(0,)]:
            raise ConfigurationError(
                f"{data} holds files already; a new lake needs a folder of its own, since what is in it and unknown to"
                " the catalogue counts as left over and is removed some day"
            )
        _attach(connection, catalogue, data, read_only=False, creates=True)
    except duckdb.Error as error:
        raise _explained(error, catalogue, data) from error


def _refuse_strangers_file(file: Path) -> None:
    if not file.exists():
        return
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
        tables = connection.execute("select count(*) from sqlite_master").fetchone()[0]
    if tables:
        raise ConfigurationError(f"{file} holds tables of something else; name a file of the lake's own")


def _explained(error: duckdb.Error, catalogue: Catalogue, data: str | None) -> ConfigurationError:
    text = str(error)
    if "does not match existing data path" in text:
        return ConfigurationError(f"the lake's files don't lie in {data}; leave --data off: the catalogue knows where")
    if "file is not a database" in text:
        return ConfigurationError(f"{catalogue.address} is no SQLite file; name a file of the lake's own")
    return ConfigurationError(
        f"the lake under {catalogue.kind}:{catalogue.address} can't be opened: {first_line(error)}"
    )
